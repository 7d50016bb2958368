"""The text that is compiled."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[2]
_PARTS = (
    *("bpf/abi.h", "bpf/sock_read.h", "bpf/rtt_read.h", "bpf/task_read.h", "bpf/details.h", "bpf/waits.h"),
    *("bpf/maps.h", "bpf/records.h", "bpf/conn.h", "bpf/changes.h", "bpf/samples.h", "bpf/entries.h"),
    "probe.bpf.c",
)
"""The files of the program, in the order in which the compiler reads them."""

STAND_INS = _PACKAGE / "bpf/stand_ins"
"""The headers that stand in for the few kernel headers that bcc includes by itself."""


def program_text() -> bytes:
    """All parts as one text, because bcc does not rewrite the use of maps in included files.

    The compiler's messages name the part.
    """
    parts = (f'#line 1 "{part}"\n'.encode() + (_PACKAGE / part).read_bytes() for part in _PARTS)
    return b"".join(parts)
