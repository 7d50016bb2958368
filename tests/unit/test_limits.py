"""Room for connections follows the machine's memory, between a least and a most."""

from __future__ import annotations

import pytest

from tcptop_rtt.sources.limits import FEWEST_CONNECTIONS, MOST_CONNECTIONS, Limits, connections_for

GIB = 1 << 30


@pytest.mark.parametrize(
    ("memory_bytes", "connections"),
    [(GIB // 2, 1 << 17), (4 * GIB, 1 << 19), (5 * GIB, 1 << 19), (8 * GIB, 1 << 20), (1024 * GIB, 1 << 22)],
)
def test_room_is_a_power_of_two_that_follows_the_memory(memory_bytes: int, connections: int) -> None:
    assert connections_for(memory_bytes) == connections


def test_this_machine_has_room_within_the_limits_unless_another_is_given() -> None:
    assert FEWEST_CONNECTIONS <= Limits().connections <= MOST_CONNECTIONS
    assert Limits(connections=1024).connections == 1024
