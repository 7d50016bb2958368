"""What the loader is asked for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from tcptop_rtt.sources.limits import Limits

READS: tuple[tuple[str, ...], ...] = (), ("-DCHECKED_READS",)
"""Compiler flags, tried in turn: older kernels refuse plain loads of all that we read, 5.11 was the first to
take them."""


@dataclass(frozen=True)
class Request:
    """A program, and where it runs."""

    hook: str = "auto"
    """``auto``, or the one to force: ``fentry`` or ``tcp_probe``."""
    follow: bool = False
    """Whether it marks the connections of processes that descend from the one that reads its scans."""
    limits: Limits = field(default_factory=Limits)
    reads: tuple[tuple[str, ...], ...] = READS
    """Compiler flags to try in turn, until the kernel takes the program."""
    lists_sockets: bool = True
    """Whether the kernel's sockets are listed besides descriptors, where the kernel can do that."""

    def to_text(self) -> str:
        """As an argument of a command."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Request:
        """What :meth:`to_text` has made."""
        fields: dict[str, Any] = json.loads(text)
        limits = Limits(**fields.pop("limits"))
        reads = tuple(tuple(flags) for flags in fields.pop("reads"))
        return cls(limits=limits, reads=reads, **fields)
