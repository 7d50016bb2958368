"""The stream's events, from snapshots made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from tcptop_rtt.model.rows import ROW, Holder
from tcptop_rtt.model.snapshot import SPARK_CELLS, Health, Snapshot, Waiting
from tcptop_rtt.outputs.json_line import Line, encoded, pieces
from tcptop_rtt.outputs.jsonl import JsonLines
from tcptop_rtt.outputs.schema import schema
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter
from tests.unit.rows import listener, listeners_of, row, rows_of

HEALTH = Health("test", "", 0.0, 0, 0.0)


@pytest.mark.parametrize("text", ["a", "→ :5432", "\U0001f600", "a\n\x1b", "not \udcff text"])
def test_a_line_is_in_ascii_whatever_it_says(text: str) -> None:
    line = encoded({"file": text, "value": None, "numbers": [1, 2.5]})
    assert line.isascii()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"file": text, "value": None, "numbers": [1, 2.5]}


def test_pieces_are_the_same_lines_whatever_one_of_them_says() -> None:
    lines: list[Line] = [{"number": number} for number in range(1000)]
    assert b"".join(pieces(lines)) == b"".join(map(encoded, lines))
    lines[3:5] = {"file": "not \udcff text"}, {"file": "é\x7f"}
    made = list(pieces(iter(lines)))
    assert 1 < len(made) < 100
    assert all(piece.endswith(b"\n") for piece in made)
    assert b"".join(made) == b"".join(map(encoded, lines))


class Stream:
    """A stream into a file, and what it tells of a connection."""

    def __init__(self, path: Path, fd: int, chosen: Filter) -> None:
        self._path = path
        self._output = JsonLines(Writer(fd, lambda: False), chosen, lambda _: None)

    def show(
        self,
        *rows: dict[str, Any],
        waiting: tuple[Waiting, ...] = (),
        listeners: tuple[dict[str, Any], ...] = (),
    ) -> None:
        there, cells = listeners_of(*listeners), (np.full(len(rows), np.nan, np.float32),) * SPARK_CELLS
        self._output.show(Snapshot(1, 1, rows_of(*rows), cells, HEALTH, None, waiting, listeners=there))

    def all(self, *events: str) -> list[dict[str, Any]]:
        lines = map(json.loads, self._path.read_text().splitlines())
        return [line for line in lines if line["event"] in events]

    def lines(self, connection: int) -> list[dict[str, Any]]:
        return [line for line in self.all("open", "sample", "close") if line["id"] == connection]

    def events(self, connection: int) -> list[str]:
        return [line["event"] for line in self.lines(connection)]


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Callable[[Filter], Stream]]:
    with ExitStack() as stack:

        def start(chosen: Filter) -> Stream:
            path = tmp_path / "stream"
            return Stream(path, stack.enter_context(path.open("wb")).fileno(), chosen)

        yield start


def test_a_connection_that_vanishes_is_closed_once_with_its_last_counters(
    stream: Callable[[Filter], Stream],
) -> None:
    told = stream(Filter())
    told.show(row(5, bytes_acked=7, rtt_samples=3, rtt_lo_us=1, rtt_hi_us=2), row(6))
    told.show(row(6))
    told.show(row(6))
    assert told.events(5) == ["open", "sample", "close"]
    last = told.lines(5)[-1]
    assert (last["bytes_acked"], last["state"], last["rtt_samples"]) == (7, "CLOSED", 0)
    assert told.events(6) == ["open"]


def test_there_is_a_line_when_a_connection_waits_too_long_though_nothing_else_has_changed(
    stream: Callable[[Filter], Stream],
) -> None:
    told = stream(Filter())
    for age_ns in (500_000_000, 900_000_000, 1_000_000_000, 9_000_000_000):
        told.show(row(5, holder=Holder.LISTENER, age_ns=age_ns))
    assert [(line["event"], line["why"]) for line in told.lines(5)] == [("open", None), ("sample", "backlog")]


def test_a_connection_that_closes_before_it_vanishes_is_closed_once(
    stream: Callable[[Filter], Stream],
) -> None:
    told = stream(Filter())
    for rows in ([row(5)], [row(5, closed=True, state=7)], [row(5, closed=True, state=7)], [], []):
        told.show(*rows)
    assert told.events(5) == ["open", "close"]


def test_what_is_not_known_is_null_not_a_made_up_value(stream: Callable[[Filter], Stream]) -> None:
    told = stream(Filter())
    unknown = {"srtt_us": 0, "rttvar_us": 250_000, "rtt_age_ms": 0xFFFFFFFF, "ssthresh": 0x7FFFFFFF}
    scans = {"rcv_rtt_us": 48_000, "rto_us": 200_000}
    told.show(
        row(1, **unknown, **scans, scanned=False, lport=0),
        row(2, rttvar_us=7, rtt_age_ms=31, ssthresh=10, retrans=0, **scans),
    )
    names = ("srtt_us", "rttvar_us", "rtt_age_ms", "ssthresh", "rcv_rtt_us", "rto_us", "lport", "retrans")
    first, second = (told.lines(number)[0] for number in (1, 2))
    assert [first[name] for name in names] == [None] * 7 + [0]
    assert [second[name] for name in names] == [2000, 7, 31, 10, 48_000, 200_000, 40002, 0]


def test_a_connection_that_is_handed_to_another_process_is_followed_to_its_close(
    stream: Callable[[Filter], Stream],
) -> None:
    told = stream(Filter(pid=1000))
    told.show(row(5, pid=1000), row(6, pid=2000))
    told.show(row(5, pid=2000, bytes_acked=9), row(6, pid=2000, bytes_acked=9))
    told.show(row(5, pid=2000, closed=True, state=7), row(6, pid=2000, closed=True, state=7))
    assert told.events(5) == ["open", "sample", "close"]
    assert [line["pid"] for line in told.lines(5)] == [1000, 2000, 2000]
    assert told.events(6) == []


def test_an_interface_has_its_name_or_else_its_number(stream: Callable[[Filter], Stream]) -> None:
    told = stream(Filter())
    told.show(row(5, ifindex=2, interface=b"eth0"), row(6, ifindex=3), row(7))
    assert [told.lines(id_)[0]["interface"] for id_ in (5, 6, 7)] == ["eth0", "3", None]


def test_what_waits_is_told_per_namespace_when_it_changes_and_not_beside_a_filter(
    stream: Callable[[Filter], Stream],
) -> None:
    told = stream(Filter())
    for waiting in ((Waiting(7, 0, 0),), (Waiting(7, 3, 1),), (Waiting(7, 3, 1), Waiting(8, 1, 0))):
        told.show(waiting=waiting)
    assert [(line["netns"], line["time_wait"], line["syn_recv"]) for line in told.all("waiting")] == [
        (7, 3, 1),
        (8, 1, 0),
    ]
    told = stream(Filter(lport=1))
    told.show(waiting=(Waiting(7, 3, 1),))
    assert told.all("waiting") == []


def test_a_listener_has_a_line_when_it_comes_when_it_changes_and_when_it_goes(
    stream: Callable[[Filter], Stream],
) -> None:
    told = stream(Filter())
    first, second = listener(1), listener(2, queue=3)
    told.show(listeners=(second, first))
    told.show(listeners=(second | {"read_ms": 900}, first))
    told.show(listeners=(second | {"drops": 7}, first))
    told.show(listeners=(first, listener(3)))
    told.show()
    lines = told.all("listener")
    assert [(line["listener"], line["closed"], line["queue"], line["drops"]) for line in lines] == [
        (1, False, 0, 0),
        (2, False, 3, 0),
        (2, False, 3, 7),
        (3, False, 0, 0),
        (2, True, 3, 7),
        (1, True, 0, 0),
        (3, True, 0, 0),
    ]
    for line in lines:
        Draft202012Validator(schema()).validate(line)


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        (Filter(lport=8002), [2]),
        (Filter(pid=2001), [1]),
        (Filter(text="server2"), [2]),
        (Filter(text="state:listen port:8001"), [1]),
        (Filter(rport=443), []),
        (Filter(text="rtt>1ms"), []),
    ],
)
def test_options_choose_listeners_by_what_they_have(
    stream: Callable[[Filter], Stream], chosen: Filter, ids: list[int]
) -> None:
    told = stream(chosen)
    told.show(listeners=(listener(1), listener(2)))
    assert [line["listener"] for line in told.all("listener")] == ids


def test_an_orphan_has_no_process_but_one_that_had_it(stream: Callable[[Filter], Stream]) -> None:
    told = stream(Filter())
    told.show(row(5, holder=Holder.NOBODY, pid=0, comm=b"", was_pid=9, was_comm=b"gone"))
    (line,) = told.lines(5)
    names = ("pid", "comm", "holder", "was_pid", "was_comm")
    assert tuple(line[name] for name in names) == (None, None, "nobody", 9, "gone")


def test_one_whose_process_has_ended_while_nobody_is_known_to_hold_it_says_who_had_it(
    stream: Callable[[Filter], Stream],
) -> None:
    told = stream(Filter())
    told.show(
        row(1, holder=Holder.UNKNOWN, pid=0, comm=b"", was_pid=9, was_comm=b"sender"),
        row(2, holder=Holder.UNKNOWN, pid=0, comm=b""),
        row(3, holder=Holder.PROCESS, was_pid=9, was_comm=b"sender"),
    )
    names = ("holder", "pid", "was_pid", "was_comm")
    assert [[line[name] for name in names] for line in told.all("open")] == [
        [None, None, 9, "sender"],
        [None, None, None, None],
        ["process", 1003, None, None],
    ]


def test_the_lines_of_three_connections_are_those_of_the_golden_file(
    stream: Callable[[Filter], Stream],
) -> None:
    """One that is scanned and talks, one that only records tell of, an orphan over IPv6 that ends."""
    told = stream(Filter())
    scanned = {
        "srtt_us": 1500,
        "rtt_p50_us": 1400,
        "rtt_p95_us": 1790,
        "cwnd": 10,
        "busy_us": 900,
        "window_ms": 4000,
        "busy_us_1m": 700,
        "segs_in": 9,
    }
    first = row(1, **scanned, rtt_samples=2, rtt_lo_us=1200, rtt_hi_us=1800, rtt_sum_us=3000, out_bps=12.7)
    second = row(2, scanned=False, holder=Holder.PROCESS, open_seen=False)
    third = row(
        3, family=6, laddr="2001:db8::1", raddr="fe80::1", ifindex=2, interface=b"eth0", holder=Holder.NOBODY,
        pid=0, comm=b"", was_pid=9, was_comm="w\u00e4s".encode(), direction=1, notsent_bytes=77,
    )  # fmt: skip
    full = listener(1, queue=4, queue_limit=3, drops=28, drops_per_s=0.5, unit=b"web.service", read_ms=900)
    told.show(first, second, third, waiting=(Waiting(7, 3, 1),), listeners=(full,))
    told.show(
        first | {"rtt_samples": 0}, second | {"bytes_acked": 6000}, third | {"closed": True, "state": 7}
    )
    told.show(second)
    golden = Path(__file__).parent / "golden" / "stream.jsonl"
    assert told.all("open", "sample", "close", "waiting", "listener") == [
        json.loads(line) for line in golden.read_text().splitlines()
    ]


def test_the_schema_in_the_documentation_is_that_of_the_fields_and_the_golden_lines_keep_to_it() -> None:
    root = Path(__file__).parents[2]
    published = json.loads((root / "docs" / "stream.schema.json").read_text())
    assert published == schema()
    validator = Draft202012Validator(published)
    lines = (root / "tests" / "unit" / "golden" / "stream.jsonl").read_text().splitlines()
    for line in lines:
        validator.validate(json.loads(line))
    broken = json.loads(lines[0]) | {"srtt_us": "1500"}
    assert not validator.is_valid(broken)


def test_the_stream_has_every_field_of_a_row() -> None:
    """What is not in it cannot be shown again later."""
    asked: set[str] = set()
    rows = rows_of(row(1))

    def get(name: str) -> Any:
        asked.add(name)
        return rows[name]

    for field in CONNECTIONS.fields:
        if field.name != "why":  # it is made of the others
            field.values(get, frozenset())
    # That it is closed is an event, and nothing is followed but by "run", which writes no stream. What holds
    # either end up is told of both.
    assert asked == set(ROW.names or ()) - {"closed", "followed", "both_why"}
