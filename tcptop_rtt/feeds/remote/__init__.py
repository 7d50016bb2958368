"""The feed of other hosts: on each of them the program writes its stream, and ssh brings it here."""
