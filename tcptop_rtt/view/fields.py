"""The one table of fields: of each its name, meaning and value in the stream, and, if it has one, its column.

The stream, its schema, the screen's table, plain tables, sorting and help are all made from it. What is not
known is None: :mod:`tcptop_rtt.model.known` says when that is so.
"""

from __future__ import annotations

from operator import attrgetter

from tcptop_rtt.model.rows import CONNECT_ERRORS, DIRECTIONS, HOLDERS, ROW, STATES
from tcptop_rtt.model.snapshot import SPARK_CELLS, SPARK_S
from tcptop_rtt.view import causes, cells, matches, numbers, sort_keys, values
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.matches import Match
from tcptop_rtt.view.shown import shown
from tcptop_rtt.view.table import Column, Field, Table


def integer(
    name: str,
    meaning: str,
    column: Column | None = None,
    nullable: bool = True,
    words: tuple[str, ...] = (),
    match: Match | None = None,
) -> Field:
    """A whole number.

    :param words: for filters, besides the name and the column's key
    :param match: how a filter asks for it, if not for the field's own values
    """
    match = match or matches.numbers(numbers.of_field(name), matches.unit_of(name))
    return Field(name, "integer", meaning, values.integers(name), match, (), nullable, column, words)


def _flag(name: str, meaning: str) -> Field:
    return Field(name, "boolean", meaning, values.flags(name), matches.flags(name), nullable=False)


def _choice(
    name: str,
    meaning: str,
    texts: tuple[str | None, ...],
    column: Column | None = None,
    words: tuple[str, ...] = (),
    match: Match | None = None,
) -> Field:
    choices = tuple(text for text in texts if text is not None)
    match = match or matches.choices(name, texts)
    return Field(name, "string", meaning, values.choices(name, texts), match, choices, True, column, words)


def _text(
    name: str, meaning: str, example: str, column: Column | None = None, words: tuple[str, ...] = ()
) -> Field:
    return Field(
        name,
        "string",
        meaning,
        values.texts(name),
        matches.names(name, example),
        column=column,
        words=words,
    )


def _address(name: str, meaning: str, column: Column) -> Field:
    match = matches.addresses(name)
    return Field(name, "string", meaning, values.addresses(name), match, nullable=False, column=column)


def _endpoint(
    key: str, title: str, priority: int, meaning: str, side: str, least: tuple[int, int] | None = None
) -> Column:
    cell, sort = cells.local if side == "l" else cells.remote, sort_keys.by_endpoint(side)
    return Column(
        key, title, 21, priority, meaning, cell, sort, least=least, wide=47, numeric=False, cut="middle"
    )


def _rtt(name: str, meaning: str, key: str, title: str, priority: int) -> Field:
    cell, sort = cells.microseconds(name), sort_keys.by_number(name)
    column = Column(key, title, fmt.RTT_WIDTH, priority, meaning, cell, sort)
    return integer(name, meaning, column, words=(title.lower(),))


def _mean(total: str, count: str, meaning: str, column: tuple[str, str, int, str]) -> Field:
    """The sum of several times, of which the column, and what a filter asks for, is their mean."""
    key, title, priority, of_column = column
    cell, sort = cells.quotient(total, count), sort_keys.by_quotient(total, count)
    match = matches.numbers(numbers.quotient(total, count), matches.unit_of(total))
    of = Column(key, title, fmt.RTT_WIDTH, priority, of_column, cell, sort)
    return integer(total, meaning, of, match=match)


def _rate_column(key: str, title: str, width: int, priority: int, meaning: str, of: str) -> Column:
    return Column(key, title, width, priority, meaning, cells.rate(attrgetter(of)), sort_keys.by_number(of))


