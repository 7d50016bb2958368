"""The feed of what has been recorded: a file, lines from a pipe, or what is kept on disk."""
