"""What a process has in the kernel of BPF, and what stays there."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from pathlib import Path


def kernel_objects(pid: int) -> set[tuple[str, int]]:
    """The programs, maps and links that a process holds."""
    found = set()
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found |= {
                (kind, int(number))
                for kind, number in re.findall(
                    r"^(prog|map|link)_id:\s*(\d+)$", path.read_text(), re.MULTILINE
                )
            }
    return found


def remaining(objects: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those of them that the kernel has still; it uses no number twice for a long time."""
    library = ctypes.CDLL("libbcc.so.0")  # libbpf is inside
    left = set()
    for kind, number in objects:
        fd = getattr(library, f"bpf_{kind}_get_fd_by_id")(number)
        if fd >= 0:
            os.close(fd)
            left.add((kind, number))
    return left
