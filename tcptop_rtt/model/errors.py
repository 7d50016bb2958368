"""Errors that end the program with one line for the user."""

from __future__ import annotations

import errno

_REMEDIES = {
    errno.EMFILE: ": run ulimit -n 1024 first",
    errno.ENFILE: ": the whole machine has no file left, see sysctl fs.file-max",
    errno.ENOMEM: ": free some memory first",
}


def remedy(error: OSError) -> str:
    """Return what to do about a system error, to be appended to its message; may be empty."""
    return _REMEDIES.get(error.errno or 0, "")


def why(error: OSError) -> str:
    """Return the words of a system error, with what to do about it."""
    return f"{error.strerror or error}{remedy(error)}"


def shortage(error: Exception) -> str:
    """Return what there is too little of, if that is the cause of an error; else nothing."""
    if isinstance(error, OSError) and (mend := remedy(error)):
        return f"{error}{mend}"
    if isinstance(error, MemoryError):
        return "there is too little memory: free some, or raise ulimit -v first"
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed for this Python: install tcptop-rtt again"
    if isinstance(error, ImportError):
        name = error.name or "numpy"
        return f"cannot load {name}: there may be too little memory: free some, or raise ulimit -v first"
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "no thread can be started: raise ulimit -u, or -v, first"
    return ""


class TcptopError(Exception):
    """Ends the program with its message on stderr and exit code 1.

    The message is one line: what is wrong, and the command that fixes it.
    """


class UsageError(TcptopError):
    """Ends the program with exit code 2, for wrong options. The message says what would be right."""
