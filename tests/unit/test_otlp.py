"""Metrics by OTLP: what is said under which name, and what becomes of a push that is not taken."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from tcptop_rtt.model.records import Direction
from tcptop_rtt.model.rows import CONNECT_ERRORS
from tcptop_rtt.model.snapshot import Health, Waiting
from tcptop_rtt.outputs.metrics import labels, table
from tcptop_rtt.outputs.metrics.aggregate import Aggregate
from tcptop_rtt.outputs.metrics.label_sets import KEPT_NS
from tcptop_rtt.outputs.metrics.metric import Metric
from tcptop_rtt.outputs.otlp import encoding
from tests.unit.counted import STARTED_NS, Counted, at_end, out
from tests.unit.otlp import Point, chosen, plain, points, value
from tests.unit.rows import listener, listeners_of, row

ROOT = Path(__file__).parents[2]
RTT, IO = "system.network.tcp.rtt.duration", "tcptop.connection.io"
S_NS = 1_000_000_000


def told(aggregate: Aggregate) -> list[Point]:
    """What is pushed of it."""
    return points(*encoding.requests(aggregate))


# What is said


def test_numbers_are_under_the_names_of_the_conventions() -> None:
    counted = Counted()
    connections = [
        out(1, bytes_acked=70, bytes_received=9, retrans=2, connect_us=3000, answers=2, answer_sum_us=900),
        row(2, direction=Direction.IN, comm=b"nginx", lport=80, open_seen=True, bytes_acked=5),
        at_end(out(3, bytes_acked=0), connect_error=CONNECT_ERRORS.index("timed-out")),
        at_end(out(4, bytes_acked=0), connect_error=CONNECT_ERRORS.index("other")),
    ]
    there = told(counted.take(*connections))
    client = {"network_tcp_handshake_role": "client", "process_executable_name": "curl", "server_port": 443}
    assert value(there, IO, network_io_direction="transmit", **client) == 70
    assert value(there, IO, network_io_direction="receive", **client) == 9
    assert value(there, IO, network_io_direction="transmit", network_tcp_handshake_role="server") == 5
    assert value(there, "system.network.tcp.retransmits", **client) == 2
    assert value(there, "system.network.tcp.connection.successes", **client) == 1
    assert value(there, "tcptop.connection.count") == 2
    failures = chosen(there, "system.network.tcp.connection.failures")
    ways = {"refused": 0, "timed_out": 1, "unreachable": 0, "given_up": 0, "no_port": 0, "_OTHER": 1}
    assert {one.labels["error.type"]: one.value for one in failures} == ways
    assert all(one.labels["network.tcp.handshake.role"] == "client" for one in failures)
    (handshakes,) = chosen(there, "system.network.tcp.handshake.duration", **client)
    assert (handshakes.raw.count, handshakes.raw.sum) == (1, 0.003)
    assert list(handshakes.raw.bucket_counts) == [1]
    (answers,) = chosen(there, "tcptop.answer.duration", **client)
    assert (answers.raw.count, answers.raw.sum) == (2, 0.0009)


def test_it_says_of_which_host_and_program_they_are() -> None:
    (body,) = encoding.requests(Counted().take())
    (found,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    said = plain(found.resource.attributes)
    assert said["service.name"] == "tcptop-rtt"
    assert said["host.name"] == said["service.instance.id"] == "host"
    assert said["tcptop.hook"] == "fentry"
    assert said["os.version"] == '6.1 "a\\\ufffd"'


def test_totals_are_monotonic_and_what_may_become_less_is_not() -> None:
    listens = listeners_of(listener(1))
    there = told(Counted().take(out(1, stalled=True), listeners=listens, waiting=(Waiting(1, 3, 1),)))
    kinds = {one.name: one.kind for one in there}
    for metrics in (table.CONNECTION_METRICS, table.LISTENER_METRICS, table.PROGRAM_METRICS):
        for one in metrics:
            if one.otel and one.otel.name in kinds:
                assert kinds[one.otel.name] == _kind(one)
    assert len(kinds) > 20


def _kind(metric: Metric) -> str:
    assert metric.otel
    gauge = "sum" if metric.otel.adds_up else "gauge"
    return {
        "counter": "monotonic",
        "gauge": gauge,
        "histogram": "exponential_histogram",
        "summary": "histogram",
    }[metric.kind]


def test_what_is_not_known_is_not_there() -> None:
    lacking = Health("fentry", lacking=frozenset({"answers", "queue"}))
    there = told(
        Counted().take(row(1, comm=b"", lport=51_000, rport=52_000), row(2, family=0), health=lacking)
    )
    names = {one.name for one in there}
    assert not names & {"tcptop.answer.duration", "tcptop.listener.queue.usage", "tcptop.socket.time_wait"}
    assert "process.memory.usage" not in names
    labels_there = [one.labels for one in chosen(there, "tcptop.connection.count")]
    assert {"tcptop.remote_network": "198.51.100.0/24"} in labels_there
    assert all("?" not in map(str, one.values()) for one in labels_there)


def test_what_is_beyond_the_bound_is_told_as_the_overflow() -> None:
    counted = Counted(most=3)
    there = told(counted.take(*(out(port, rport=port) for port in range(1, 11))))
    found = chosen(there, "tcptop.connection.count")
    assert len(found) == 4
    assert value(there, "tcptop.connection.count") == 10
    (rest,) = chosen(there, "tcptop.connection.count", otel_metric_overflow=True)
    assert (rest.value, rest.labels) == (7, {"otel.metric.overflow": True})


def test_what_held_connections_up_is_told_to_be_over() -> None:
    counted, name = Counted(), "tcptop.connection.held_up"
    there = told(counted.take(out(1, stalled=True, retransmits=3)))
    assert value(there, name, tcptop_why="silent") == 1
    there = told(counted.take(out(1)))
    (over,) = chosen(there, name)
    assert (over.value, over.labels["tcptop.why"]) == (0, "silent")


def test_a_hostile_name_of_a_process_stays_an_attribute() -> None:
    for name in (b'a"} 1\nx{y="', b"\x1b[2J", b"\xff\xfe", b"\xed\xa0\x80"):
        (found,) = chosen(told(Counted().take(out(1, comm=name))), "tcptop.connection.count")
        assert str(found.labels["process.executable.name"]).isprintable()


def test_many_sets_go_in_several_requests_with_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "SETS_PER_REQUEST", 7)
    aggregate = Counted().take(*(out(port, rport=port, bytes_acked=port) for port in range(1, 31)))
    bodies = [*encoding.requests(aggregate)]
    assert len(bodies) == 5
    assert value(points(*bodies), IO, network_io_direction="transmit") == sum(range(1, 31))
    assert value(points(*bodies), "tcptop.label_set.count") == 30


# Since when


def _spans(there: list[Point], name: str = IO) -> dict[int, tuple[float, float]]:
    """By service: after how many seconds its totals begin, and end."""
    return {
        one.labels["server.port"]: (
            (one.raw.start_time_unix_nano - STARTED_NS) / S_NS,
            (one.raw.time_unix_nano - STARTED_NS) / S_NS,
        )
        for one in chosen(there, name)
    }


def test_totals_begin_where_nothing_of_theirs_had_been_counted() -> None:
    counted = Counted()
    there = told(counted.take(out(1, rport=80)))
    assert _spans(there) == {80: (0, 1)}
    assert _spans(there, "tcptop.connection.closed") == {80: (0, 1)}
    there = told(counted.take(out(1, rport=80), out(2, rport=443)))
    # What the second has brought has happened since the first snapshot.
    assert _spans(there) == {80: (0, 2), 443: (1, 2)}


def test_a_set_that_comes_back_begins_after_its_last_number() -> None:
    counted = Counted()
    assert _spans(told(counted.take(at_end(out(1, rport=80, bytes_acked=9))))) == {80: (0, 1)}
    gone = counted.take(after_ns=KEPT_NS + 1)
    assert _spans(told(gone)) == {}
    there = told(counted.take(out(2, rport=80, bytes_acked=2)))
    begun_s, _ = _spans(there)[80]
    assert begun_s == (gone.time_ns - STARTED_NS) / S_NS > 300
    assert value(there, IO, network_io_direction="transmit") == 2


def test_a_clock_that_is_set_back_makes_nothing_begin_after_it_ends() -> None:
    there = told(Counted().take(out(1, rport=80), set_back_ns=4 * S_NS))
    assert _spans(there) == {80: (-3, -3)}


# RTT


def _histogram(*samples: list[int]) -> Any:
    """The exponential histogram of the samples of some connections, in microseconds."""
    connections = [
        out(at, rtt_samples=len(us), rtt_lo_us=min(us), rtt_hi_us=max(us), rtt_sum_us=sum(us))
        for at, us in enumerate(samples, 1)
    ]
    (found,) = chosen(told(Counted().take(*connections)), RTT)
    return found.raw


def _ranges(point: Any) -> list[tuple[float, float, int]]:
    """Its buckets that have something: above which value, up to which, and how many."""
    base = 2.0**2.0**-point.scale
    return [
        (base ** (point.positive.offset + at), base ** (point.positive.offset + at + 1), count)
        for at, count in enumerate(point.positive.bucket_counts)
        if count
    ]


def test_each_of_up_to_three_samples_is_in_the_bucket_that_its_index_says() -> None:
    rng = np.random.default_rng(3)
    for us in np.exp(rng.uniform(np.log(1), np.log(2**32 - 1), 300)).astype(int).tolist():
        ((above_s, up_to_s, count),) = _ranges(_histogram([us]))
        assert above_s < us / 1e6 <= up_to_s
        assert up_to_s / above_s < 1.1
        assert count == 1
    samples = np.exp(rng.uniform(np.log(10), np.log(2e7), (100, 3))).astype(int)
    found = _histogram(*samples.tolist())
    for above_s, up_to_s, count in _ranges(found):
        assert ((samples > 1e6 * above_s) & (samples <= 1e6 * up_to_s)).sum() == count
    assert found.count == samples.size


def test_a_sample_on_a_bound_is_below_it() -> None:
    assert _ranges(_histogram([500_000]))[0][1] == pytest.approx(0.5, rel=1e-9)
    assert _ranges(_histogram([500_001]))[0][0] == pytest.approx(0.5, rel=1e-9)


def test_count_is_that_of_all_buckets_and_sum_is_exact() -> None:
    rng = np.random.default_rng(4)
    samples = [rng.integers(0, 500_000, int(rng.integers(1, 50))).tolist() for _ in range(50)]
    found = _histogram(*samples, [0], [0, 0])
    assert found.count == sum(map(len, samples)) + 3
    assert found.count == found.zero_count + sum(found.positive.bucket_counts)
    assert found.sum == pytest.approx(sum(map(sum, samples)) / 1e6, rel=1e-12)
    assert found.positive.bucket_counts[0] > 0
    assert found.positive.bucket_counts[-1] > 0
    assert not found.negative.bucket_counts


def test_what_is_no_microsecond_counts_as_zero() -> None:
    found = _histogram([0], [1])
    assert found.zero_count == 1
    ((above_s, _, count),) = _ranges(found)
    assert above_s == pytest.approx(found.zero_threshold)
    assert count == 1


def test_without_samples_there_are_no_buckets() -> None:
    (found,) = chosen(told(Counted().take(out(1))), RTT)
    assert (found.raw.count, found.raw.sum, [*found.raw.positive.bucket_counts]) == (0, 0, [])


# Documents


def _documented() -> list[tuple[str, str, str, str, str]]:
    """Name, kind, unit, attributes, and whose numbers they are, of each metric in docs/metrics.md."""
    text = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(
        r"^\| `([\w.]+)` \| ([\w -]+) \| `([\w{}]+)` \| (.*?) \| `(\w+)` \|$", text, re.MULTILINE
    )
    return [(name, kind, unit, attributes.replace("`", ""), of) for name, kind, unit, attributes, of in rows]


def test_the_documented_names_are_those_that_there_are() -> None:
    kinds = {"monotonic": "counter", "sum": "up-down counter"}
    there = []
    for metrics in (table.CONNECTION_METRICS, table.LISTENER_METRICS, table.PROGRAM_METRICS):
        for one in metrics:
            if one.otel:
                own = " ".join(one.otel.fixed or ())
                kind = kinds.get(_kind(one), _kind(one)).replace("_", " ")
                attributes = ", ".join(filter(None, (own, one.otel.attribute)))
                there.append((one.otel.name, kind, one.otel.unit, attributes, one.name))
    assert _documented() == there


def test_every_label_has_its_attribute() -> None:
    texts = dict(zip(labels.OF_CONNECTIONS, ("curl", "443", "in", "10.0.0.0/24"), strict=True))
    found = plain(encoding.attributes(labels.LabelSet(texts, 0)))
    assert len(found) == len(texts)
    documents = (ROOT / "docs" / "metrics.md").read_text()
    assert all(f"`{name}`" in documents for name in found)
