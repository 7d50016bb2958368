"""The system calls of the helper: reading, entering network namespaces, netlink, two commands of bpf(2)."""

from __future__ import annotations

import os
import socket

from tcptop_rtt.privileges.seccomp import Filter, equals
from tcptop_rtt.reach.netns import CLONE_NEWNET
from tcptop_rtt.sources.bpf_call import ENABLE_STATS, ITER_CREATE

_ALWAYS = (
    # files
    *("read", "pread64", "close", "lseek", "getdents64", "readlink", "readlinkat", "access", "faccessat"),
    *("faccessat2", "stat", "lstat", "fstat", "newfstatat", "statx", "getcwd"),
    # messages
    *("write", "sendmsg", "sendto", "recvmsg", "recvfrom", "bind", "connect", "getsockname", "poll", "ppoll"),
    # memory
    *("brk", "munmap", "mremap", "madvise"),
    # this process itself
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "futex"),
    *("sched_yield", "exit", "exit_group", "uname", "clock_gettime", "gettimeofday", "getrandom"),
    *("getpid", "gettid", "getuid", "geteuid", "getgid", "getegid"),
)
_FCNTL = (0, 1, 2, 3, 4, 1030)
"""F_DUPFD to F_SETFL, and F_DUPFD_CLOEXEC: no command that makes the kernel send a signal."""
_IOCTL = (0x5450, 0x5451, 0x5401)
"""FIONCLEX and FIOCLEX; TCGETS, by which Python finds out that a file is no terminal."""
_PROT_EXEC = 4
_MAKES = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | (os.O_TMPFILE & ~os.O_DIRECTORY)
"""Flags of open(2): without any of them a file can only be read."""


def allow_few_calls() -> None:
    """Refuse all system calls but these, from now on.

    :raises OSError: libseccomp is missing, or the kernel has no such filters
    """
    few = Filter(allows=False)
    for call in _ALWAYS:
        few.allow(call)
    few.allow("openat", equals(2, 0, _MAKES))
    few.allow("open", equals(1, 0, _MAKES))
    for call in ("mmap", "mprotect"):
        few.allow(call, equals(2, 0, _PROT_EXEC))
    for command in _FCNTL:
        few.allow("fcntl", equals(1, command))
    for request in _IOCTL:
        few.allow("ioctl", equals(1, request))
    few.allow("socket", equals(0, socket.AF_NETLINK))
    few.allow("setns", equals(1, CLONE_NEWNET))
    for command in (ITER_CREATE, ENABLE_STATS):
        few.allow("bpf", equals(0, command))
    few.load()
