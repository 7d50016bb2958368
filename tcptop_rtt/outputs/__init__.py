"""Snapshots as text: plain tables, the stream of JSON Lines, recordings, metrics."""
