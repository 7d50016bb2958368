"""The feed of other hosts: the program runs on each of them, and ssh brings its stream here."""
