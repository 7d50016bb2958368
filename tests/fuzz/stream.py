"""Lines of the stream, as another host or a file has them: lines to snapshots, and back."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

import numpy as np

from tcptop_rtt.feeds.stream.decoder import StreamDecoder
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.streamed import CONNECTION_COLUMNS, LISTENER_COLUMNS, TARGET_COLUMNS
from tests.escapes import check_text
from tests.unit.recorded import lines_of, stream_of
from tests.unit.world import ORIGIN, World, told

MOST_LINES = 200
_EVENTS = (
    "header",
    "open",
    "sample",
    "close",
    "column",
    "state",
    "listener",
    "target",
    "waiting",
    "refresh",
    "end",
)
_TABLES = (CONNECTION_COLUMNS, LISTENER_COLUMNS, TARGET_COLUMNS)
WORDS = (
    *(f'"event":"{event}"' for event in _EVENTS),
    *(f'"{field.name}":' for kind in _TABLES for field in kind.fields),
    *('"table":"cells"', '"ids":[1]', '"values":[1]', '"gone":[1]', '"health":{}', '"plus":1', '"second":1'),
)  # fmt: skip

STRANGE: tuple[Any, ...] = (
    *(0, 1, -1, 2, 255, 256, 1.5, -0.0, 1e308, (1 << 32) - 1, 1 << 32, 1 << 53, 1 << 63, (1 << 64) - 1),
    *(None, True, False, "", "x", "::1", "127.0.0.1", [], [1], {}),
)
_NAMES = tuple(dict.fromkeys(field.name for kind in _TABLES for field in kind.fields))


def seeds() -> Iterable[bytes]:
    """Streams of a few snapshots, and one that is older than these."""
    for seed in range(3):
        world = World(seed)
        yield b"\n".join(lines_of([world.step() for _ in range(3)]))
    line = {"event": "sample", "time_ns": 5, "id": 1, "laddr": "127.0.0.1", "raddr": "::1", "rtt_hi_us": 7}
    yield b"\n".join(json.dumps({**line, "time_ns": time_ns}).encode() for time_ns in (5, 5, 9))


def check(data: bytes) -> None:
    """Nothing comes out but snapshots and lines of text; written and read again snapshots are the same."""
    problems: list[str] = []
    decoder = StreamDecoder(problems.append)
    found = [decoder.take(line) for line in data.split(b"\n")[:MOST_LINES]]
    snapshots = [one for one in (*found, decoder.finish()) if one is not None]
    for one in snapshots:
        check_whole(one)
    check_text(*problems)
    again = StreamDecoder(problems.append)
    del problems[:]
    written = stream_of(snapshots, decoder.origin or ORIGIN)
    back = [one for one in map(again.take, written.splitlines()) if one is not None]
    assert problems == []
    assert len(back) == len(snapshots)
    for one, other in zip(back, snapshots, strict=True):
        assert told(one) == told(other)


def mutate(data: bytes, most_bytes: int, seed: int) -> bytes:
    """The same lines, of which some say something else: bytes alone seldom leave a line of JSON."""
    chance = random.Random(seed)  # noqa: S311 - what is found can be found again
    lines = data.split(b"\n")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        match chance.randrange(8):
            case 0:
                lines.insert(chance.randrange(len(lines) + 1), lines[at])
            case 1 if len(lines) > 1:
                del lines[at]
            case _:
                lines[at] = _other_line(lines[at], chance)
    return b"\n".join(lines)[:most_bytes]


def _other_line(text: bytes, chance: random.Random) -> bytes:
    try:
        line = json.loads(text)
        name = chance.choice([*line, *_NAMES])
    except (ValueError, TypeError, RecursionError):
        return text
    if not isinstance(line, dict):
        return text
    match line.get(name), chance.randrange(4):
        case _, 0:
            line.pop(name, None)
        case list(values), 1 | 2 if values:
            values[chance.randrange(len(values))] = chance.choice(STRANGE)
        case dict(facts), 1 | 2 if facts:
            facts[chance.choice([*facts])] = chance.choice(STRANGE)
        case int(number), 1 | 2:
            line[name] = number + chance.choice((-1000, -1, 1, 1000, 1 << 32))
        case _:
            line[name] = chance.choice(STRANGE)
    return json.dumps(line).encode()


def check_whole(snapshot: Snapshot) -> None:
    """All columns are of the same rows, and of each there is one."""
    rows = snapshot.rows
    assert {len(rows[name]) for name in ("id", "comm", "laddr", "closed")} == {len(rows)}
    assert {len(cells) for cells in snapshot.cells_us} == {len(rows)}
    for table in (rows, snapshot.listeners, snapshot.targets):
        assert len(np.unique(table["id"])) == len(table["id"])
