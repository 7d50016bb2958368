"""Both ends of a connection: which row the other one is, and whose part of an answer is whose."""

from __future__ import annotations

from typing import Any

import pytest

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.screens.other_block import other_end as block_of
from tcptop_rtt.view.ends import answer_of, other_end
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.view.shown import shown
from tests.unit.rows import row, rows_of

CALLS: dict[str, Any] = {"laddr": "10.0.0.1", "lport": 4000, "raddr": "10.0.0.2", "rport": 80, "direction": 1}
CALLED: dict[str, Any] = {
    "laddr": "10.0.0.2",
    "lport": 80,
    "raddr": "10.0.0.1",
    "rport": 4000,
    "direction": 2,
}
LOCAL = {"laddr": "127.0.0.1", "raddr": "127.0.0.1"}


@pytest.mark.parametrize(
    ("others", "at"),
    [
        ([CALLED | {"host": b"db1"}], 1),
        ([CALLED | {"host": b"web1"}], 1),
        ([CALLED | {"host": b"db1", "raddr": "10.0.0.9"}], None),
        ([CALLED | {"host": b"db1", "lport": 81}], None),
        ([CALLED | {"host": b"db1", "closed": True}], None),
        ([CALLED | {"host": b"db1"}, CALLED | {"host": b"db2"}], None),  # private addresses are not unique
        ([CALLS | {"host": b"db1"}, CALLED | {"host": b"db1"}], 2),
    ],
)
def test_the_other_end_is_the_only_row_with_the_same_addresses_the_other_way_round(
    others: list[dict[str, Any]], at: int | None
) -> None:
    each = [row(1, **CALLS, host=b"web1"), *(row(2 + n, **other) for n, other in enumerate(others))]
    assert other_end(rows_of(*each), 0) == at


def test_within_a_machine_it_is_on_the_same_one() -> None:
    one, two = CALLS | LOCAL, CALLED | LOCAL
    each = [row(1, **one, host=b"a"), row(2, **two, host=b"b"), row(3, **two, host=b"a")]
    assert other_end(rows_of(*each), 0) == 2
    assert other_end(rows_of(*each), 1) is None


TIMES: list[dict[str, Any]] = [
    {"answers": 9, "answers_1m": 2, "answer_sum_us_1m": 140_000, "replies": 9, "replies_1m": 2,
     "reply_sum_us_1m": 200_000, "window_ms": 9000, "host": b"web1"},
    {"replies": 9, "replies_1m": 4, "reply_sum_us_1m": 80_000, "window_ms": 9000, "host": b"db1"},
]  # fmt: skip


@pytest.mark.parametrize("from_here", [True, False])
@pytest.mark.parametrize("unknown", [None, 0, 1])
def test_an_answer_is_the_path_and_the_process_that_answers(from_here: bool, unknown: int | None) -> None:
    ends = [CALLS | TIMES[0], CALLED | TIMES[1]]
    if unknown is not None:
        ends[unknown]["direction"] = 0  # the other end knows who has called
    one, two = (Connection(each) for each in rows_of(*(row(n, **end) for n, end in enumerate(ends, 1))))
    found = answer_of(one, two) if from_here else answer_of(two, one)
    assert found is not None
    assert (found.asks.host, found.answers.host) == (b"web1", b"db1")
    assert (found.total_us, found.there_us, found.path_us) == (70_000, 20_000, 50_000)


def test_no_answer_is_told_where_nobody_knows_who_has_called_or_nothing_was_asked() -> None:
    ends = [CALLS | TIMES[0] | {"direction": 0}, CALLED | TIMES[1] | {"direction": 0}]
    one, two = (Connection(each) for each in rows_of(*(row(n, **end) for n, end in enumerate(ends, 1))))
    assert answer_of(one, two) is None
    one, two = (Connection(each) for each in rows_of(row(1, **CALLS), row(2, **CALLED)))
    assert answer_of(one, two) is None


def test_the_details_say_what_the_other_end_sees() -> None:
    each = [CALLS | TIMES[0], CALLED | TIMES[1] | {"srtt_us": 51_000, "comm": b"post\x1bgres", "pid": 7}]
    here, there = shown(rows_of(*(row(n, **end) for n, end in enumerate(each, 1)))[:])
    block = block_of(here, there, UNICODE)
    assert block.title == "THE OTHER END"
    values = [fact.value for fact in block.facts]
    for value in ("post\ufffdgres 7", "51.0ms", "70.0ms, at web1", "50.0ms", "20.0ms, db1", "db1"):
        assert value in values
    assert "100ms until web1 asks again" in values
