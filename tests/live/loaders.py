"""The process that loads the BPF program for another one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.live.program import START_S, children
from tests.waiting import becomes


def stopped_loader(pid: int) -> int:
    """That of a program which finds no compiled code: stopped while the compiler is at work."""
    assert becomes(lambda: any(map(_compiles, children(pid))), START_S)
    (loader,) = filter(_compiles, children(pid))
    os.kill(loader, signal.SIGSTOP)
    return loader


def _compiles(pid: int) -> bool:
    try:
        return "libbcc" in Path(f"/proc/{pid}/maps").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
