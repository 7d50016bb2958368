"""What can go wrong before the screen opens, as one line for the user."""

from __future__ import annotations


class TcptopError(Exception):
    """Ends the program with its message on stderr and exit code 1.

    The message is one line: what is wrong, and the command that fixes it.
    """
