"""The word for what holds a connection up, of connections that really are held up by it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

import numpy as np
import pytest

from tcptop_rtt.view import causes
from tests.live.conftest import Watch
from tests.live.held_up import WAYS, Held
from tests.live.pairs import connected, port_of, round_trip
from tests.waiting import ENOUGH_S

HEALTHY = 200
HEALTHY_S = 60.0


def _wait_for_word(watch: Watch, held: Held) -> None:
    """Sooner or later."""
    seen: set[str | None] = set()
    deadline = time.monotonic() + ENOUGH_S
    while time.monotonic() < deadline:
        seen = held.said(watch.look())
        if seen & held.words:
            return
        time.sleep(0.2)
    raise AssertionError(f"none of {held.words}: {seen}")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_its_word_is_said_of_each(
    watch: Watch, way: Callable[[], AbstractContextManager[list[Held]]]
) -> None:
    watch.look()
    with way() as held:
        for one in held:
            _wait_for_word(watch, one)


def test_there_is_no_word_for_what_is_healthy(watch: Watch) -> None:
    with ExitStack() as stack:
        pairs = [stack.enter_context(connected()) for _ in range(HEALTHY // 2)]
        ports = [port_of(end) for pair in pairs for end in pair]
        told: dict[str | None, int] = {}
        looks = 0
        began_s = time.monotonic()
        while time.monotonic() < began_s + HEALTHY_S:
            for pair in pairs:
                round_trip(pair)
            rows = watch.look().rows
            ours = np.isin(rows["lport"], ports) & np.isin(rows["rport"], ports)
            assert np.count_nonzero(ours) == HEALTHY
            for number in causes.verdicts(rows.__getitem__)[ours].tolist():
                told[causes.NAMES[number]] = told.get(causes.NAMES[number], 0) + 1
            looks += 1
    # A busy machine may hold one up now and then, and then the word is right.
    told.pop(None)
    told.pop("lag", None)
    assert looks > 1
    assert sum(told.values()) <= 0.01 * HEALTHY * looks, told
