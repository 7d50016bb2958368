"""What connections may have in common: for each kind its values, their descriptions, and a filter for one.

The route is missing, as a socket does not report it. Our address and the interface that a socket is bound to
come nearest to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import hosts, known
from tcptop_rtt.model.mixing import mixed
from tcptop_rtt.model.rows import DIRECTIONS, Get, Holder, Mask
from tcptop_rtt.view import addresses
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import Glyphs

One = Callable[[str], Any]
"""Returns the value of a field of one row."""

AGES = ((10, "10s"), (60, "1m"), (600, "10m"), (3600, "1h"))
"""Where the classes of ages end, in seconds and as filters write it."""


class Said(NamedTuple):
    """A value that connections share, in words."""

    does: str
    """What the connections do: "go to 10.0.0.0/8"."""
    do: str
    """The verb that stands for ``does`` in "4% of all do"."""
    filter: str
    """The filter that selects the connections with this value; empty if no filter can."""


class Level(NamedTuple):
    """One way to divide connections by a value.

    :param name: is unique among the levels
    :param values: returns a number per row, equal for rows with the same value
    :param has: returns which rows have a value
    :param known: returns of which rows it is known whether they have a value; it includes all rows with one
    :param say: puts the value of a row into words
    """

    name: str
    values: Callable[[Get], NDArray[np.uint64]]
    has: Callable[[Get, frozenset[str]], Mask]
    known: Callable[[Get, frozenset[str]], Mask]
    say: Callable[[One, Glyphs], Said]


Facet = tuple[Level, ...]
"""Levels of the same kind, each of which divides the values of the one before it."""


def _all(get: Get, _: frozenset[str]) -> Mask:
    return np.ones(len(get("id")), bool)


def _number(name: str) -> Callable[[Get], NDArray[np.uint64]]:
    return lambda get: get(name).astype(np.uint64)


def _text(name: str) -> Callable[[Get], NDArray[np.uint64]]:
    return lambda get: mixed([get(name)])


def _quoted(text: str) -> str:
    """Returns a text as a filter takes it; empty if a filter cannot contain it."""
    if '"' in text:
        return ""
    return text if re.fullmatch(r"[\w.@:/+-]+", text, re.ASCII) else f'"{text}"'


def _equals(word: str, raw: bytes) -> str:
    text = _quoted(fmt.printable(raw))
    return text and f"{word}={text}"


def _network(side: str, family: int, bits: int) -> Level:
    """Returns the level of networks of one size.

    :param side: ``raddr`` or ``laddr``
    :param bits: length of the prefix
    """
    whole = 32 if family == 4 else 128
    mask = (1 << whole) - (1 << whole - bits)

    def values(get: Get) -> NDArray[np.uint64]:
        words = np.ascontiguousarray(get(side)).view(">u8").reshape(-1, 2)
        if family == 4:
            return (words[:, 1].astype(np.uint32) >> np.uint32(32 - bits)).astype(np.uint64)
        high = words[:, 0].astype(np.uint64)
        return high >> np.uint64(64 - bits) if bits <= 64 else mixed([high, words[:, 1]])

    def say(one: One, _: Glyphs) -> Said:
        number = int.from_bytes(one(side).tobytes(), "big") & mask
        text = addresses.address(family, number.to_bytes(16, "big")) + (f"/{bits}" if bits < whole else "")
        if side == "raddr":
            return Said(f"go to {text}", "do", f"remote:{text}")
        return Said(f"use our address {text}", "do", f"laddr:{text}")

    def has(get: Get, _: frozenset[str]) -> Mask:
        found: Mask = get("family") == family
        return found

    return Level(f"{side} /{bits} of IPv{family}", values, has, _all, say)


def _port(name: str, whose: str) -> Level:
    def say(one: One, _: Glyphs) -> Said:
        port = int(one(name))
        return Said(f"have the {whose} port {port}", "do", f"{name}:{port}")

    return Level(name, _number(name), lambda get, _: get(name) > 0, _all, say)


def _no_process(get: Get) -> Mask:
    """Returns which rows certainly have no process."""
    found: Mask = (get("holder") == Holder.NOBODY) | (get("holder") == Holder.KERNEL)
    return found


def _say_process(one: One, glyphs: Glyphs) -> Said:
    return Said(f"belong to {fmt.printable(one('comm'), glyphs)}", "do", _equals("proc", one("comm")))


def _say_pid(one: One, glyphs: Glyphs) -> Said:
    name, pid = fmt.printable(one("comm"), glyphs) or fmt.UNKNOWN, int(one("pid"))
    return Said(f"belong to {name} {pid}", "do", f"pid:{pid}")


_PROCESS = (
    Level(
        "process",
        _text("comm"),
        lambda get, _: get("comm") != b"",
        lambda get, _: (get("comm") != b"") | _no_process(get),
        _say_process,
    ),
    Level(
        "pid",
        _number("pid"),
        lambda get, _: get("pid") > 0,
        lambda get, _: (get("pid") > 0) | _no_process(get),
        _say_pid,
    ),
)


def _say_unit(one: One, glyphs: Glyphs) -> Said:
    return Said(f"run in {fmt.printable(one('unit'), glyphs)}", "do", _equals("unit", one("unit")))


def _say_host(one: One, glyphs: Glyphs) -> Said:
    name = hosts.name_of(int(one("host")))
    return Said(f"are of {fmt.printable(name, glyphs)}", "are", _equals("host", name))


def _say_interface(one: One, glyphs: Glyphs) -> Said:
    raw = one("interface")
    return Said(f"are bound to {fmt.printable(raw, glyphs)}", "are", _equals("interface", raw))


def _say_congestion(one: One, glyphs: Glyphs) -> Said:
    raw = one("congestion_control")
    return Said(f"use {fmt.printable(raw, glyphs)}", "do", _equals("cc", raw))


def _congestion_known(get: Get, lacking: frozenset[str]) -> Mask:
    found: Mask = ~known.is_unknown(get, "congestion_control", lacking) & (get("congestion_control") != b"")
    return found


def _age_classes(get: Get) -> NDArray[np.uint64]:
    """Returns the class of each row's age; rows older than the program, of unknown age, are one class."""
    ends_ns = [end_s * 1_000_000_000 for end_s, _ in AGES]
    classes = np.searchsorted(ends_ns, get("age_ns"), "right")
    return np.where(get("open_seen"), classes, len(AGES) + 1).astype(np.uint64)


