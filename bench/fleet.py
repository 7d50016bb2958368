"""The fleet of 1,000 hosts, each with three services of one network: the real Prometheus scrapes what a
generator writes as one target, with the rules of contrib/prometheus, and is asked for the table of hosts.

The server's time is its own account of each question.
"""

from __future__ import annotations

import http.server
import json
import multiprocessing
import os
import statistics
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.results import Result
from tcptop_rtt.feeds.fleet import queries
from tcptop_rtt.feeds.fleet.client import Client
from tcptop_rtt.feeds.fleet.rows import Rows
from tcptop_rtt.model.question import Question
from tcptop_rtt.outputs.metrics.histogram import BOUNDS_US
from tests.live.prometheus import Prometheus
from tests.ports import free_port

HOSTS, SERVICES = 1000, (80, 443, 5432)
SCRAPE_S, WARM_S, TIMES = 15, 75, 5
CONTRIB = Path(__file__).parents[1] / "contrib" / "prometheus"
_COUNTERS = (
    "opened_connections",
    "closed_connections",
    "sent_bytes",
    "received_bytes",
    "retransmitted_segments",
)
_SUMMARIES = ("answer_seconds", "reply_seconds", "connect_seconds")


def exposition(began_s: float) -> str:
    """What all hosts tell after some time: ten samples a second of each service, at an RTT of its host."""
    n = round(10 * (time.monotonic() - began_s))
    found = []
    for host in range(HOSTS):
        found.append(f'tcptop_build_info{{instance="host{host}"}} 1')
        rtt_us = 100 * (1 + host)
        for port in SERVICES:
            labels = f'instance="host{host}",process="app{port}",service="{port}",direction="in"'
            labels += f',remote_network="10.{host % 250}.0.0/16"'
            found += [
                f'tcptop_rtt_seconds_bucket{{{labels},le="{bound / 1e6}"}} {n if bound >= rtt_us else 0}'
                for bound in BOUNDS_US.tolist()
            ]
            found += [
                f'tcptop_rtt_seconds_bucket{{{labels},le="+Inf"}} {n}',
                f"tcptop_rtt_seconds_count{{{labels}}} {n}",
                f"tcptop_rtt_seconds_sum{{{labels}}} {n * rtt_us / 1e6}",
                f"tcptop_connections{{{labels}}} 10",
                f"tcptop_stalled_connections{{{labels}}} 0",
                *(f"tcptop_{name}_total{{{labels}}} {n}" for name in _COUNTERS),
                *(f"tcptop_{name}_count{{{labels}}} {n}" for name in _SUMMARIES),
                *(f"tcptop_{name}_sum{{{labels}}} {n / 100}" for name in _SUMMARIES),
            ]
    return "\n".join(found) + "\n"


class _Target(http.server.BaseHTTPRequestHandler):
    began_s = time.monotonic()

    def do_GET(self) -> None:
        """Write all series."""
        body = exposition(self.began_s).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


def _serve(port: int) -> None:
    http.server.ThreadingHTTPServer(("127.0.0.1", port), _Target).serve_forever()


def _asked(port: int, path: str, **parameters: str) -> float:
    """How long the server has worked at a question, by its own account, seconds."""
    form = urllib.parse.urlencode({**parameters, "stats": "all"}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", form, timeout=60) as answer:
        return float(json.load(answer)["data"]["stats"]["timings"]["execTotalTime"])


def measure() -> list[Result]:
    """The server's time for the table and for the sparklines, and ours for the rows."""
    # A process of its own, that does not hold the interpreter's lock while we measure.
    port = free_port()
    target = multiprocessing.get_context("spawn").Process(target=_serve, args=(port,), daemon=True)
    target.start()
    with tempfile.TemporaryDirectory() as place:
        rules = (CONTRIB / "rules.yml",)
        try:
            with closing(
                Prometheus(Path(place), (port,), rules, scrape_s=SCRAPE_S, honor_labels=True)
            ) as server:
                time.sleep(WARM_S)
                return _measured(server)
        finally:
            target.kill()
            target.join()


def _measured(server: Prometheus) -> list[Result]:
    question = Question()
    client = Client(f"http://127.0.0.1:{server.port}", timeout_s=60)
    recorded = {str(one["metric"].get("field")) for one in client.vector(queries.presence()).series}
    tables = [_asked(server.port, "query", query=queries.table(question, recorded)) for _ in range(TIMES)]
    raw_s = _asked(server.port, "query", query=queries.table(question))
    now, step = time.time(), question.range_s / 24
    span = {"start": str(now - 23 * step), "end": str(now), "step": str(step)}
    sparks_s = _asked(server.port, "query_range", query=queries.history(question, 60), **span)
    began_s = time.perf_counter()
    samples = client.vector(queries.table(question, recorded)).series
    answered_s = time.perf_counter()
    rows = Rows(question, samples)
    made_ms = 1000 * (time.perf_counter() - answered_s)
    series = server.api("status/tsdb")["headStats"]["numSeries"]
    busy = f"load {os.getloadavg()[0]:.1f}"
    return [
        Result("series", series),
        Result("hosts in the table", len(rows.groups), at_least=HOSTS, detail=f"{len(samples):,} values"),
        Result("recorded metrics that are used", len(recorded - {"scrapes"}), at_least=2),
        Result("server's time, table", statistics.median(tables), "s", at_most=2,
               detail=f"median of {TIMES}, at most {max(tables):.2f}; {busy}"),
        Result("server's time, table without the rules", raw_s, "s"),
        Result("server's time, sparklines", sparks_s, "s", at_most=2, detail="once per cell, 12.5 s"),
        Result("from question to answer", answered_s - began_s, "s"),
        Result("rows of the answer", made_ms, "ms"),
    ]  # fmt: skip
