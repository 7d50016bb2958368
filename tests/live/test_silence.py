"""A peer that has gone silent does not look healthy."""

from __future__ import annotations

import time

from tests.live.conftest import Watch
from tests.live.link import Link, asking, echoing
from tests.waiting import ENOUGH_S

PORT = 8082


def _wait_for(watch: Watch, pid: int, stalled: bool, timeout_s: float) -> dict[str, int]:
    deadline = time.monotonic() + timeout_s
    row = {}
    while time.monotonic() < deadline:
        rows = watch.look().rows
        for found in rows[(rows["pid"] == pid) & (rows["rport"] == PORT)]:
            row = {
                name: int(found[name])
                for name in ("stalled", "retransmits", "retrans", "srtt_us", "min_rtt_us", "closed")
            }
            if bool(row["stalled"]) is stalled and row["srtt_us"]:
                return row
        time.sleep(0.1)
    raise AssertionError(f"not {'stalled' if stalled else 'well'} in {timeout_s} s: {row}")


def test_a_cut_link_shows_as_stalled_and_a_mended_one_as_well_again(watch: Watch) -> None:
    with Link(delay_ms=5) as link:
        server = link.start(link.b, echoing(PORT))
        client = link.start(link.a, asking(PORT, 1, 0.02))
        healthy = _wait_for(watch, client.pid, stalled=False, timeout_s=ENOUGH_S)
        assert 10_000 <= healthy["min_rtt_us"] <= 20_000  # the smoothed one is that of a busy machine
        link.cut()
        silent = _wait_for(watch, client.pid, stalled=True, timeout_s=ENOUGH_S)
        assert silent["retrans"] > healthy["retrans"]
        assert not silent["closed"]
        link.mend()
        _wait_for(watch, client.pid, stalled=False, timeout_s=ENOUGH_S)
        for process in (client, server):
            process.kill()
            process.wait()
