"""What reads the kernel, by BPF or by its list of sockets. Records and entries come out."""
