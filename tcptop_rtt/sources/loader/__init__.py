"""The loader: a process of its own that compiles, loads and attaches the BPF program, and then ends.

The compiler's library takes 100 MiB, and loading takes privileges. The main process needs neither: it gets
descriptors from the loader.
"""