_FIELDS = (
    integer("id", "a number for the connection, never used twice in one run", nullable=False),
    _text(
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
    _address("laddr", "our address", _endpoint("local", "LOCAL", 15, "our address and port", "l", (6, 4))),
    integer("lport", "our port"),
    _address(
        "raddr",
        "the peer's address",
        _endpoint("remote", "REMOTE", 4, "the peer's address and port", "r", (15, 2)),
    ),
    integer("rport", "the peer's port"),
    _choice(
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
        match=matches.numbers(numbers.rtts, matches.unit_of("srtt_us")),
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
    integer("rtt_samples", "how many there were since the previous line", nullable=False),
    _mean(
        "rtt_sum_us",
        "rtt_samples",
        "their sum",
        ("mean", "MEAN", 17, "mean of the RTT samples since the last refresh"),
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
    _rtt("rttvar_us", "mean deviation of the RTT (rttvar)", "jitter", "JITTER", 15),
    _rtt("min_rtt_us", "lowest RTT of the last minutes (min_rtt)", "min_rtt", "MIN", 16),
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
            matches.numbers(numbers.of_field("retrans"), matches.unit_of("retrans")),
            matches.numbers(numbers.retransmit_rates, matches.PER_SECOND),
        ),
    ),
    integer(
        "in_bps",
        "bits received per second, over about the last one",
        _rate_column("in", "IN b/s", 7, 11, "received, bits per second", "in_bps"),
    ),
    integer(
        "out_bps",
        "bits acknowledged per second, over about the last one",
        _rate_column("out", "OUT b/s", 8, 12, "sent and acknowledged, bits per second", "out_bps"),
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
    ),
    _choice(
        "holder",
        "how the process is known: it holds the socket, listens and has not accepted it yet, "
        "there is none any more, or the kernel itself holds it",
        HOLDERS,
    ),
    integer("connect_us", "from our SYN until it was established", words=("connect",)),
    Field(
        "queue_full",
        "boolean",
        "whether the queue that it waits in was full at the latest scan; null: it does not wait",
        values.of_waiting(values.flags("queue_full")),
        matches.flags("queue_full"),
    ),
    Field(
        "was_pid",
        "integer",
        "who held it before nobody did",
        values.of_orphans(values.integers("was_pid")),
        matches.numbers(numbers.of_field("was_pid"), matches.unit_of("was_pid")),
    ),
    Field(
        "was_comm",
        "string",
        "its name",
        values.of_orphans(values.texts("was_comm")),
        matches.names("was_comm", "nginx"),
    ),
    integer("uid", "the process's effective one; the socket's, as long as no process is known"),
    integer("started_ns", "when the process was started, nanoseconds since the machine was"),
    _text(
        "unit",
        "the container, the pod or the unit of systemd that the process runs in",
        "nginx.service",
        Column(
            "unit",
            "UNIT",
            20,
            18,
            "the container, pod or systemd unit of the process",
            cells.text("unit"),
            sort_keys.by_text("unit"),
            numeric=False,
            cut="end",
        ),
        ("container", "pod"),
    ),
    _mean(
        "answer_sum_us_1m",
        "answers_1m",
        "the sum of the times of answers_1m",
        ("answer", "ANSWER", 19, "from our last data to the peer's first; mean over the last minute"),
    ),
    _mean(
        "reply_sum_us_1m",
        "replies_1m",
        "the sum of the times of replies_1m",
        ("reply", "REPLY", 20, "from the peer's last data to our next; mean over the last minute"),
    ),
    Field(
        "wait_us",
        "integer",
        "what the side that asks waits for per request, or per round trip where there are no requests",
        values.waits,
        matches.numbers(numbers.waits, matches.unit_of("wait_us")),
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
            "what holds it up; red: nothing goes on; blank: nothing, or too little is known",
            cells.why,
            sort_keys.by_why,
            numeric=False,
            falls=True,
            least=(13, 3),
            cut="end",
        ),
    ),
    integer("netns", "inode number of the network namespace"),
    integer("family", "4 or 6", nullable=False),
    Field(
        "interface",
        "string",
        "that the socket is bound to, as with link-local addresses; its number, if it has no name",
        values.interfaces,
        matches.names("interface", "eth0"),
    ),
    _choice("direction", "who opened it: out, from here; in, the peer", DIRECTIONS, words=("dir",)),
    _choice(
        "connect_error",
        "how connecting has ended without a connection; given-up: by the process; null: it has not",
        CONNECT_ERRORS,
    ),
    _flag("stalled", "it retransmits, or probes a closed window, and nothing answers"),
    _flag("open_seen", "its opening was seen"),
    _flag("scanned", "a scan has read it, without which many fields are null"),
    integer("last_rtt_us", "the latest sample"),
    integer("rtt_age_ms", "since the latest sample; null: none since the handshake"),
    integer("rcv_rtt_us", "the receiver's own estimate"),
    integer("bytes_acked", "sent and acknowledged, in all"),
    integer("bytes_received", "received, in all"),
    integer("delivery_rate_bps", "the kernel's estimate, bits per second"),
    integer("pacing_rate_bps", "how fast the kernel sends at most, bits per second"),
    _text("congestion_control", "the algorithm", "cubic", words=("cc",)),
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
    integer("resent_fast", "segments sent again since it was first seen, as ACKs told of the loss"),
    integer("resent_timeout", "likewise, as the retransmission timer expired"),
    integer("resent_probe", "likewise, to find out whether the last segment is lost"),
    integer("answers", "the peer's answers to what we have sent, in all"),
    integer("answer_sum_us", "the sum of their times: from our last data to the first of the answer"),
    integer("replies", "our answers to what the peer has sent, in all"),
    integer("reply_sum_us", "the sum of their times: from the peer's last data to our next"),
    integer(
        "crossings", "how often data came that the peer had sent before it got our latest: it answers nothing"
    ),
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
)

_NO_FIELD = {
    "port": matches.any_of(
        *(matches.numbers(numbers.of_field(name), matches.unit_of(name)) for name in ("lport", "rport"))
    ),
    "local_peer": matches.locality(),
}

CONNECTIONS = Table("connections", ROW, _FIELDS, shown, _NO_FIELD)
"""Every connection: what the stream tells of it, besides when it was and the cgroup of the process."""
