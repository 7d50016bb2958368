"""What the kernel's socket does not say about its process: read from /proc, through psutil."""

from __future__ import annotations

from pathlib import Path

import psutil

from tcptop_rtt.snapshot import Process


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
                    cmdline=" ".join(process.cmdline()),
                    user=process.username(),
                    started=process.create_time(),
                    cpu_percent=process.cpu_percent(),
                    rss_bytes=process.memory_info().rss,
                )
        except psutil.Error:
            return None

    def cgroup(self, pid: int) -> str | None:
        """The path of the process in the cgroup v2 hierarchy; None if it is not known."""
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text(errors="replace").splitlines()
        except OSError:
            return None
        return next((line[3:] for line in lines if line.startswith("0::")), None)
