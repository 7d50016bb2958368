"""The sources of records and entries: they read the kernel by BPF, or by its list of sockets."""
