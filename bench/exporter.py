"""The exporter under 1,000 connections a second, of more sets of labels than it may have, for ten minutes.

Beside them one connection goes over a link of 50 ms. The others are the only ones of a network namespace, so
that the kernel's own counters are theirs; each of 60 networks calls each of 20 services.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import threading
import time

import numpy as np

from bench.results import Result, flat_memory
from bench.traffic import churning, cpu_s, resident_mib
from tests.live.link import Link, sending, taking
from tests.ports import free_port
from tests.unit.exposed import bucket, parsed, value

PER_S, SECONDS = 1000, 600
SERVICES = range(7001, 7021)
NETWORKS = 60
MOST = 1000
LINK_PORT, DELAY_MS = 7100, 25
SCRAPE_S = 5.0


class _Scrapes:
    """Scrapes as Prometheus does: by one connection, compressed."""

    def __init__(self, port: int, pid: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._pid = pid
        self.took_ms: list[float] = []
        self.resident_mib: list[float] = []
        self.series: list[int] = []
        self.label_sets: list[int] = []

    def get(self, encoding: str = "identity") -> bytes:
        self._connection.request("GET", "/metrics", headers={"Accept-Encoding": encoding})
        return self._connection.getresponse().read()

    def follow(self, over: threading.Event) -> None:
        """Scrape until it is over."""
        while not over.wait(SCRAPE_S):
            began_s = time.perf_counter()
            self.get("gzip")
            self.took_ms.append(1000 * (time.perf_counter() - began_s))
            self.resident_mib.append(resident_mib(self._pid))
            text = self.get().decode()
            self.series.append(sum(not line.startswith("#") for line in text.splitlines()))
            self.label_sets.append(int(value(text, "tcptop_label_sets")))


def _median_ms(text: str) -> float:
    """The upper end of the bucket that the median of the link's samples is in."""
    buckets = [
        one
        for one in parsed(text)
        if one.name == "tcptop_rtt_seconds_bucket"
        and (one.labels["service"], one.labels["direction"]) == (str(LINK_PORT), "out")
    ]
    half = max(one.value for one in buckets) / 2
    return min(1000 * float(one.labels["le"]) for one in buckets if one.value >= half)


def measure(seconds: int = SECONDS) -> list[Result]:
    """Series, memory, time per scrape, and what is counted of what the kernel has counted."""
    port = free_port()
    ports = ",".join(map(str, (*SERVICES, LINK_PORT)))
    command = [sys.executable, "-m", "tcptop_rtt", "--prometheus", str(port), "--filter", f"port:{ports}"]
    with Link(DELAY_MS) as link, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        link.start(link.b, taking(LINK_PORT))
        link.start(link.a, sending(LINK_PORT, 100, 0.1))
        scrapes, over = _Scrapes(port, process.pid), threading.Event()
        follower = threading.Thread(target=scrapes.follow, args=(over,))
        follower.start()
        before_s = cpu_s(process.pid)
        with churning(PER_S, seconds, SERVICES, NETWORKS) as traffic:
            opened, accepted = traffic.opened_and_accepted()
        share = 100 * (cpu_s(process.pid) - before_s) / seconds
        over.set()
        follower.join()
        time.sleep(3)
        text = scrapes.get().decode()
        process.terminate()
    on_link = value(text, "tcptop_opened_connections_total", service=str(LINK_PORT))
    missed = opened + accepted - (value(text, "tcptop_opened_connections_total") - on_link)
    third = len(scrapes.resident_mib) // 3
    early_mib, late_mib = min(scrapes.resident_mib[third : 2 * third]), min(scrapes.resident_mib[2 * third :])
    median_ms = _median_ms(text)
    told = f"median of {len(scrapes.took_ms)}; 95 % within {np.quantile(scrapes.took_ms, 0.95):.0f} ms"
    return [
        Result("connections per second", opened / seconds, at_least=0.95 * PER_S),
        Result(
            "sets of labels",
            max(scrapes.label_sets),
            at_most=MOST,
            detail=f"of {len(SERVICES) * (NETWORKS + 1)}",
        ),
        Result("series", max(scrapes.series)),
        Result("the longest scrape", max(scrapes.took_ms), "ms", at_most=100),
        Result("a scrape", statistics.median(scrapes.took_ms), "ms", detail=told),
        flat_memory(early_mib, late_mib),
        Result(
            "connections not counted, of both ends",
            abs(missed),
            at_most=0,
            detail=f"of {opened + accepted:,}, by the kernel's counters",
        ),
        Result("records lost", value(text, "tcptop_dropped_records_total"), at_most=0),
        Result(
            "buckets between a 50 ms link and its median",
            abs(bucket(1000 * median_ms) - bucket(2000 * DELAY_MS)),
            at_most=1,
            detail=f"at most {median_ms:g} ms",
        ),
        Result("processor time", share, "% of a core"),
    ]
