"""What the kernel's socket does not say about its process: read from /proc, through psutil."""

from __future__ import annotations

import psutil

from tcptop_rtt.outside import TEXT_BYTES, name_of, read_bytes, text_of
from tcptop_rtt.snapshot import Process

_CGROUP_FILE_BYTES = 1 << 16
"""A line for each hierarchy, each with a path."""


class Processes:
    """Descriptions of processes; keeps the last one, so that its CPU use is that between two looks."""

    def __init__(self) -> None:
        self._last: psutil.Process | None = None

    def describe(self, pid: int) -> Process | None:
        """The process as it is now; None if there is none, or it may not be looked at."""
        if not pid:
            return None
        try:
            if self._last is None or self._last.pid != pid or not self._last.is_running():
                self._last = psutil.Process(pid)
            process = self._last
            with process.oneshot():
                return Process(
                    pid=pid,
                    cmdline=_command_line(pid),
                    user=name_of(process.username()),
                    started=process.create_time(),
                    cpu_percent=process.cpu_percent(),
                    rss_bytes=process.memory_info().rss,
                )
        except (psutil.Error, OSError):
            return None

    def cgroup(self, pid: int) -> str | None:
        """The path of the process in the cgroup v2 hierarchy; None if it is not known."""
        try:
            raw = read_bytes(f"/proc/{pid}/cgroup", _CGROUP_FILE_BYTES)
        except OSError:
            return None
        return _unified_path(raw)


def _command_line(pid: int) -> str:
    """Its arguments with spaces between, or the beginning of them: they may be megabytes."""
    raw = read_bytes(f"/proc/{pid}/cmdline", TEXT_BYTES + 1)
    whole = raw.rstrip(b"\0") if len(raw) <= TEXT_BYTES else raw
    return text_of(whole.replace(b"\0", b" "))


def _unified_path(raw: bytes) -> str | None:
    """The path in the v2 hierarchy, by a process's ``cgroup`` file; other ends of lines may be in a path."""
    return next((text_of(line[3:]) for line in raw.split(b"\n") if line.startswith(b"0::")), None)
