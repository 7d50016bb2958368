"""The table of metrics: name, kind, what it means, and where its numbers are.

Names end in the unit, and counters in ``_total``, as Prometheus has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tcptop_rtt.model.rows import CONNECT_ERRORS
from tcptop_rtt.outputs.metrics.histogram import BOUNDS_US
from tcptop_rtt.view import causes

US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One line for each set of labels.

    :param column: where its numbers are
    :param suffix: of the metric's name
    :param divisor: leads from these numbers to the metric's unit
    """

    column: str
    suffix: str = ""
    divisor: int = 1


@dataclass(frozen=True, slots=True)
class Kinds:
    """Lines for each set of labels, told apart by one label more.

    :param column: where its numbers are, by kind
    :param label: the name of that label
    :param values: its value by kind; None: there is no line for it
    :param suffix: of the metric's name
    :param cumulative: each kind contains those before it; else kinds of which there is none have no line
    """

    column: str
    label: str
    values: tuple[str | None, ...]
    suffix: str = ""
    cumulative: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of series.

    :param reads: fields that a kernel may not tell: without them there are no such series
    """

    name: str
    kind: Literal["counter", "gauge", "histogram", "summary"]
    meaning: str
    samples: tuple[Sample | Kinds, ...]
    reads: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """The one label that it has beside those of its table; empty: none."""
        return next((part.label for part in self.samples if isinstance(part, Kinds)), "")


def _counter(name: str, column: str, meaning: str, *reads: str) -> Metric:
    return Metric(f"tcptop_{name}_total", "counter", meaning, (Sample(column),), frozenset(reads))


def _gauge(name: str, column: str, meaning: str, *reads: str) -> Metric:
    return Metric(f"tcptop_{name}", "gauge", meaning, (Sample(column),), frozenset(reads))


def _summary(name: str, count: str, sum_us: str, meaning: str, *reads: str) -> Metric:
    parts = Sample(count, "_count"), Sample(sum_us, "_sum", US_PER_S)
    return Metric(f"tcptop_{name}_seconds", "summary", meaning, parts, frozenset(reads))


_SCANNED = "As scans of all sockets find it: what comes after a connection's last scan is not in it."

CONNECTION_METRICS = (
    Metric(
        "tcptop_rtt_seconds",
        "histogram",
        "RTT samples of the kernel. Count and sum are exact; buckets are estimated from lowest, highest and "
        "mean where a connection has brought more than three samples in one refresh.",
        (
            Kinds(
                "buckets",
                "le",
                (*map(str, (BOUNDS_US / US_PER_S).tolist()), "+Inf"),
                "_bucket",
                cumulative=True,
            ),
            Sample("rtt_us", "_sum", US_PER_S),
            Sample("samples", "_count"),
        ),
    ),
    _gauge("connections", "open", "Established connections that are open."),
    _gauge("stalled_connections", "stalled", "Of them, those that send again or probe, and get no answer."),
    Metric(
        "tcptop_held_up_connections",
        "gauge",
        "Connections that something holds up, by the worst of it.",
        (Kinds("held_up", "why", causes.NAMES),),
    ),
    _counter("opened_connections", "opened", "Connections that have been established."),
    _counter("closed_connections", "closed", "Connections that have ended."),
    Metric(
        "tcptop_failed_connects_total",
        "counter",
        "Connects that have failed, by how.",
        (Kinds("failures", "reason", CONNECT_ERRORS),),
    ),
    _counter(
        "sent_bytes", "bytes_acked", "Sent and acknowledged; SYN and FIN count one each, as in the kernel."
    ),
    _counter("received_bytes", "bytes_received", "Received in order; FIN counts one, as in the kernel."),
    _counter("retransmitted_segments", "retrans", "Segments that have been sent again."),
    _summary("connect", "connects", "connect_us", "From our SYN until the connection was established."),
    _summary(
        "answer",
        "answers",
        "answer_sum_us",
        f"From our last data to the first data of the peer's answer, the path included. {_SCANNED}",
        "answers",
    ),
    _summary(
        "reply",
        "replies",
        "reply_sum_us",
        f"From the peer's last data to the first data of our reply. {_SCANNED}",
        "replies",
    ),
)
"""By process, service, direction and remote network."""

LISTENER_METRICS = (
    _gauge("listeners", "listeners", "Sockets that listen."),
    _gauge("full_listeners", "full", "Of them, those whose accept queue is full.", "queue", "queue_limit"),
    _gauge("listen_queue_connections", "queue", "Connections that wait to be accepted.", "queue"),
    _gauge("listen_queue_limit", "queue_limit", "How many connections may wait.", "queue_limit"),
    _counter(
        "listen_drops",
        "drops",
        "Handshakes and segments that listeners have dropped, most of them as the queue was full.",
        "drops",
    ),
)
"""By process and service."""

PROGRAM_METRICS = (
    _gauge("time_wait_sockets", "time_wait", "Sockets in TIME-WAIT, in all network namespaces."),
    _gauge("syn_recv_sockets", "syn_recv", "Sockets in SYN-RECV, in all network namespaces."),
    _counter("dropped_records", "dropped_records", "Records of the kernel side that found no room."),
    _counter("untracked_connections", "untracked", "Connections that the kernel side had no memory for."),
    _gauge("problem", "problem", "1 while something does not work, such as listing the sockets."),
    _gauge("label_sets", "label_sets", "Sets of labels of connections, beside the one of all others."),
    _gauge("label_sets_limit", "label_sets_limit", "How many there may be."),
    Metric(
        "tcptop_refresh_timestamp_seconds",
        "gauge",
        "When these numbers were read, Unix time.",
        (Sample("time_us", divisor=US_PER_S),),
    ),
    Metric(
        "process_cpu_seconds_total",
        "counter",
        "Processor time of this program.",
        (Sample("cpu_us", divisor=US_PER_S),),
    ),
    Metric("process_resident_memory_bytes", "gauge", "Memory of this program.", (Sample("rss_bytes"),)),
    Metric(
        "process_start_time_seconds",
        "gauge",
        "When this program was started, Unix time.",
        (Sample("started_us", divisor=US_PER_S),),
    ),
)
"""Of the whole machine, and of the program itself."""

BUILD_INFO = Metric(
    "tcptop_build_info", "gauge", "Always 1; version, kernel and hook are labels.", (Sample("one"),)
)
