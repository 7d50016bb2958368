"""The request to the loader."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from tcptop_rtt.sources.limits import Limits

READS: tuple[tuple[str, ...], ...] = (), ("-DCHECKED_READS",)
"""Compiler flags, tried in turn: kernels before Linux 5.11 refuse plain loads of some of the fields, and need
checked reads."""


@dataclass(frozen=True)
class Request:
    """Which program to load, and where it runs."""

    hook: str = "auto"
    """``auto``, or the hook to force: ``fentry`` or ``tcp_probe``."""
    follow: bool = False
    """Whether the program marks the connections of all descendants of the process that reads its scans."""
    limits: Limits = field(default_factory=Limits)
    reads: tuple[tuple[str, ...], ...] = READS
    """Compiler flags to try in turn, until the kernel takes the program."""
    lists_sockets: bool = True
    """Whether scans list sockets besides descriptors, where the kernel supports that."""

    def to_text(self) -> str:
        """The request as a command-line argument."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Request:
        """The request that :meth:`to_text` has made text of."""
        fields: dict[str, Any] = json.loads(text)
        limits = Limits(**fields.pop("limits"))
        reads = tuple(tuple(flags) for flags in fields.pop("reads"))
        return cls(limits=limits, reads=reads, **fields)
