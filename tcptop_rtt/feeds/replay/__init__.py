"""The feed of recorded data: a file, lines from a pipe, or what is always kept on disk."""
