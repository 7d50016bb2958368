"""Control groups that exist for a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def in_cgroup(name: str, pid: int) -> Iterator[None]:
    """Have a process in a control group of this name, which no other test has, nor another run of it."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    roots = [place for _, place, kind, *_ in mounts if kind == "cgroup2"]
    root = next(iter(roots or [place for _, place, kind, *_ in mounts if kind == "cgroup"]))
    group = Path(root, name)
    group.mkdir(exist_ok=True)  # one that was killed leaves it
    try:
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        Path(root, "cgroup.procs").write_text(str(pid))
        group.rmdir()
