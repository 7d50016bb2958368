"""The table of metrics: name, kind, meaning, columns, and the OpenTelemetry name.

Names end in the unit, and those of counters in ``_total``, as is usual for Prometheus. OpenTelemetry names
are those of its semantic conventions or of proposals for them; other names begin with ``tcptop.``.
"""

from __future__ import annotations

from tcptop_rtt.model.records import Direction
from tcptop_rtt.model.rows import CONNECT_ERRORS, DIRECTIONS
from tcptop_rtt.model.targets import COUNTS
from tcptop_rtt.outputs.metrics.histogram import BOUNDS_US
from tcptop_rtt.outputs.metrics.labels import OTHER
from tcptop_rtt.outputs.metrics.metric import Kinds, Metric, Otel, Sample
from tcptop_rtt.view import causes

US_PER_S = 1_000_000


def _counter(name: str, column: str, otel: Otel, meaning: str, *reads: str) -> Metric:
    return Metric(f"tcptop_{name}_total", "counter", meaning, (Sample(column),), otel, frozenset(reads))


def _gauge(name: str, column: str, otel: Otel, meaning: str, *reads: str) -> Metric:
    return Metric(f"tcptop_{name}", "gauge", meaning, (Sample(column),), otel, frozenset(reads))


def _summary(name: str, count: str, sum_us: str, otel: str, meaning: str, *reads: str) -> Metric:
    parts = Sample(count, "_count"), Sample(sum_us, "_sum", US_PER_S)
    reads_ = frozenset(reads)
    return Metric(f"tcptop_{name}_seconds", "summary", meaning, parts, Otel(otel, "s"), reads_)


_CONNECTIONS = "{connection}"
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
        Otel("system.network.tcp.rtt.duration", "s"),
    ),
    _gauge(
        "connections",
        "open",
        Otel("tcptop.connection.count", _CONNECTIONS),
        "Established connections that are open.",
    ),
    _gauge(
        "stalled_connections",
        "stalled",
        Otel("tcptop.connection.stalled", _CONNECTIONS),
        "Of them, those that send again or probe, and get no answer.",
    ),
    Metric(
        "tcptop_held_up_connections",
        "gauge",
        "Connections that something holds up, by the worst of it.",
        (Kinds("held_up", "why", causes.NAMES, ever="ever_held_up"),),
        Otel("tcptop.connection.held_up", _CONNECTIONS, attribute="tcptop.why"),
    ),
    _counter(
        "opened_connections",
        "opened",
        Otel("system.network.tcp.connection.successes", _CONNECTIONS),
        "Connections that have been established.",
    ),
    _counter(
        "closed_connections",
        "closed",
        Otel("tcptop.connection.closed", _CONNECTIONS),
        "Connections that have ended.",
    ),
    Metric(
        "tcptop_failed_connects_total",
        "counter",
        "Connects that have failed, by how.",
        (Kinds("failures", "reason", CONNECT_ERRORS, whole_for=(str(DIRECTIONS[Direction.OUT]), OTHER)),),
        Otel(
            "system.network.tcp.connection.failures",
            _CONNECTIONS,
            attribute="error.type",
            values=(None, *COUNTS[:-1], "_OTHER"),
        ),
    ),
    _counter(
        "sent_bytes",
        "bytes_acked",
        Otel("tcptop.connection.io", "By", ("network.io.direction", "transmit")),
        "Sent and acknowledged; SYN and FIN count one each, as in the kernel.",
    ),
    _counter(
        "received_bytes",
        "bytes_received",
        Otel("tcptop.connection.io", "By", ("network.io.direction", "receive")),
        "Received in order; FIN counts one, as in the kernel.",
    ),
    _counter(
        "retransmitted_segments",
        "retrans",
        Otel("system.network.tcp.retransmits", "{segment}"),
        "Segments that have been sent again.",
    ),
    _summary(
        "connect",
        "connects",
        "connect_us",
        "system.network.tcp.handshake.duration",
        "From our SYN until the connection was established.",
    ),
    _summary(
        "answer",
        "answers",
        "answer_sum_us",
        "tcptop.answer.duration",
        f"From our last data to the first data of the peer's answer, the path included. {_SCANNED}",
        "answers",
    ),
    _summary(
        "reply",
        "replies",
        "reply_sum_us",
        "tcptop.reply.duration",
        f"From the peer's last data to the first data of our reply. {_SCANNED}",
        "replies",
    ),
)
"""Metrics by process, service, direction and remote network."""

