"""Giving rights up for good: capabilities, the user, files and networks (Landlock), system calls (seccomp).

Each of these rights belongs to a thread, and passes to the threads that it starts. A process has to give them
up before it starts a second thread.
"""
