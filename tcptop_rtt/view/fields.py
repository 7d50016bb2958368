"""The table of a connection's fields: for each its name, meaning and value in the stream, and its column.

The stream, its schema, the screen's table, plain tables, sorting and help are all made from this table.
Unknown values are None: :mod:`tcptop_rtt.model.known` says which are unknown.
"""

from __future__ import annotations

from tcptop_rtt.model.rows import CONNECT_ERRORS, DIRECTIONS, HOLDERS, ROW, STATES
from tcptop_rtt.model.snapshot import SPARK_CELLS, SPARK_S
from tcptop_rtt.model.waited import SLOW_WAIT_US
from tcptop_rtt.view import causes, cells, matches, numbers, parsing, sort_keys, values
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.field_kinds import (
    address,
    choice,
    endpoint,
    flag,
    host,
    integer,
    interface,
    mean,
    rate_column,
    rtt,
    text,
)
from tcptop_rtt.view.field_units import PER_SECOND, unit_of
from tcptop_rtt.view.shown import shown
from tcptop_rtt.view.table import Column, Field, Table

_SLOW = f"took {SLOW_WAIT_US // 1000} ms or longer"

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
    integer(
        "in_bps",
        "bits received per second, over about the last one",
        rate_column("in", "IN b/s", 7, 11, "received, bits per second", "in_bps"),
    ),
    integer(
        "out_bps",
        "bits acknowledged per second, over about the last one",
        rate_column("out", "OUT b/s", 8, 12, "sent and acknowledged, bits per second", "out_bps"),
    ),
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
    Field(
        "queue_full",
        "boolean",
        "whether the queue that it waits in was full at the latest scan; null: it does not wait",
        values.of_waiting(values.flags("queue_full")),
        matches.flags("queue_full", where=values.is_waiting),
        parse=parsing.flags,
    ),
    Field(
        "was_pid",
        "integer",
        "PID of the process that held it last",
        values.of_left(values.integers("was_pid")),
        matches.numbers(numbers.of_field("was_pid"), unit_of("was_pid")),
        parse=parsing.integers("was_pid"),
    ),
    Field(
        "was_comm",
        "string",
        "its name",
        values.of_left(values.texts("was_comm")),
        matches.names("was_comm", "nginx"),
        parse=parsing.texts,
    ),
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
    integer("netns", "inode number of the network namespace"),
    integer("family", "4 or 6", nullable=False),
    interface("that the socket is bound to, as with link-local addresses; its number, if it has no name"),
    integer("ifindex", "the number of that interface; 0: it is bound to none", nullable=False),
    choice("direction", "who opened it: out, from here; in, the peer", DIRECTIONS, words=("dir",)),
    choice(
        "connect_error",
        "how connecting has ended without a connection; given-up: by the process; no-port: no local port was "
        "free; null: it has not",
        CONNECT_ERRORS,
    ),
    flag("stalled", "it retransmits, or probes a closed window, and nothing answers"),
    flag("open_seen", "its opening was seen"),
    flag(
        "end_seen", "its end was seen: the values in its close line are final, not those of the latest scan"
    ),
    flag("scanned", "a scan has read it, without which many fields are null"),
    integer("last_rtt_us", "the latest sample"),
    integer("rtt_age_ms", "since the latest sample; null: none since the handshake"),
    integer("rcv_rtt_us", "the receiver's own estimate"),
    integer("bytes_acked", "sent and acknowledged, in all"),
    integer("bytes_received", "received, in all"),
    integer("delivery_rate_bps", "the kernel's estimate, bits per second"),
    integer("pacing_rate_bps", "how fast the kernel sends at most, bits per second"),
    text("congestion_control", "the algorithm", "cubic", words=("cc",)),
    integer("cwnd", "congestion window, segments"),
    integer("ssthresh", "slow-start threshold, segments; null: slow start has not ended yet"),
    integer("mss", "largest segment, bytes"),
    integer("rto_us", "retransmission timeout"),
    integer("lost", "segments marked lost, in all"),
    integer("retransmits", "retransmission timeouts in a row without an ACK"),
    integer("probes", "zero-window probes in a row without an answer"),
    integer("busy_us", "time with data to send"),
    integer("rwnd_limited_us", "of it, held up by the peer's receive window"),
    integer("sndbuf_limited_us", "of it, held up by our send buffer"),
    integer("in_flight", "segments sent and not yet acknowledged, but for those marked lost"),
    integer("unacked_bytes", "sent and not yet acknowledged"),
    integer("notsent_bytes", "written by the process and not yet sent"),
    integer("recv_q_bytes", "received and not yet read by the process"),
    integer("snd_wnd_bytes", "the peer's receive window"),
    integer("rcv_wnd_bytes", "our receive window"),
    integer("last_sent_ms", "since data was sent, when last scanned; null: never"),
    integer("last_received_ms", "since data was received, likewise"),
    integer("last_ack_ms", "since an ACK was received, likewise"),
    integer("segs_in", "segments received, in all"),
    integer("data_segs_in", "of them, those that carry data"),
    integer("data_segs_out", "segments with data sent, those sent again included"),
    integer("dsack_dups", "segments that the peer says it got twice, in all"),
    integer("resent_fast", "retransmits since the connection was first seen, because ACKs showed a loss"),
    integer("resent_timeout", "likewise, because the retransmission timer expired"),
    integer("resent_probe", "likewise, to find out whether the last segment is lost"),
    integer("answers", "the peer's answers to what we have sent, in all"),
    integer("answer_sum_us", "the sum of their times: from our last data to the first of the answer"),
    integer("replies", "our answers to what the peer has sent, in all"),
    integer("reply_sum_us", "the sum of their times: from the peer's last data to our next"),
    integer(
        "crossings", "how often data came that the peer had sent before it got our latest: it answers nothing"
    ),
    integer("slow_answers", f"of the answers, those that {_SLOW}"),
    integer("slow_replies", f"of the replies, those that {_SLOW}"),
    integer("window_ms", "how long the last minute of the following is"),
    integer("retrans_1m", "segments sent again in the last minute"),
    integer("segs_in_1m", "segments received in it"),
    integer("data_segs_in_1m", "of them, those that carry data"),
    integer("data_segs_out_1m", "segments with data sent in it"),
    integer("busy_us_1m", "time with data to send in it"),
    integer("rwnd_limited_us_1m", "of it, held up by the peer's receive window"),
    integer("sndbuf_limited_us_1m", "of it, held up by our send buffer"),
    integer("answers_1m", "the peer's answers in it"),
    integer("replies_1m", "our answers in it"),
    integer("crossings_1m", "data in it that the peer had sent before it got our latest"),
    integer("slow_answers_1m", f"of answers_1m, those that {_SLOW}"),
    integer("slow_replies_1m", f"of replies_1m, those that {_SLOW}"),
)

_NO_FIELD = {
    "port": matches.any_of(
        *(matches.numbers(numbers.of_field(name), unit_of(name)) for name in ("lport", "rport"))
    ),
    "local_peer": matches.locality(),
}

CONNECTIONS = Table("connections", ROW, _FIELDS, shown, _NO_FIELD)
"""The table of connections: all that the stream says of one, but for the time and its process's cgroup."""
