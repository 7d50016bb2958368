"""Benchmarks: what the program costs, as ratios against a peer or a limit of the same run."""
