"""What the kernel's socket does not say about its process: read from /proc, through psutil."""

from __future__ import annotations

import pwd
import threading
from collections.abc import Callable

import psutil

from tcptop_rtt.model.outside import TEXT_BYTES, name_of, read_bytes, text_of
from tcptop_rtt.model.proc_stat import NS_PER_TICK, STAT_BYTES, ProcStat, stat_of
from tcptop_rtt.model.snapshot import Owner, Process, ProcessKey

_CGROUP_FILE_BYTES = 1 << 16
"""A line for each hierarchy, each with a path."""


_STATUS_BYTES = 1 << 16

MOST_PARENTS = 16
"""So many generations are told of."""

_NAME_WAIT_S = 0.05


def _name(uid: int) -> str:
    return pwd.getpwuid(uid).pw_name


class UserNames:
    """Names of users, whose data base may be a network away: who asks does not wait for it.

    :param look_up: the name of a user; KeyError if there is none; called in a thread of its own
    """

    def __init__(self, look_up: Callable[[int], str] = _name) -> None:
        self._look_up = look_up
        self._names: dict[int, str] = {}
        self._asked: set[int] = set()

    def get(self, uid: int) -> str:
        """Empty if there is none, or as long as it is not known yet."""
        if uid not in self._asked:
            self._asked.add(uid)
            asking = threading.Thread(target=self._ask, args=(uid,), name="user-name", daemon=True)
            asking.start()
            asking.join(_NAME_WAIT_S)
        return self._names.get(uid, "")

    def _ask(self, uid: int) -> None:
        try:
            self._names[uid] = name_of(self._look_up(uid))
        except KeyError:
            self._names[uid] = ""


class Processes:
    """Descriptions of processes; keeps the last one, so that its CPU use is that between two looks."""

    def __init__(self) -> None:
        self._last: psutil.Process | None = None
        self._proc_is_ours = _proc_is_ours()

    def describe(self, key: ProcessKey) -> Process | None:
        """The process as it is now; None if it is there no more, or may not be looked at."""
        pid = key.pid
        if not self._is_there(key):
            return None
        try:
            if self._last is None or self._last.pid != pid or not self._last.is_running():
                self._last = psutil.Process(pid)
            process = self._last
            with process.oneshot():
                return Process(
                    pid=pid,
                    cmdline=_command_line(pid),
                    started=process.create_time(),
                    cpu_percent=process.cpu_percent(),
                    rss_bytes=process.memory_info().rss,
                )
        except (psutil.Error, OSError):
            return None

    def parents(self, key: ProcessKey) -> tuple[Owner, ...]:
        """Its parent, the parent of that, and so on, up to init; empty if they are not known."""
        found: list[Owner] = []
        pid = key.pid
        try:
            for _ in range(MOST_PARENTS + 1):
                stat = _stat(pid)
                found.append(Owner(pid, stat.comm))
                pid = stat.parent
                if not pid:
                    break
        except OSError:  # one of them has ended meanwhile
            return ()
        return tuple(found[1:]) if self._is_there(key) else ()

    def cgroup(self, key: ProcessKey) -> str | None:
        """The path of the process's cgroup; None if it is not known."""
        try:
            raw = read_bytes(f"/proc/{key.pid}/cgroup", _CGROUP_FILE_BYTES)
        except OSError:
            return None
        # Asked after the file was read: a process that has the PID since would have shown its own.
        return cgroup_path(raw) if self._is_there(key) else None

    def _is_there(self, key: ProcessKey) -> bool:
        return self._proc_is_ours and _is_still(key)


def _proc_is_ours() -> bool:
    """Whether /proc counts as our PID namespace does: by an outer one's we have more numbers than one."""
    try:
        status = read_bytes("/proc/self/status", _STATUS_BYTES)
    except OSError:
        return False
    return any(line.startswith(b"NSpid:") and len(line.split()) == 2 for line in status.split(b"\n"))


def _is_still(key: ProcessKey) -> bool:
    """Whether the PID is that process's: it may be another's by now."""
    try:
        return _stat(key.pid).started_ns // NS_PER_TICK == key.started_ns // NS_PER_TICK
    except OSError:
        return False


def _stat(pid: int) -> ProcStat:
    return stat_of(read_bytes(f"/proc/{pid}/stat", STAT_BYTES))


def _command_line(pid: int) -> str:
    """Its arguments with spaces between, or the beginning of them: they may be megabytes."""
    raw = read_bytes(f"/proc/{pid}/cmdline", TEXT_BYTES + 1)
    whole = raw.rstrip(b"\0") if len(raw) <= TEXT_BYTES else raw
    return text_of(whole.replace(b"\0", b" "))


def cgroup_path(raw: bytes) -> str | None:
    """Where a process is, by its ``cgroup`` file, which has a line for each hierarchy (cgroups(7)).

    The unified hierarchy (v2) comes first, then systemd's, then the controllers': where there are several,
    a process is at the root of those that nobody uses. Other ends of lines than newlines may be in a path.
    """
    paths: dict[bytes, bytes] = {}
    for line in raw.split(b"\n"):
        number, _, rest = line.partition(b":")
        controllers, separator, path = rest.partition(b":")
        if separator and number.isdigit():
            paths[controllers] = path
    found = [paths.pop(name) for name in (b"", b"name=systemd") if name in paths] + list(paths.values())
    used = [path for path in found if path != b"/"]
    return text_of((used or found)[0]) if found else None
