"""What the main process gives up, once other processes do what needs rights."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from errno import ENOSYS
from pathlib import Path
from typing import NamedTuple

from tcptop_rtt.privileges import capabilities, landlock, seccomp

_PACKAGE = str(Path(__file__).resolve().parents[2])
_SYSTEM = ("/usr", "/lib", "/lib64", "/proc", "/sys/devices/system/cpu", "/var/lib/sss", "/var/cache/nscd")
_OF_NAMES = ("/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf", "/run/nscd")
_TERMINALS = ("/dev/tty", "/dev/pts", "/dev/null", "/dev/urandom")
_OF_ETC = (
    *("hosts", "host.conf", "resolv.conf", "nsswitch.conf", "gai.conf", "services", "protocols"),
    *("passwd", "group", "localtime", "timezone", "locale.alias", "ld.so.cache", "terminfo"),
    *("ssl", "pki", "ca-certificates"),
)
"""The files of /etc that stay open to root, who has secrets there. Reading these takes no capability."""
_PERHAPS_LINKS = (
    "/etc/resolv.conf",
    *("/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/certs"),
)
"""Paths in /etc that are links to elsewhere on some distributions."""

_NEW_NAMESPACES = (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
"""CLONE_NEW*: include/uapi/linux/sched.h."""
_REFUSED = (
    # other programs, and other processes
    *("execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp"),
    *("pidfd_getfd", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "tkill"),
    # the kernel
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "acct"),
    *("perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("add_key", "request_key", "keyctl", "iopl", "ioperm", "syslog", "lookup_dcookie"),
    # mounts and namespaces
    *("mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount"),
    *("fspick", "mount_setattr", "unshare", "setns", "swapon", "swapoff", "quotactl", "quotactl_fd"),
    *("name_to_handle_at", "open_by_handle_at", "fanotify_init"),
    # the machine's settings
    *("sethostname", "setdomainname", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime"),
    # the identity of this process
    *("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "capset"),
)
_MOST_BPF_COMMANDS = _MOST_FAMILIES = 64
_MOST_SIGNALS = 64
_SIGNALS_OF_FILES = {"fcntl": (8, 10, 15), "ioctl": (0x8901, 0x8902)}
"""F_SETOWN, F_SETSIG, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP: who gets which signal when a file has data."""


@dataclass(frozen=True)
class Needs:
    """What must stay possible."""

    user: tuple[int, int] | None = None
    """User and group to become; None to stay the same user."""
    as_root: bool = False
    """Whether the effective user stays root, without capabilities, to use files that root owns."""
    written: tuple[str, ...] = ()
    """Directories in which files are made."""
    ports: frozenset[int] | None = None
    """TCP ports of others to connect to; None if no network is needed."""
    bpf_commands: frozenset[int] = frozenset()
    """The commands of bpf(2) that are needed."""
    tests: Mapping[int, Callable[[], bool]] | None = None
    """By capability, a test whether its purpose works without any capability: if so, it is given up."""


def has_rights() -> bool:
    """Whether there is anything to give up."""
    return os.geteuid() == 0 or bool(capabilities.permitted())


class GivenUp(NamedTuple):
    """The outcome of :func:`give_up`."""

    landlock: int
    """The Landlock version that limits this process; 0 if none."""
    left: tuple[str, ...]
    """What could not be given up, and why."""


def give_up(needs: Needs) -> GivenUp:
    """Give up everything that is not needed, for good.

    The process must not have a second thread yet.
    """
    left: list[str] = []

    @contextmanager
    def attempt(what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            left.append(f"{what}: {error.strerror or error}")

    places = _places()
    capabilities.no_new_privileges()
    with attempt("the bounding set of capabilities"):
        capabilities.bound(())
    if needs.user is not None:
        with attempt(f"to be UID {os.geteuid()}"):
            _become(*needs.user, needs.as_root, places)
    with attempt("capabilities"):
        capabilities.drop(_kept(needs.tests or {}, places))
    limited = 0
    with attempt("Landlock"):
        limited = _limit_files(needs, places)
    with attempt("seccomp"):
        _limit_calls(needs)
    return GivenUp(limited, tuple(left))


def _become(uid: int, gid: int, as_root: bool, places: set[str]) -> None:
    """Become a user, who must be able to read this program. Capabilities stay as they are."""
    uids, gids = os.getresuid(), os.getresgid()
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, 0)
    used = capabilities.permitted()
    capabilities.use(())
    can_read = _can_read(places)
    capabilities.use(used)
    if not can_read:
        os.setresuid(*uids)
        os.setresgid(*gids)
        raise OSError(f"UID {uid} cannot read {_PACKAGE}, or Python")
    os.setresuid(uid, *((0, 0) if as_root else (uid, uid)))


def _kept(tests: Mapping[int, Callable[[], bool]], places: set[str]) -> set[int]:
    """The capabilities without which something that is needed cannot be done."""
    capabilities.use(())
    kept = {capability for capability, can_do in tests.items() if not can_do()}
    return kept if _can_read(places) else kept | {capabilities.DAC_READ_SEARCH}


def _can_read(places: set[str]) -> bool:
    """Whether these directories can be read, for modules that are imported later."""
    return all(os.access(path, os.R_OK | os.X_OK) for path in places)


def _places() -> set[str]:
    """The directories of this program and its Python."""
    return {path for path in (_PACKAGE, sys.prefix, sys.base_prefix, *sys.path) if os.path.isdir(path)}


def _limit_files(needs: Needs, places: set[str]) -> int:
    rules = landlock.Rules()
    etc = [f"/etc/{name}" for name in _OF_ETC] if os.geteuid() == 0 else ["/etc"]
    for path in (*_SYSTEM, *_OF_NAMES, *etc, *places):
        rules.allow(path, landlock.READ)
    for path in _elsewhere():
        rules.allow(path, landlock.READ)
    rules.allow("/run", landlock.LIST)  # the names of network namespaces
    for path in _TERMINALS:
        rules.allow(path, landlock.USE)
    for path in needs.written:
        rules.allow(path, landlock.WRITE)
    for port in needs.ports or ():
        rules.allow_connecting(port)
    rules.enforce()
    return landlock.version()


def _elsewhere() -> Iterator[str]:
    """The directories outside /etc that its links lead to; not single files, as these may be replaced."""
    for link in _PERHAPS_LINKS:
        path = os.path.realpath(link)
        if not path.startswith("/etc/"):
            yield path if os.path.isdir(path) else os.path.dirname(path)


def _limit_calls(needs: Needs) -> None:
    filter_ = seccomp.Filter(allows=True)
    for call in _REFUSED:
        filter_.refuse(call)
    # A filter cannot look into clone3's structure. After ENOSYS the C library makes threads by clone.
    filter_.refuse("clone3", error=ENOSYS)
    for flag in _NEW_NAMESPACES:
        filter_.refuse("clone", seccomp.equals(0, flag, flag))
    for command in set(range(_MOST_BPF_COMMANDS)) - needs.bpf_commands:
        filter_.refuse("bpf", seccomp.equals(0, command))
    for family in set(range(_MOST_FAMILIES)) - _families(needs):
        filter_.refuse("socket", seccomp.equals(0, family))
    # Allowed are signals to itself, and the one that stops a job with all its processes.
    filter_.refuse("tgkill", seccomp.differs(0, os.getpid()))
    for number in set(range(1, _MOST_SIGNALS + 1)) - {signal.SIGTSTP}:
        filter_.refuse("kill", seccomp.equals(1, number))
    for call, commands in _SIGNALS_OF_FILES.items():
        for command in commands:
            filter_.refuse(call, seccomp.equals(1, command))
    # A limit of processor time ends a process, too.
    filter_.refuse("prlimit64", seccomp.differs(0, 0))
    filter_.load()


def _families(needs: Needs) -> set[int]:
    """The families of sockets that may be opened: not AF_UNIX as root, as it leads to root's services."""
    families = {int(socket.AF_NETLINK)}
    if os.geteuid() != 0:
        families.add(socket.AF_UNIX)
    return families if needs.ports is None else families | {int(socket.AF_INET), int(socket.AF_INET6)}
