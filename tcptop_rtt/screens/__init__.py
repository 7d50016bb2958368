"""The screens: the table, one connection, the help."""
