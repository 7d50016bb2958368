"""Metrics as Prometheus scrapes them: names of processes to labels, and these read again."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tcptop_rtt.outputs.prometheus.exposition import text_of
from tcptop_rtt.view import format as fmt
from tests.corpus import raw
from tests.escapes import check_text
from tests.unit.counted import Counted, out
from tests.unit.exposed import parsed

WORDS: tuple[str, ...] = ()
_NAME_BYTES = 16
MOST_NAMES = 8


def seeds() -> Iterable[bytes]:
    """Names, hostile ones among them."""
    yield rb"back\nslash".ljust(_NAME_BYTES, b"\0")
    yield b"nginx".ljust(_NAME_BYTES, b"\0") + b'a"b\\c\n{}%s,='.ljust(_NAME_BYTES, b"\0")
    yield b"".join(text[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0") for text in raw().values())


def check(data: bytes) -> None:
    """Each name that is shown in one way has its series, once, and lines are text."""
    names = [data[at : at + _NAME_BYTES].rstrip(b"\0") for at in range(0, len(data), _NAME_BYTES)][
        :MOST_NAMES
    ]
    text = text_of(Counted().take(*(out(number, comm=name) for number, name in enumerate(names, 1))))
    lines = text.split("\n")
    check_text(*lines)
    series = [one for one in parsed(text) if one.name == "tcptop_connections"]
    shown = {_unescaped(one.labels["process"]): one.value for one in series if one.value}
    wanted: dict[str, int] = {}
    for name in names:
        word = fmt.printable(name) or fmt.UNKNOWN
        wanted[word] = wanted.get(word, 0) + 1
    assert shown == wanted


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)