LISTENER_METRICS = (
    _gauge("listeners", "listeners", Otel("tcptop.listener.count", "{listener}"), "Sockets that listen."),
    _gauge(
        "full_listeners",
        "full",
        Otel("tcptop.listener.full", "{listener}"),
        "Of them, those whose accept queue is full.",
        "queue",
        "queue_limit",
    ),
    _gauge(
        "listen_queue_connections",
        "queue",
        Otel("tcptop.listener.queue.usage", _CONNECTIONS),
        "Connections that wait to be accepted.",
        "queue",
    ),
    _gauge(
        "listen_queue_limit",
        "queue_limit",
        Otel("tcptop.listener.queue.limit", _CONNECTIONS),
        "How many connections may wait.",
        "queue_limit",
    ),
    _counter(
        "listen_drops",
        "drops",
        Otel("tcptop.listener.drops", "{segment}"),
        "Handshakes and segments that listeners have dropped, most of them as the queue was full.",
        "drops",
    ),
)
"""Metrics by process and service."""

PROGRAM_METRICS = (
    _gauge(
        "time_wait_sockets",
        "time_wait",
        Otel("tcptop.socket.time_wait", "{socket}"),
        "Sockets in TIME-WAIT, in all network namespaces.",
    ),
    _gauge(
        "syn_recv_sockets",
        "syn_recv",
        Otel("tcptop.socket.syn_recv", "{socket}"),
        "Sockets in SYN-RECV, in all network namespaces.",
    ),
    _counter(
        "dropped_records",
        "dropped_records",
        Otel("tcptop.record.dropped", "{record}"),
        "Records of the kernel side that found no room.",
    ),
    _counter(
        "untracked_connections",
        "untracked",
        Otel("tcptop.connection.untracked", _CONNECTIONS),
        "Connections that the kernel side had no memory for.",
    ),
    _gauge(
        "problem",
        "problem",
        Otel("tcptop.problem", "{problem}", adds_up=False),
        "1 while something does not work, such as listing the sockets.",
    ),
    _gauge(
        "label_sets",
        "label_sets",
        Otel("tcptop.label_set.count", "{set}"),
        "Sets of labels of connections, beside the one of all others.",
    ),
    _gauge(
        "label_sets_limit",
        "label_sets_limit",
        Otel("tcptop.label_set.limit", "{set}"),
        "How many there may be.",
    ),
    Metric(
        "tcptop_refresh_timestamp_seconds",
        "gauge",
        "When these numbers were read, Unix time.",
        (Sample("time_us", divisor=US_PER_S),),
        None,  # each data point has its time
    ),
    Metric(
        "process_cpu_seconds_total",
        "counter",
        "Processor time of this program.",
        (Sample("cpu_us", divisor=US_PER_S),),
        Otel("tcptop.cpu.time", "s"),
    ),
    Metric(
        "process_resident_memory_bytes",
        "gauge",
        "Memory of this program.",
        (Sample("rss_bytes"),),
        Otel("process.memory.usage", "By"),
    ),
    Metric(
        "process_start_time_seconds",
        "gauge",
        "When this program was started, Unix time.",
        (Sample("started_us", divisor=US_PER_S),),
        None,  # each data point has the start time of its count
    ),
)
"""Metrics of the whole machine and of the program itself."""

BUILD_INFO = Metric(
    "tcptop_build_info", "gauge", "Always 1; version, kernel and hook are labels.", (Sample("one"),), None
)
