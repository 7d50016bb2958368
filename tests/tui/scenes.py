"""Every screen and state of the dashboard, with connections of every kind on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tcptop_rtt.model.snapshot import Health
from tcptop_rtt.sources.diag_messages import LACKING
from tests.tui.feed import Stage, trace_of
from tests.tui.side_tables import LISTENERS, TARGETS
from tests.unit.rows import row

Scene = Callable[[Stage], Awaitable[None]]
"""Brings an app without data to that screen."""

STALLED = row(4, stalled=True, retransmits=3, comm=b"stalled")
CONNECTIONS = (
    row(1),
    row(2, srtt_us=70_000, retrans=4, retrans_1m=4, data_segs_out_1m=90, window_ms=60_000),
    row(3, srtt_us=320_000, min_rtt_us=20_000),
    STALLED,
    row(5, closed=True, state=7),
    row(6, srtt_us=900_000, rtt_age_ms=90_000),
    row(7, holder=2, comm=b"listens"),
)
SAMPLES_US = tuple(range(1000, 60_000, 1000))


async def show(it: Stage, *connections: dict[str, Any], step: int = 0, **more: Any) -> None:
    """These connections, beside the listeners and failed connects that there always are."""
    await it.show(*connections, step=step, listeners=LISTENERS, targets=TARGETS, **more)


def after(*keys: str) -> Scene:
    """The table with all connections, and then these keys."""

    async def scene(it: Stage) -> None:
        await show(it, *CONNECTIONS)
        await it.press("down", *keys)
        if keys[:1] == ("ctrl+p",):
            await it.pilot.pause(0.3)  # it finds its commands in the background

    return scene


async def _no_connections(it: Stage) -> None:
    await it.show()


async def _starting(it: Stage) -> None:
    await it.pilot.pause()


async def _details(it: Stage) -> None:
    await show(it, *CONNECTIONS)
    await it.press("down", "enter")
    trace = trace_of(it.feed.traced[-1] or 0, *SAMPLES_US)
    await show(it, *CONNECTIONS, step=1, trace=trace)


async def _details_with_cursor(it: Stage) -> None:
    await _details(it)
    await it.press("left", "left")


async def _details_of_a_closed_one(it: Stage) -> None:
    await _details(it)
    gone = it.feed.traced[-1]
    await show(it, *(one for one in CONNECTIONS if one["id"] != gone), step=2)


def without_bpf(*keys: str) -> Scene:
    """Only what the kernel tells everybody, and then these keys."""
    missed = "short connections and spikes between polls are missed; others' processes unknown"
    health = Health("sock_diag", "run sudo tcptop-rtt", missed=missed, lacking=LACKING)

    async def scene(it: Stage) -> None:
        connections = (*CONNECTIONS, row(8, pid=0, comm=b"", holder=0))
        await it.show(*connections, listeners=LISTENERS, health=health)
        await it.press("down", *keys)
        trace = trace_of(it.feed.traced[-1] or 0, *SAMPLES_US) if it.feed.traced else None
        await it.show(*connections, listeners=LISTENERS, health=health, step=1, trace=trace)

    return scene


async def _seconds(it: Stage) -> None:
    """Three of them; in the last one a connection stalls."""
    well = CONNECTIONS[:3]
    await show(it, *well)
    await show(it, *well, row(4, comm=b"stalled"), step=1)
    await show(it, *well, STALLED, step=2)


async def _past(it: Stage) -> None:
    await _seconds(it)
    await it.press("h")


async def _moments(it: Stage) -> None:
    await _seconds(it)
    await it.press("m")


SCENES: dict[str, Scene] = {
    "starting": _starting,
    "no connections": _no_connections,
    "table": after(),
    "frozen": after("space", "f"),
    "copied": after("y"),
    "groups": after("tab"),
    "connections of a group": after("tab", "enter"),
    "filter": after("slash", *"nginx"),
    "filter with a mistake": after("slash", *"rtt>"),
    "filter to come": after("slash"),
    "nothing matches": after("slash", *"rtt>9s", "enter"),
    "help": after("question_mark"),
    "letters of the columns": after("o", "z"),
    "own health": after("i"),
    "what they have in common": after("c"),
    "listeners": after(*("tab",) * 5),
    "failed connects": after(*("tab",) * 6),
    "a key that does nothing": after("x"),
    "palette": after("ctrl+p"),
    "palette, searched": after("ctrl+p", *"sort"),
    "details": _details,
    "details with a cursor": _details_with_cursor,
    "details of a closed connection": _details_of_a_closed_one,
    "without BPF": without_bpf(),
    "without BPF, details": without_bpf("enter"),
    "without BPF, own health": without_bpf("i"),
    "without BPF, failed connects": without_bpf(*("tab",) * 6),
    "past": _past,
    "moments": _moments,
}
