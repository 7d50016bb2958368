"""The screens, such as the table, the details of one connection, and the help."""
