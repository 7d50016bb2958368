"""The options of the command line, what their values are, and which of them go together."""
