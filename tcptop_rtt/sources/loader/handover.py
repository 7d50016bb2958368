"""The messages of the loader to the process that has started it. The last one brings descriptors.

The socket is of type SOCK_SEQPACKET, so that each message arrives whole.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

from tcptop_rtt.helper import received

_MOST_BYTES, _MOST_DESCRIPTORS = 1 << 16, 32
_HANDED_OVER = ("records", "last_entries", "controls", "connections")
"""The maps that are read outside the kernel."""


@dataclass(frozen=True)
class Stage:
    """What takes long at this moment."""

    text: str


@dataclass(frozen=True)
class Refused:
    """The program was not loaded; one line says why."""

    problem: str


@dataclass(frozen=True)
class Handover:
    """The program, which runs in the kernel as long as these descriptors are open."""

    hook: str
    hook_note: str
    """Why the first choice of hook was refused; empty if it was not."""
    lacking: frozenset[str]
    """The fields of a row that this kernel does not have."""
    maps: dict[str, int]
    """Descriptors of maps, by name; only those that are read outside the kernel are handed over."""
    links: dict[str, int]
    """Descriptors of links, by the names of the programs that they attach."""
    programs: dict[str, int]
    """Descriptors of programs, by name."""


def send(channel: socket.socket, message: Stage | Refused | Handover) -> None:
    """Send a message; with a hand-over also its descriptors."""
    if not isinstance(message, Handover):
        channel.send(json.dumps({type(message).__name__: vars(message)}).encode())
        return
    maps = {name: descriptor for name, descriptor in message.maps.items() if name in _HANDED_OVER}
    fields = {
        "hook": message.hook,
        "hook_note": message.hook_note,
        "lacking": sorted(message.lacking),
        "maps": list(maps),
        "links": list(message.links),
        "programs": list(message.programs),
    }
    text = json.dumps({"Handover": fields}).encode()
    socket.send_fds(channel, [text], [*maps.values(), *message.links.values(), *message.programs.values()])


def receive(channel: socket.socket) -> Stage | Refused | Handover | None:
    """Receive the next message; None if the loader has ended.

    :raises OSError: no descriptor is free for those that the message brings
    """
    text, descriptors = received(channel, _MOST_BYTES, _MOST_DESCRIPTORS)
    if not text:
        return None
    ((kind, fields),) = json.loads(text).items()
    if kind == "Handover":
        return _handed_over(fields, descriptors)
    return Refused(**fields) if kind == "Refused" else Stage(**fields)


def _handed_over(fields: dict[str, Any], descriptors: list[int]) -> Handover:
    lacking = frozenset(fields.pop("lacking"))
    rest = iter(descriptors)
    kinds: Any = {
        kind: dict(zip(fields.pop(kind), rest, strict=False)) for kind in ("maps", "links", "programs")
    }
    return Handover(lacking=lacking, **kinds, **fields)
