"""Which connections count as bad."""

from __future__ import annotations

from typing import Any

import pytest

from tcptop_rtt.view.meanings import BAD, Judged, Meaning, offered, selected_by
from tcptop_rtt.view.thresholds import DEFAULTS
from tests.unit.rows import row, rows_of

FRESH = {"rtt_age_ms": 5, "window_ms": 60_000, "min_rtt_us": 1000}
NOT_READING = {"recv_q_bytes": 100_000}
LOSS = {"retrans_1m": 20, "data_segs_out_1m": 1000}
RISEN = {"srtt_us": 30_000, "min_rtt_us": 1000}


def judged(*connections: dict[str, Any]) -> Judged:
    return Judged(rows_of(*connections).__getitem__, frozenset())


def named(judged: Judged, name: str) -> Meaning:
    return next(one for one, _ in offered(judged, name) if one.name == name)


def counts(judged: Judged, chosen: str) -> list[tuple[str, int]]:
    return [(one.name, count) for one, count in offered(judged, chosen)]


@pytest.mark.parametrize(
    ("fields", "bad", "good"),
    [
        ({"srtt_us": DEFAULTS.yellow_us - 1, "min_rtt_us": DEFAULTS.yellow_us - 1}, False, True),
        ({"srtt_us": DEFAULTS.yellow_us, "min_rtt_us": DEFAULTS.yellow_us}, True, False),
        (
            {"srtt_us": DEFAULTS.yellow_us, "min_rtt_us": DEFAULTS.yellow_us, "rtt_age_ms": 60_000},
            False,
            True,
        ),
        (RISEN, True, False),
        (NOT_READING, True, False),
        (LOSS, True, False),
        (NOT_READING | {"closed": True}, False, False),
        ({"srtt_us": 900_000, "closed": True}, False, False),
    ],
)
def test_bad_is_what_has_a_why_or_a_high_rtt_of_now(fields: dict[str, Any], bad: bool, good: bool) -> None:
    answer = BAD.ask(judged(row(1, **(FRESH | {"srtt_us": 1000} | fields))))
    assert (answer.yes.tolist(), answer.no.tolist()) == ([bad], [good])


def test_slow_asks_only_those_with_an_rtt_of_now() -> None:
    them = judged(
        row(1, **FRESH | {"srtt_us": DEFAULTS.red_us}),
        row(2, **FRESH | {"srtt_us": DEFAULTS.red_us - 1}),
        row(3, **FRESH | {"srtt_us": DEFAULTS.red_us, "rtt_age_ms": 60_000}),
        row(4, **FRESH | {"srtt_us": DEFAULTS.red_us, "stalled": True}),
        row(5, **FRESH | {"srtt_us": 1000, "rtt_age_ms": 60_000}),
        row(6, **FRESH | {"srtt_us": DEFAULTS.red_us, "closed": True}),
    )
    answer = named(them, "slow").ask(them)
    assert answer.yes.tolist() == [True, False, False, False, False, False]
    assert answer.no.tolist() == [False, True, False, False, False, False]


def test_retransmitting_asks_only_those_with_a_last_minute() -> None:
    them = judged(
        row(1, **FRESH | {"retrans_1m": 1}),
        row(2, **FRESH),
        row(3, **FRESH | {"window_ms": 0}, retrans=5),
        row(4, **FRESH | {"retrans_1m": 1}, closed=True),
    )
    answer = named(them, "retransmitting").ask(them)
    assert answer.yes.tolist() == [True, False, False, False]
    assert answer.no.tolist() == [False, True, False, False]


def test_each_why_that_there_is_is_offered_and_the_chosen_one_stays() -> None:
    healthy = row(1, **FRESH)
    assert counts(judged(healthy), "bad") == [("bad", 0)]
    them = judged(healthy, row(2, **FRESH | NOT_READING), row(3, **FRESH | LOSS), row(4, **FRESH))
    assert counts(them, "bad") == [("bad", 2), ("retransmitting", 1), ("not-reading", 1), ("loss", 1)]
    for chosen in ("slow", "queue"):
        assert (chosen, 0) in counts(them, chosen)
    answer = named(them, "loss").ask(them)
    assert answer.yes.tolist() == [False, False, True, False]
    assert answer.no.tolist() == [True, True, False, True]


def test_what_a_filter_selects_is_the_bad_of_all() -> None:
    them = judged(row(1, rport=80), row(2, rport=443), row(3, rport=80))
    answer = selected_by("rport:80").ask(them)
    assert answer.yes.tolist() == [True, False, True]
    assert answer.no.tolist() == [False, True, False]
    assert selected_by("rport:80").widens
    assert not BAD.widens
