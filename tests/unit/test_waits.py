"""What a request waits for: its parts, and when they are not known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tcptop_rtt.model.rows import UNKNOWN_U32
from tcptop_rtt.view import numbers, waits
from tcptop_rtt.view.cause_columns import Columns
from tcptop_rtt.view.glyphs import ASCII, UNICODE
from tcptop_rtt.view.shown import shown
from tcptop_rtt.view.waits import Wait
from tests.unit.rows import row, rows_of

FAR = {"srtt_us": 50_000, "min_rtt_us": 40_000, "bytes_acked": 9000, "rtt_age_ms": 5, "window_ms": 60_000}
ASKS = {"direction": 1, "answers_1m": 100, "answer_sum_us_1m": 8_000_000}
SERVES = {"direction": 2, "replies_1m": 10, "reply_sum_us_1m": 300_000}


def wait(**fields: Any) -> Wait:
    (found,) = Columns(rows_of(row(1, **(FAR | fields)))[:].__getitem__).waits.of_each()
    return found


def test_where_answers_are_not_told_there_is_no_wait() -> None:
    rows = rows_of(row(1, **(FAR | ASKS)))[:]
    for lacking, parts in ((frozenset[str](), True), (frozenset({"answers"}), False)):
        (found,) = Columns(rows.__getitem__, lacking).waits.of_each()
        assert (found.parts_us is not None) == parts
        (one,) = shown(rows, lacking)
        assert (one.wait.parts_us is not None) == parts
        _, unknown = numbers.waits(rows.__getitem__, lacking)
        assert unknown.tolist() == [not parts]


@pytest.mark.parametrize(
    ("fields", "parts_ms"),
    [
        ({}, (40, 10, 0, 0, 0)),
        (ASKS, (40, 10, 30, 0, 0)),
        (ASKS | {"answer_sum_us_1m": 4_000_000}, (40, 10, 0, 0, 0)),  # the peer's part is never negative
        # A smoothed RTT above all samples is no queue, nor does it show that there are several requests.
        (
            ASKS | {"srtt_us": 100_000, "rtt_samples": 5, "rtt_hi_us": 41_000, "answer_sum_us_1m": 4_900_000},
            (40, 1, 8, 0, 0),
        ),
        (SERVES, (40, 10, 0, 30, 0)),
        # Who is asked has time between two answers; who asks has time between two questions.
        (ASKS | {"replies_1m": 99, "reply_sum_us_1m": 50_000_000}, (40, 10, 30, 0, 0)),
        (SERVES | {"answers_1m": 9, "answer_sum_us_1m": 50_000_000}, (40, 10, 0, 30, 0)),
        (ASKS | {"rwnd_limited_us_1m": 400_000, "sndbuf_limited_us_1m": 100_000}, (40, 10, 30, 0, 5)),
        ({"rwnd_limited_us_1m": 6_000_000}, (40, 10, 0, 0, 5)),  # a tenth of the time, of each round trip
        # An RTT that nobody has measured for long is no queue of now.
        (ASKS | {"rtt_age_ms": 60_000}, (40, 0, 40, 0, 0)),
        # ACKs that wait for the answer make its time an RTT.
        (
            ASKS
            | {"srtt_us": 70_000, "min_rtt_us": 20_000, "answer_sum_us_1m": 7_000_000}
            | {"segs_in_1m": 100, "data_segs_in_1m": 100, "data_segs_out_1m": 100},
            (20, 0, 50, 0, 0),
        ),
        (
            ASKS
            | {"srtt_us": 1200, "min_rtt_us": 20, "answer_sum_us_1m": 125_000}
            | {"segs_in_1m": 100, "data_segs_in_1m": 100, "data_segs_out_1m": 100},
            (0.02, 0, 1.23, 0, 0),
        ),
    ],
)
def test_a_wait_has_these_parts(fields: dict[str, Any], parts_ms: tuple[float, ...]) -> None:
    found = wait(**fields)
    assert not found.several
    assert found.parts_us == pytest.approx([part * 1000 for part in parts_ms], abs=1)


@pytest.mark.parametrize(
    "fields",
    [
        {"scanned": False},
        {"window_ms": 0},
        {"min_rtt_us": 0},
        {"rtt_age_ms": 60_000},
        {"rtt_age_ms": UNKNOWN_U32},
    ],
)
def test_nothing_is_known_of_what_was_not_measured(fields: dict[str, Any]) -> None:
    assert wait(**fields) == Wait(None, several=False)


@pytest.mark.parametrize(
    "fields",
    [
        ASKS | {"crossings_1m": 12},
        # The RTT is that of the first of several requests, the answer's time that of the last one.
        ASKS | {"answer_sum_us_1m": 2_400_000},
    ],
)
def test_requests_that_overtake_each_other_are_told_as_such(fields: dict[str, Any]) -> None:
    assert wait(**fields) == Wait(None, several=True)


def test_the_sum_is_what_filters_and_the_order_take() -> None:
    rows = rows_of(row(1, **(FAR | ASKS)), row(2, **(FAR | {"scanned": False})))
    us, unknown = numbers.waits(rows.__getitem__)
    assert us[0] == pytest.approx(80_000)
    assert unknown.tolist() == [False, True]


def test_a_bar_is_as_long_as_its_cells_and_divided_as_the_wait_is() -> None:
    assert (
        waits.bar((3, 1, 2, 0, 0), 6, UNICODE)
        == "\N{BOX DRAWINGS HEAVY HORIZONTAL}" * 3 + "\u2593\u2500\u2500"
    )
    assert waits.bar((3, 1, 2, 3, 3), 12, ASCII) == "pppqaaooosss"
    assert waits.bar((0, 0, 0, 0, 0), 12, ASCII) == ""
    rng = np.random.default_rng(3)
    for parts in rng.exponential(1, (200, 5)):
        text = waits.bar(tuple(parts.tolist()), 12, ASCII)
        assert len(text) == 12
        assert list(text) == sorted(text, key="pqaos".index)
        for letter, part in zip("pqaos", parts, strict=True):
            assert abs(text.count(letter) - 12 * part / sum(parts)) <= 1
