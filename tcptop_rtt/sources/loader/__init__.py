"""What compiles, loads and attaches the BPF program."""
