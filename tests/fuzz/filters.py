"""Filters and conditions, as they are typed: text to questions, and what these answer."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tcptop_rtt.model.fleet import FLEET_ROW
from tcptop_rtt.model.rows import fields_of
from tcptop_rtt.view import conditions, fleet_list
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter, parse, select
from tcptop_rtt.view.query import MAX_DEPTH, QueryError, both
from tcptop_rtt.view.questions import OPERATORS, Answer, Ask
from tests.unit.world import LACKING, World

WORDS = (
    *(f"{name}{sign}" for name in CONNECTIONS.matches for sign in (":", ">")),
    *(*OPERATORS, *conditions.AGGREGATES, " or ", " and ", "!", "(", ")", '"', "yes", "50ms", "10.0.0.0/8"),
    *(" for 30s", "::1", "local", "loss", "estab", "64kB"),
)  # fmt: skip


def _rows() -> World:
    world = World(1)
    for _ in range(6):
        world.step()
    return world


SNAPSHOT = _rows().step()
ROWS = SNAPSHOT.rows


def seeds() -> Iterable[bytes]:
    """Two filters each, or a condition."""
    yield b'rtt>50ms !local (port:443 or proc:"nginx x")\nremote:10.0.0.0/8,::1'
    yield b"why:loss,rwnd age<2h in>=1.5M\n!(state=estab)"
    yield b"[2001:db8::1]:443 or and x\nclosed"
    yield b"p99(rport:5432)>20ms for 30s"
    yield b"count()>1"


def check(data: bytes) -> None:
    """Nothing but QueryError comes out; a filter, its contrary, and two together answer as they should."""
    text = data.decode("utf-8", "replace")
    _check_refusal(text, conditions.parse)
    _check_refusal(text, fleet_list.parse)
    one, _, two = text.partition("\n")
    asked = _check_refusal(one, parse)
    condition = _check_refusal(one, conditions.parse)
    if isinstance(condition, conditions.Condition):
        found = condition.measure(ROWS, Filter(), LACKING)
        assert 0 <= found.known <= len(found.indices)
    fleet = _check_refusal(one, fleet_list.parse)
    if fleet is not None:
        fleet_list.selected(np.zeros(2, FLEET_ROW), one)
    if asked is None:
        return
    yes, no = _answer(asked)
    assert not (yes & no).any()
    for other, wanted in ((f"({one})", (yes, no)), (f"!({one})", (no, yes)), (f"{one} ({one})", (yes, no))):
        again = _parsed(other)
        assert again is None or _same(_answer(again), wanted), other
    if _check_refusal(two, parse) is not None and (together := _parsed(both(one, two))) is not None:
        wanted_yes = yes & _answer(parse(two))[0]
        assert (_answer(together)[0] == wanted_yes).all(), both(one, two)
        assert select(ROWS, Filter(both(one, two)), LACKING).tolist() == np.flatnonzero(wanted_yes).tolist()


def _check_refusal(text: str, parse_: object) -> Ask | None:
    try:
        return parse_(text)  # type: ignore[operator, no-any-return]
    except QueryError as error:
        _check_place(error.at, text)
        return None


def _check_place(at: int, text: str) -> None:
    assert 0 <= at <= len(text), (at, text)


def _parsed(text: str) -> Ask | None:
    """The same; None: it is one step too deep."""
    try:
        return parse(text)
    except QueryError:
        if text.count("(") + text.count("!") <= MAX_DEPTH:
            raise
        return None


def _answer(ask: Ask | None) -> Answer:
    assert ask is not None
    return ask(fields_of(ROWS, np.arange(len(ROWS))), LACKING)


def _same(one: Answer, other: tuple[np.ndarray, np.ndarray]) -> bool:
    return bool((one[0] == other[0]).all() and (one[1] == other[1]).all())
