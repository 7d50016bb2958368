"""Facts about processes that a socket in the kernel does not have: read from /proc, partly by psutil."""

from __future__ import annotations

import os
import pwd
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from tcptop_rtt.model.errors import remedy
from tcptop_rtt.model.outside import TEXT_BYTES, name_of, read_bytes, text_of
from tcptop_rtt.model.proc_stat import NS_PER_TICK, STAT_BYTES, ProcStat, stat_of
from tcptop_rtt.model.snapshot import NamedProcess, Process, ProcessKey

if TYPE_CHECKING:
    import psutil

_CGROUP_FILE_BYTES = 1 << 16
"""The file has a line with a path for each hierarchy."""


_STATUS_BYTES = 1 << 16

MOST_PARENTS = 16
"""The number of ancestors that are shown."""

_NAME_WAIT_S = 0.05


def _name(uid: int) -> str:
    return pwd.getpwuid(uid).pw_name


class UserNames:
    """Names of users. Callers hardly wait: the user database may be on another host.

    :param look_up: returns the name of a user; KeyError if there is none; called in a thread of its own
    """

    def __init__(self, look_up: Callable[[int], str] = _name) -> None:
        self._look_up = look_up
        self._names: dict[int, str] = {}
        self._asked: set[int] = set()

    def get(self, uid: int) -> str:
        """The name of a user; empty if there is none, or it is not known yet."""
        if uid not in self._asked:
            asking = threading.Thread(target=self._ask, args=(uid,), name="user-name", daemon=True)
            with suppress(RuntimeError):  # no more threads can be started now
                asking.start()
                self._asked.add(uid)
                asking.join(_NAME_WAIT_S)
        return self._names.get(uid, "")

    def _ask(self, uid: int) -> None:
        try:
            self._names[uid] = name_of(self._look_up(uid))
        except KeyError:
            self._names[uid] = ""


class Processes:
    """Describes processes. The last process is kept, as its CPU use is measured between two descriptions."""

    def __init__(self) -> None:
        self._last: psutil.Process | None = None
        self._proc_is_ours = _proc_is_ours()

    def describe(self, key: ProcessKey) -> Process | None:
        """The process as it is now; None if it has ended, or may not be read."""
        try:
            return self._described(key.pid) if self._is_there(key) else None
        except OSError:
            return None

    def _described(self, pid: int) -> Process | None:
        import psutil  # it would take 9 ms of the start, and the table needs nothing of it

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
        except psutil.Error:
            return None

    def parents(self, key: ProcessKey) -> tuple[NamedProcess, ...]:
        """The parent process, its parent and so on, up to init; empty if not known."""
        found: list[NamedProcess] = []
        pid = key.pid
        try:
            for _ in range(MOST_PARENTS + 1):
                stat = _stat(pid)
                found.append(NamedProcess(pid, stat.comm))
                pid = stat.parent
                if not pid:
                    break
        except OSError:  # one of the processes has ended meanwhile
            return ()
        return tuple(found[1:]) if self._is_there(key) else ()

    def cgroup(self, key: ProcessKey) -> str | None:
        """The path of the process's cgroup; None if not known.

        :raises OSError: no descriptor or memory is left for reading it now
        """
        try:
            raw = read_bytes(f"/proc/{key.pid}/cgroup", _CGROUP_FILE_BYTES)
        except OSError as error:
            if remedy(error):
                raise
            return None
        # Checked after reading: the file could have been that of a new process with the same PID.
        return cgroup_path(raw) if self._is_there(key) else None

    def is_gone(self, key: ProcessKey) -> bool:
        """Whether the process has certainly ended: false, too, where /proc may hide it."""
        # With the mount option hidepid, /proc shows an ordinary user no process of another one, as init.
        if not self._proc_is_ours or not os.path.exists("/proc/1"):
            return False
        try:
            stat = _stat(key.pid)
            return stat.is_left or not _is_of(stat, key)
        except (FileNotFoundError, ProcessLookupError):
            return True
        except OSError:
            return False

    def _is_there(self, key: ProcessKey) -> bool:
        return self._proc_is_ours and _is_still(key)


def _proc_is_ours() -> bool:
    """Whether /proc shows the PIDs of our own PID namespace; of an outer one, NSpid lists several PIDs."""
    try:
        status = read_bytes("/proc/self/status", _STATUS_BYTES)
    except OSError:
        return False
    return any(line.startswith(b"NSpid:") and len(line.split()) == 2 for line in status.split(b"\n"))


def _is_still(key: ProcessKey) -> bool:
    """Whether the PID still belongs to that process, and not to a newer one."""
    try:
        return _is_of(_stat(key.pid), key)
    except OSError:
        return False


def _is_of(stat: ProcStat, key: ProcessKey) -> bool:
    return stat.started_ns // NS_PER_TICK == key.started_ns // NS_PER_TICK


def _stat(pid: int) -> ProcStat:
    return stat_of(read_bytes(f"/proc/{pid}/stat", STAT_BYTES))


def _command_line(pid: int) -> str:
    """The arguments separated by spaces, cut to TEXT_BYTES: they may be megabytes."""
    raw = read_bytes(f"/proc/{pid}/cmdline", TEXT_BYTES + 1)
    whole = raw.rstrip(b"\0") if len(raw) <= TEXT_BYTES else raw
    return text_of(whole.replace(b"\0", b" "))


def cgroup_path(raw: bytes) -> str | None:
    """The control group in a ``cgroup`` file of /proc, which has a line for each hierarchy (cgroups(7)).

    The unified hierarchy (v2) comes first, then systemd's, then the controllers'. A hierarchy in which the
    process is at the root counts only if all are so. A path may contain line separators other than newline.
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
