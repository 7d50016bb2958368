"""Which connections are at which listener, and what is wrong with it."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop_rtt.model.listeners import Endpoints
from tcptop_rtt.model.rows import Holder
from tcptop_rtt.view.listener_fields import TABLE
from tcptop_rtt.view.listening import TROUBLES, listening, waits_at
from tcptop_rtt.view.ranking import Ranking
from tcptop_rtt.view.thresholds import DEFAULTS
from tests.unit.rows import address, listener, listeners_of, row, rows_of

V4, V6, HERE = "0.0.0.0", "::", "192.0.2.1"  # noqa: S104 - addresses that are never bound
NONE: frozenset[str] = frozenset()


def _waits(id_: int, age_ns: int, **fields: object) -> dict[str, object]:
    return row(id_, holder=Holder.LISTENER, direction=2, age_ns=age_ns, **fields)


def test_the_more_particular_address_goes_first_and_each_family_has_its_own() -> None:
    listeners = listeners_of(
        listener(0, lport=80, laddr=V6, family=6),
        listener(1, lport=80, laddr=V4),
        listener(2, lport=80, laddr=HERE),
        listener(3, lport=81, laddr=V6, family=6),
        listener(4, lport=80, laddr=V4, netns=7),
        listener(5, lport=82, laddr="203.0.113.9"),
    )
    rows = rows_of(
        row(1, lport=80, laddr=HERE),
        row(2, lport=80, laddr="192.0.2.2"),
        row(3, lport=80, laddr="2001:db8::1", family=6),
        row(4, lport=81, laddr="192.0.2.2"),
        row(5, lport=80, laddr=HERE, netns=7),
        row(6, lport=82, laddr=HERE),
        row(7, lport=83),
    )
    endpoints = Endpoints(listeners.__getitem__)
    expected = [2, 1, 0, 3, 4, -1, -1]
    numbers = [endpoints.of_listeners[at] if at >= 0 else -1 for at in expected]
    assert endpoints.find(rows.__getitem__).tolist() == numbers
    assert Endpoints(listeners[:0].__getitem__).find(rows.__getitem__).tolist() == [-1] * 7


def test_one_bound_to_the_interface_of_a_connection_goes_before_one_that_is_not() -> None:
    listeners = listeners_of(
        listener(0, lport=80, laddr=V4, ifindex=1),
        listener(1, lport=80, laddr=V4, ifindex=2),
        listener(2, lport=81, laddr=V4),
        listener(3, lport=81, laddr=V4, ifindex=2),
        listener(4, lport=81, laddr=HERE),
    )
    places = [(80, 1, V4), (80, 2, HERE), (80, 3, HERE), (80, 0, HERE), (81, 3, "192.0.2.2"), (81, 2, HERE)]
    rows = rows_of(
        *(row(id_, lport=lport, ifindex=at, laddr=laddr) for id_, (lport, at, laddr) in enumerate(places))
    )
    endpoints = Endpoints(listeners.__getitem__)
    expected = [0, 1, -1, -1, 2, 4]
    numbers = [endpoints.of_listeners[at] if at >= 0 else -1 for at in expected]
    assert endpoints.find(rows.__getitem__).tolist() == numbers


def test_each_connection_of_many_is_at_the_listener_that_a_search_finds() -> None:
    random = np.random.default_rng(3)
    addresses = [address(text) for text in (V4, HERE, "192.0.2.2", "192.0.2.3")]
    listeners = listeners_of(*(listener(at) for at in range(300)))
    rows = rows_of(*(row(at) for at in range(5000)))
    for some, many in ((listeners, 4), (rows, 3)):
        some["lport"][:] = random.integers(1, 60, len(some))
        some["netns"][:] = random.integers(1, 3, len(some))
        places = random.integers(0, many, len(some)) + (some is rows)
        some["laddr"][:] = np.array(addresses, "V16")[places]
    by_place = {
        (one["netns"], one["lport"], one["laddr"].tobytes()): number
        for one, number in zip(listeners, Endpoints(listeners.__getitem__).of_listeners, strict=True)
    }
    found = Endpoints(listeners.__getitem__).find(rows.__getitem__)
    for one, number in zip(rows, found.tolist(), strict=True):
        at = (one["netns"], one["lport"])
        own = by_place.get((*at, one["laddr"].tobytes()), -1)
        assert number == (own if own >= 0 else by_place.get((*at, addresses[0]), -1))
    assert 1000 < np.count_nonzero(found >= 0) < 4900


def test_the_oldest_that_waits_and_those_accepted_are_told_of_each_endpoint() -> None:
    listeners = listeners_of(
        listener(1, lport=80), listener(2, lport=80), listener(3, lport=81), listener(4, lport=82)
    )
    rows = rows_of(
        _waits(1, 9 * DEFAULTS.backlog_ns, lport=80, open_seen=False),
        _waits(2, 5 * DEFAULTS.backlog_ns, lport=80),
        _waits(3, 7 * DEFAULTS.backlog_ns, lport=81),
        _waits(4, 99 * DEFAULTS.backlog_ns, lport=81, closed=True),
        row(5, lport=81, direction=2, holder=Holder.PROCESS),
        row(6, lport=81, direction=2, holder=Holder.UNKNOWN),
        row(7, lport=81, direction=2, holder=Holder.PROCESS, closed=True),
        row(8, lport=81, direction=1, holder=Holder.PROCESS),
    )
    found = listening(listeners, rows, NONE)
    assert (found["oldest_ns"] // DEFAULTS.backlog_ns).tolist() == [9, 9, 7, 0]
    assert found["oldest_is_older"].tolist() == [True, True, False, False]
    assert found["live"].tolist() == [0, 0, 2, 0]
    assert waits_at(listeners, 1, rows.__getitem__).tolist() == [True, True] + [False] * 6
    assert waits_at(listeners, 3, rows.__getitem__).nonzero()[0].tolist() == [2]
    assert not waits_at(listeners, 5, rows.__getitem__).any()
    assert len(listening(listeners[:0], rows, NONE)) == 0


@pytest.mark.parametrize(
    ("fields", "age_ns", "lacking", "trouble"),
    [
        ({"queue": 4, "queue_limit": 3}, DEFAULTS.backlog_ns, NONE, "queue-full"),
        ({"queue": 3, "queue_limit": 3}, DEFAULTS.backlog_ns - 1, NONE, None),  # one more finds room
        ({"queue": 1, "queue_limit": 0}, 0, NONE, "queue-full"),
        ({"queue": 4, "queue_limit": 0}, 0, frozenset({"queue_limit"}), None),
        ({"drops": 9, "drops_per_s": 0.1}, 0, NONE, "drops"),
        ({"drops": 9, "drops_per_s": np.nan}, 0, NONE, None),
        ({"drops": 9}, 0, NONE, None),
        ({"queue": 1}, DEFAULTS.backlog_ns, NONE, "backlog"),
    ],
)
def test_what_is_wrong_with_a_listener(
    fields: dict[str, object], age_ns: int, lacking: frozenset[str], trouble: str | None
) -> None:
    listeners = listeners_of(listener(1, lport=80, **fields))
    (found,) = listening(listeners, rows_of(_waits(1, age_ns, lport=80)), lacking)
    assert TROUBLES[found["trouble"]] == trouble


def test_the_worst_listener_comes_first_and_of_those_alike_the_longer_queue() -> None:
    listeners = listeners_of(
        listener(1),
        listener(2, queue=3),
        listener(3, drops_per_s=2.0),
        listener(4, queue=200),
        listener(5, queue=4),
    )
    found = listening(listeners, rows_of(), NONE)
    ranking = Ranking(found, np.arange(5), TABLE.sorts["why"], descending=True)
    assert found["id"][ranking.window(0, 5)].tolist() == [4, 3, 5, 2, 1]


def test_what_is_not_known_of_a_listener_is_no_zero() -> None:
    rows = listening(listeners_of(listener(1, pid=0, comm=b"", drops_per_s=np.nan, queue=2)), rows_of(), NONE)
    lacking = frozenset({"queue", "queue_limit", "drops"})

    def cells(lacking: frozenset[str]) -> dict[str, str]:
        (view,) = TABLE.views(rows, lacking)
        from tcptop_rtt.view.glyphs import UNICODE

        return {column.key: column.cell(view, UNICODE).text for column in TABLE.columns if column.cell}

    known, unknown = cells(NONE), cells(lacking)
    assert (known["process"], known["pid"], known["queue"], known["oldest"]) == ("?", "?", "2", "?")
    assert (known["drops_per_s"], known["drops"], known["limit"]) == ("?", "0", "128")
    assert {unknown[key] for key in ("queue", "limit", "drops", "drops_per_s")} == {"?"}
