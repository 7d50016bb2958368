"""Giving rights up for good: capabilities, the user, files and networks (Landlock), system calls (seccomp).

All of these are of a thread, and pass to those that it starts: whoever gives up has no other thread yet.
"""
