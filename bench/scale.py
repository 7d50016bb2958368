"""10,000 and 100,000 connections: what a refresh costs, and how soon a key press shows."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import select
import statistics
import sys
import threading
import time

import numpy as np

from bench.results import Result
from bench.traffic import cpu_ms, cpu_percent, dashboard, resident_mib, talking, terminal
from tcptop_rtt.app import TcptopApp
from tcptop_rtt.model.records import ENTRY, RECORD, Kind, Records
from tcptop_rtt.model.snapshot import Health, Snapshot
from tcptop_rtt.sources.probe import PART_ENTRIES
from tcptop_rtt.tracking.connections import Connections
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import UNICODE
from tests.tui.feed import HandFeed

HEALTH = Health("synthetic", "", 0.0, 0, 0.0)
REFRESH_S = 0.25
ROUNDS = 12
KEYS = ("r", "p", "s", "S", "\x1b[B", "\x1b[6~", "G", "g", "/", "4", "7", "\r")
"""As a terminal sends them: sort, move, filter by text."""
_QUIET_S = 0.15


class Synthetic:
    """Connections as a scan tells of them, all of them changing in each."""

    def __init__(self, count: int) -> None:
        self.now_ns = 10**12
        self.connections = Connections(lambda: self.now_ns)
        self._random = np.random.default_rng(1)
        self._interval = 0
        numbers = np.arange(count)
        entries = np.zeros(count, ENTRY)
        entries["id"], entries["sock"] = numbers + 1, (numbers + 1) << 12
        entries["kind"], entries["state"], entries["family"] = Kind.ENTRY, 1, 4
        entries["tgid"], entries["comm"] = numbers % 500 + 1, b"worker"
        entries["pid"] = entries["tgid"]
        entries["lport"], entries["rport"] = numbers % 60_000 + 1, 443
        addresses = np.zeros((count, 16), np.uint8)
        addresses[:, 10:12] = 255
        addresses[:, 12:] = numbers.astype(">u4").view(np.uint8).reshape(count, 4)
        entries["raddr"] = addresses.view("V16").reshape(count)
        self._entries = entries

    def scan(self) -> None:
        """Ingest and apply a whole scan."""
        self._entries["time_ns"] = self.now_ns
        self._entries["srtt_us"] = self._random.integers(10, 100_000, len(self._entries))
        for start in range(0, len(self._entries), PART_ENTRIES):
            self.connections.ingest_scan(self._entries[start : start + PART_ENTRIES].copy())
        self.connections.apply_scan()

    def samples(self) -> Records:
        """Records of a tenth of the connections."""
        self.now_ns += int(REFRESH_S * 1e9)
        self._interval += 1
        chosen = self._random.choice(len(self._entries), len(self._entries) // 10, replace=False)
        records = np.zeros(len(chosen), RECORD)
        for name in RECORD.names or ():
            if "pad" not in name:
                records[name] = self._entries[name][chosen]
        records["kind"], records["time_ns"], records["window_start"] = (
            Kind.SEGMENT,
            self.now_ns,
            self._interval,
        )
        records["tgid"], records["rtt_samples"] = 0, 5
        records["rtt_sum_us"] = 5 * records["srtt_us"].astype(np.uint64)
        records["rtt_lo_us"] = records["rtt_hi_us"] = records["last_rtt_us"] = records["srtt_us"]
        return records

    def refresh(self, records: Records) -> Snapshot:
        """Take the records of one refresh, and a snapshot."""
        self.connections.ingest(records)
        return self.connections.snapshot(HEALTH)


async def _refresh_ms(source: Synthetic) -> tuple[float, float]:
    """Processor time of a refresh on the worker's and on the screen's side."""
    feed = HandFeed(health=HEALTH)
    app = TcptopApp(feed, Filter(), REFRESH_S, UNICODE)
    worker, screen = [], []
    async with app.run_test(size=(160, 48)) as pilot:
        for _ in range(ROUNDS):
            records = source.samples()
            start = time.thread_time()
            snapshot = source.refresh(records)
            worker.append(1e3 * (time.thread_time() - start))
            start = time.thread_time()
            feed.step(snapshot)
            await pilot.pause()
            screen.append(1e3 * (time.thread_time() - start))
    return statistics.median(worker), statistics.median(screen)


def _output(screen: int, timeout_s: float) -> bytes:
    """What comes next, or nothing in that time."""
    return os.read(screen, 1 << 20) if select.select([screen], [], [], timeout_s)[0] else b""


def _key_presses_ms(count: int) -> list[float]:
    """From a key press to the paint that answers it, on a terminal, one snapshot being shown all the time."""
    times = []
    with terminal(sys.executable, "-m", "bench.scale", str(count)) as (_, screen):
        painted = b""
        while b"worker" not in painted:
            painted += _output(screen, 60)
        for _ in range(ROUNDS):
            for key in KEYS:
                while _output(screen, _QUIET_S):
                    pass
                start = time.perf_counter()
                os.write(screen, key.encode())
                if _output(screen, 5):
                    times.append(1e3 * (time.perf_counter() - start))
            os.write(screen, b"/\x7f\x7f\r")
            while _output(screen, _QUIET_S):
                pass
    return times


def _show(count: int) -> None:
    """The app with one snapshot of so many connections, until it is ended."""
    source = Synthetic(count)
    source.scan()
    feed = HandFeed(health=HEALTH)
    snapshot = source.refresh(source.samples())
    threading.Thread(target=feed.step, args=(snapshot,), daemon=True).start()
    gc.freeze()  # as the command line does once all is loaded
    TcptopApp(feed, Filter(), 3600, UNICODE).run()


def _at(count: int, refresh_limit_ms: float, key_limit_ms: float) -> list[Result]:
    source = Synthetic(count)
    first_ms = cpu_ms(source.scan)
    source.refresh(source.samples())
    scan_ms = statistics.median(cpu_ms(source.scan) for _ in range(5))
    worker_ms, screen_ms = asyncio.run(_refresh_ms(source))
    keys_ms = _key_presses_ms(count)
    p50_ms, p95_ms = np.percentile(keys_ms, [50, 95]).tolist()
    name = f"{count:,} rows: "
    return [
        Result(name + "first scan settled", first_ms, "ms"),
        Result(name + "later ones", scan_ms, "ms"),
        Result(
            name + "refresh, CPU",
            worker_ms + screen_ms,
            "ms",
            at_most=refresh_limit_ms,
            detail=f"worker {worker_ms:.1f}, screen {screen_ms:.1f}",
        ),
        Result(
            name + "key press to paint, p95",
            p95_ms,
            "ms",
            at_most=key_limit_ms,
            detail=f"median {p50_ms:.0f}",
        ),
    ]


def _memory() -> list[Result]:
    source = Synthetic(100_000)
    before_mib = resident_mib(os.getpid())
    source.scan()
    kept_mib = resident_mib(os.getpid()) - before_mib
    snapshots = [source.refresh(source.samples()) for _ in range(2)]
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before_mib
    return [
        Result("100,000 rows: kept per connection", kept_mib * 2**20 / 100_000, "bytes", at_most=2048),
        Result(
            "100,000 rows: memory at its peak",
            peak_mib,
            "MiB",
            at_most=300,
            detail=f"{len(snapshots)} snapshots",
        ),
    ]


def _live(pairs: int) -> Result:
    """The whole program on live sockets, a tenth of them changing in each refresh."""
    with talking(pairs, REFRESH_S), dashboard("--interval", str(REFRESH_S)) as pid:
        time.sleep(4)
        share = cpu_percent(pid, 10)
    what = f"{2 * pairs:,} live connections, {1 / REFRESH_S:g} refreshes/s: CPU"
    return Result(what, share, "% of a core", at_most=15)


def measure() -> list[Result]:
    """Memory first, while nothing has been freed yet that could be used again."""
    return [*_memory(), *_at(10_000, 10, 30), *_at(100_000, 15, 50), _live(5_000)]


if __name__ == "__main__":
    _show(int(sys.argv[1]))
