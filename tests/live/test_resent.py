"""Why segments are sent again, and how long it takes to connect: over a link that loses some, and is cut."""

from __future__ import annotations

import subprocess
import time

import numpy as np

from tests.live.conftest import Watch
from tests.live.link import Link, inside, sending, taking
from tests.waiting import ENOUGH_S

DELAY_MS = 20


def _sender(watch: Watch, link: Link) -> dict[str, int]:
    rows = watch.look().rows
    inside = np.isin(rows["netns"], list(link.namespaces))
    (row,) = rows[inside & (rows["rport"] == 8086) & ~rows["closed"]]
    names = ("retrans", "resent_fast", "resent_timeout", "resent_probe", "retransmits", "connect_us")
    return {name: int(row[name]) for name in names}


def test_what_is_sent_again_is_told_by_acks_and_later_by_timeouts(watch: Watch) -> None:
    with Link(delay_ms=DELAY_MS, lose_each=40) as link:
        link.start(link.b, taking(8086))
        began_s = time.monotonic()
        link.start(link.a, sending(8086, 20_000, 0.01))
        connected_s = time.monotonic() - began_s
        deadline = time.monotonic() + ENOUGH_S
        lossy = _sender(watch, link)
        while lossy["resent_fast"] < 20 and time.monotonic() < deadline:
            time.sleep(0.2)
            lossy = _sender(watch, link)
        assert 2 * DELAY_MS * 1000 <= lossy["connect_us"] <= connected_s * 1e6
        resent = lossy["resent_fast"] + lossy["resent_timeout"] + lossy["resent_probe"]
        # The scan reads the socket's count and ours at two moments.
        assert abs(resent - lossy["retrans"]) <= 0.1 * lossy["retrans"]
        assert lossy["resent_fast"] >= 20

        link.cut()
        cut = lossy
        while cut["resent_timeout"] < lossy["resent_timeout"] + 3 and time.monotonic() < deadline:
            time.sleep(0.2)
            cut = _sender(watch, link)
        assert cut["resent_timeout"] >= lossy["resent_timeout"] + 3
        assert cut["connect_us"] == lossy["connect_us"]


def test_what_cannot_be_sent_again_without_a_route_is_not_counted(watch: Watch) -> None:
    with Link(delay_ms=DELAY_MS) as link:
        link.start(link.b, taking(8086))
        link.start(link.a, sending(8086, 20_000, 0.01))
        link.cut()
        deadline = time.monotonic() + ENOUGH_S
        while not _sender(watch, link)["resent_timeout"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        subprocess.run([*inside(link.a.pid), "ip", "route", "flush", "dev", "wire"], check=True)
        before = now = _sender(watch, link)
        while now["retransmits"] < before["retransmits"] + 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
            now = _sender(watch, link)
        for name in ("retrans", "resent_fast", "resent_timeout", "resent_probe"):
            assert now[name] == before[name], name
