"""The options of the command line, their values, and which options can be given together."""
