"""What compiles, loads and attaches the BPF program: a process of its own, which ends when that is done.

The compiler's library takes 100 MiB, and loading takes privileges. The process that shows what the program
tells needs neither, and gets descriptors.
"""
