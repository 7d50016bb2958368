"""The table of a connection's fields: for each its name, meaning and value in the stream, and its column.

The stream, its schema, the screen's table, plain tables, sorting and help are all made from this table.
Unknown values are None: :mod:`tcptop_rtt.model.known` says which are unknown.
"""

from __future__ import annotations

from tcptop_rtt.model.rows import HOLDERS, ROW, STATES
from tcptop_rtt.model.snapshot import SPARK_CELLS, SPARK_S
from tcptop_rtt.view import causes, cells, matches, numbers, sort_keys, values
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.detail_fields import DETAILS
from tcptop_rtt.view.field_kinds import (
    address,
    choice,
    endpoint,
    flag,
    former,
    host,
    integer,
    mean,
    rate,
    rtt,
    text,
    waiting,
)
from tcptop_rtt.view.field_units import PER_SECOND, unit_of
from tcptop_rtt.view.shown import shown
from tcptop_rtt.view.table import Column, Field, Table

_FIELDS = (
    integer("id", "a number for the connection, never used twice in one run", nullable=False),
    host("where the connection is"),
    text(
        "comm",
        "the name of the process that holds the socket",
        "nginx",
        Column(
            "process",
            "PROCESS",
            15,
            8,
            "who holds the socket; (name): listens, has not accepted it; -: nobody any more; ?: not known",
            cells.process,
            sort_keys.by_name,
            least=(10, 1),
            numeric=False,
            cut="end",
        ),
        ("proc",),
    ),
    integer(
        "pid",
        "its number; null beside a comm: it is in another PID namespace",
        Column(
            "pid", "PID", 7, 5, "process id; -: none; ?: not known", cells.pid, sort_keys.by_number("pid")
        ),
    ),
    address("laddr", "our address", endpoint("local", "LOCAL", 15, "our address and port", "l", (6, 4))),
    integer("lport", "our port"),
    address(
        "raddr",
        "the peer's address",
        endpoint("remote", "REMOTE", 4, "the peer's address and port", "r", (15, 2)),
    ),
    integer("rport", "the peer's port"),
    choice(
        "state",
        "as in ss",
        STATES,
        Column(
            "state",
            "STATE",
            10,
            7,
            "as in ss; blank: ESTAB; STALLED: retransmits or probes, no answer; CLOSED: gone, leaves soon",
            cells.state,
            sort_keys.by_state,
            numeric=False,
            usual="ESTAB",
        ),
        match=matches.states(),
    ),
    integer(
        "srtt_us",
        "smoothed round-trip time",
        Column(
            "rtt",
            "RTT",
            fmt.AGED_RTT_WIDTH,
            0,
            "smoothed round-trip time (srtt); green < 50 ms, yellow < 150 ms, red above, or as set; dim with "
            "an age: the latest sample is so old, or of the handshake; ~: estimated from what it receives; "
            "no ACK: stalled",
            cells.rtt,
            sort_keys.by_rtt,
        ),
        match=matches.numbers(numbers.rtts, unit_of("srtt_us")),
    ),
    integer("rtt_lo_us", "lowest RTT sample since the previous line"),
    integer(
        "rtt_hi_us",
        "highest RTT sample since the previous line",
        Column(
            "spark",
            f"LAST {SPARK_S}s",
            12,
            13,
            "highest RTT per second, on a log scale from the row's lowest; space: no sample; l: one for all",
            None,
            None,
            least=(4, 6),
            wide=SPARK_CELLS,
            numeric=False,
        ),
    ),
    integer("rtt_samples", "how many there were since the previous line; null: no sample is seen"),
    mean(
        "rtt_sum_us",
        "rtt_samples",
        "their sum",
        ("mean", "MEAN", 18, "mean of the RTT samples since the last refresh"),
    ),
    rtt("rtt_p50_us", "median of the RTT samples of the last 30 to 60 s, estimated", "p50", "P50 1m", 22),
    rtt(
        "rtt_p95_us",
        "95th percentile of the RTT samples of the last 30 to 60 s, estimated",
        "p95",
        "P95 1m",
        15,
    ),
    integer(
        "peak_rtt_us",
        "highest RTT sample of the last ten minutes; of the tenth only a part counts",
        Column(
            "peak",
            "PEAK 10m",
            fmt.PEAK_WIDTH,
            12,
            "highest RTT sample of the last 10 minutes, when; coloured where it is worse than RTT",
            cells.peak,
            sort_keys.by_number("peak_rtt_us"),
        ),
    ),
    integer("peak_age_ms", "since it was taken"),
    integer("peak_time_s", "when it was taken, seconds since the Unix epoch"),
    rtt("rttvar_us", "mean deviation of the RTT (rttvar)", "jitter", "JITTER", 16),
    rtt("min_rtt_us", "lowest RTT of the last minutes (min_rtt)", "min_rtt", "MIN", 17, ("min",)),
    integer(
        "retrans",
        "segments sent again, in all",
        Column(
            "retrans",
            "RETR",
            5,
            10,
            "segments retransmitted, in total; yellow: in the last minute, too",
            cells.retrans,
            sort_keys.by_number("retrans"),
        ),
        words=("retr",),
        match=matches.either(
            matches.numbers(numbers.of_field("retrans"), unit_of("retrans")),
            matches.numbers(numbers.retransmit_rates, PER_SECOND),
        ),
    ),
    rate("in_bps", "received", "in", "IN b/s", 7, 11),
    rate("out_bps", "sent and acknowledged", "out", "OUT b/s", 8, 12),
    integer(
        "age_ns",
        "since it was opened if that was seen, or else since it was first seen",
        Column(
            "age",
            "AGE",
            5,
            13,
            "since it was opened; >: it was there before we started",
            cells.age,
            sort_keys.by_number("age_ns"),
        ),
        nullable=False,
        match=matches.numbers(
            numbers.of_field("age_ns"), unit_of("age_ns"), at_least=lambda get: ~get("open_seen")
        ),
    ),
    choice(
        "holder",
        "how the process is known: it holds the socket, listens and has not accepted it yet, "
        "there is none any more, or the kernel itself holds it",
        HOLDERS,
    ),
    integer("connect_us", "from our SYN until it was established", words=("connect",)),
    integer(
        "first_byte_us",
        "until the peer's first data: from our first, or since it was established if the peer spoke first",
    ),
    waiting(flag("queue_full", "whether the queue that it waits in was full at the latest scan")),
    former(integer("was_pid", "PID of the process that held it last")),
    former(text("was_comm", "its name", "nginx")),
    integer("uid", "the process's effective one; the socket's, as long as no process is known"),
    integer("started_ns", "when the process was started, nanoseconds since the machine was"),
    text(
        "unit",
        "the container, the pod or the unit of systemd that the process runs in",
        "nginx.service",
        Column(
            "unit",
            "UNIT",
            20,
            19,
            "the container, pod or systemd unit of the process",
            cells.text("unit"),
            sort_keys.by_text("unit"),
            numeric=False,
            cut="end",
        ),
        ("container", "pod"),
        matches.units(),
    ),
    mean(
        "answer_sum_us_1m",
        "answers_1m",
        "the sum of the times of answers_1m",
        ("answer", "ANSWER", 20, "from our last data to the peer's first; mean over the last minute"),
    ),
    mean(
        "reply_sum_us_1m",
        "replies_1m",
        "the sum of the times of replies_1m",
        ("reply", "REPLY", 21, "from the peer's last data to our next; mean over the last minute"),
    ),
    Field(
        "wait_us",
        "integer",
        "what the side that asks waits for per request, or per round trip where there are no requests",
        values.waits,
        matches.numbers(numbers.waits, unit_of("wait_us")),
        column=Column(
            "wait",
            "WAIT",
            cells.WAIT_CELLS,
            14,
            "of the side that asks, in parts; the details name them; several: requests overtake each other",
            cells.wait,
            sort_keys.by_wait,
            numeric=False,
            falls=True,
        ),
    ),
    Field(
        "why",
        "string",
        "what holds it up, the most severe; null: nothing, as far as is known",
        values.whys,
        matches.whys(),
        tuple(cause.name for cause in causes.CAUSES if not cause.explains),
        column=Column(
            "why",
            "WHY",
            16,
            9,
            "what holds it up; red: it makes no progress; blank: nothing, or too little is known",
            cells.why,
            sort_keys.by_why,
            numeric=False,
            falls=True,
            least=(13, 3),
            cut="before number",
        ),
    ),
    *DETAILS,
)

_NO_FIELD = {
    "port": matches.any_of(
        *(matches.numbers(numbers.of_field(name), unit_of(name)) for name in ("lport", "rport"))
    ),
    "local_peer": matches.locality(),
}

CONNECTIONS = Table("connections", ROW, _FIELDS, shown, _NO_FIELD)
"""The table of connections: all that the stream says of one, but for the time and its process's cgroup."""
