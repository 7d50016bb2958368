"""The chart of a real connection, over a link whose delay is known, beside what ``ss`` says of it."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view import chart, plot
from tcptop_rtt.view.chart import Columns
from tcptop_rtt.view.glyphs import ASCII
from tcptop_rtt.view.watched import Watched
from tests.live.conftest import Watch
from tests.live.link import Link, inside, taking
from tests.live.ss import ss
from tests.waiting import ENOUGH_S

DELAY_MS = 25
PORT = 8085
WIDTH, HEIGHT = 120, 24
CUT_S = 3.0

_SEND_WHEN_TOLD = f"""
import socket, sys
connection = socket.create_connection(("10.199.0.2", {PORT}))
print("ready", flush=True)
for _ in sys.stdin:
    connection.sendall(bytes(500))
"""


class Sender:
    """A connection from ``a`` to ``b`` that sends when it is told to, and the chart of it."""

    def __init__(self, link: Link, watch: Watch) -> None:
        self._link = link
        self._watch = watch
        link.start(link.b, taking(PORT))
        self._process = link.start(link.a, _SEND_WHEN_TOLD)
        first = watch.look()
        rows = first.rows
        ours = np.isin(rows["netns"], list(link.namespaces)) & (rows["rport"] == PORT)
        (connection,) = rows["id"][ours].tolist()
        watch.probe.trace(watch.connections.set_trace(connection))
        self.watched = Watched(connection, first)

    def send(self, times: int) -> None:
        assert self._process.stdin
        for _ in range(times):
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
            time.sleep(0.1)
            self.look()

    def look(self) -> Snapshot:
        snapshot = self._watch.look()
        self.watched.take(snapshot)
        return snapshot

    def wait_until_acknowledged(self) -> None:
        deadline = time.monotonic() + ENOUGH_S
        while self.look() and self.watched.row is not None and self.watched.row.unacked_bytes:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def columns(self) -> Columns:
        series = self.watched.series(60)
        return chart.columns_of(series, chart.window_for(series.time_s), plot.columns_in(WIDTH))

    def text(self) -> str:
        lines = plot.lines(self.watched.series(60), ASCII, WIDTH, HEIGHT)
        return "\n".join("".join(part for part, _ in line) for line in lines)

    def ss(self) -> dict[str, float]:
        """Round-trip time and its minimum in milliseconds, and segments sent again."""
        text = "\n".join(ss("-tinH", f"dport = :{PORT}", before=inside(self._link.a.pid)))
        found = {name: float(value) for name, value in re.findall(r"\b(rtt|minrtt):([\d.]+)", text)}
        again = re.search(r"retrans:\d+/(\d+)", text)
        return found | {"retrans": float(again[1]) if again else 0.0}


def test_the_chart_says_what_ss_says(watch: Watch) -> None:
    with Link(delay_ms=DELAY_MS) as link:
        sender = Sender(link, watch)
        sender.send(20)
        link.cut()
        sender.send(2)
        cut_until = time.monotonic() + CUT_S
        while time.monotonic() < cut_until:
            sender.look()
            time.sleep(0.1)
        link.mend()
        sender.wait_until_acknowledged()
        sender.send(10)
        sender.wait_until_acknowledged()
        shown, truth, text = sender.columns(), sender.ss(), sender.text()
    assert shown.srtt_us[~np.isnan(shown.srtt_us)][-1] == pytest.approx(1000 * truth["rtt"], abs=2)
    # The kernel's minimum also counts the handshake, which no segment of data was sent in.
    assert truth["minrtt"] <= shown.visible.low_us / 1000 <= 1.5 * truth["minrtt"]
    # A busy machine makes a round trip longer, never shorter.
    assert 2 * DELAY_MS <= shown.visible.low_us / 1000 <= shown.visible.p50_us / 1000 <= 6 * DELAY_MS
    assert shown.visible.p50_us <= shown.visible.p95_us <= np.nanmax(shown.highest_us)
    assert truth["retrans"] > 0
    assert shown.retrans.sum() == truth["retrans"]
    # The first timeout comes after some 0.25 s, and is known once the next one is due.
    stalled_s = np.count_nonzero(shown.stalled) * shown.column_s
    assert stalled_s >= CUT_S / 2
    quiet = np.isnan(shown.highest_us) & shown.stalled
    assert np.count_nonzero(quiet) * shown.column_s >= CUT_S / 2
    assert not shown.stalled[-1]
    for word in ("each ACK", "srtt", "retransmit", "stalled", "p95", "min"):
        assert word in text
    assert plot.RETRANS in text.splitlines()[-2]