def _say_age(one: One, _: Glyphs) -> Said:
    if not one("open_seen"):
        return Said("were there before tcptop-rtt was started", "were", "open_seen:no")
    age_s = int(one("age_ns")) // 1_000_000_000
    below = next((text for end_s, text in AGES if age_s < end_s), "")
    above = next((text for end_s, text in reversed(AGES) if age_s >= end_s), "")
    asked = " ".join(filter(None, (above and f"age>={above}", below and f"age<{below}")))
    if not below:
        return Said(f"are older than {above}", "are", f"open_seen:yes {asked}")
    if not above:
        return Said(f"were opened in the last {below}", "were", f"open_seen:yes {asked}")
    return Said(f"are {above} to {below} old", "are", f"open_seen:yes {asked}")


def _direction_known(get: Get, _: frozenset[str]) -> Mask:
    found: Mask = (get("direction") > 0) & (get("direction") < len(DIRECTIONS))
    return found


def _say_direction(one: One, _: Glyphs) -> Said:
    direction = DIRECTIONS[int(one("direction"))]
    who = "from here" if direction == "out" else "by the peer"
    return Said(f"were opened {who}", "were", f"dir:{direction}")


def _family_known(get: Get, _: frozenset[str]) -> Mask:
    found: Mask = get("family") > 0
    return found


def _say_family(one: One, _: Glyphs) -> Said:
    family = int(one("family"))
    return Said(f"are IPv{family}", "are", f"family:{family}")


FACETS: tuple[Facet, ...] = (
    (Level("host", _number("host"), lambda get, _: get("host") > 0, _all, _say_host),),
    tuple(_network("raddr", 4, bits) for bits in (8, 16, 24, 32)),
    tuple(_network("raddr", 6, bits) for bits in (48, 64, 128)),
    (_port("rport", "remote"),),
    (_port("lport", "local"),),
    _PROCESS,
    (
        Level(
            "unit",
            _text("unit"),
            lambda get, _: get("unit") != b"",
            lambda get, _: (get("unit") != b"") | (get("comm") != b"") | _no_process(get),
            _say_unit,
        ),
    ),
    (_network("laddr", 4, 32),),
    (_network("laddr", 6, 128),),
    (
        Level(
            "interface",
            _text("interface"),
            lambda get, _: get("interface") != b"",
            _all,
            _say_interface,
        ),
    ),
    (
        Level(
            "congestion control",
            _text("congestion_control"),
            _congestion_known,
            _congestion_known,
            _say_congestion,
        ),
    ),
    (Level("age", _age_classes, _all, _all, _say_age),),
    (Level("direction", _number("direction"), _direction_known, _direction_known, _say_direction),),
    (Level("family", _number("family"), _family_known, _family_known, _say_family),),
)
