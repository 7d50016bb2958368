"""The details of one connection, as blocks of facts."""

from __future__ import annotations

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.rows import DIRECTIONS
from tcptop_rtt.model.snapshot import Trace
from tcptop_rtt.screens.other_block import other_end
from tcptop_rtt.screens.whose_block import whose
from tcptop_rtt.view import cells, shares, waits
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.chart import quantiles
from tcptop_rtt.view.diagnosis import Verdict
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.shown import Shown
from tcptop_rtt.widgets.facts import Block, Fact

BAR = 6
"""The cells of a share's bar."""
MINUTE_S = 60.0
"""Quantiles are of the samples of the last so many seconds."""

WHO_STYLE = {"nobody": "good", "unknown": "unknown"}


def style_of(verdict: Verdict) -> str:
    return WHO_STYLE.get(verdict.who, "warn")


def blocks(
    row: Shown, trace: Trace | None, verdict: Verdict, glyphs: Glyphs, other: Shown | None = None
) -> tuple[Block, ...]:
    """Returns all blocks, the most wanted first: on a narrow terminal, the user scrolls to the others.

    :param other: the other end; None: it is not seen
    """
    all_blocks = (
        _why(row, verdict, glyphs),
        _rtt(row, trace),
        _wait(row, glyphs, other),
        *([other_end(row, other, glyphs)] if other is not None else []),
        whose(row, trace, glyphs),
        _congestion(row, glyphs),
        _volume(row),
        _queues(row),
        _times(row),
    )
    not_known = row.unknown
    return tuple(
        Block(block.title, tuple(_if_known(fact, not_known) for fact in block.facts)) for block in all_blocks
    )


def _if_known(fact: Fact, unknown: frozenset[str]) -> Fact:
    return Fact(fact.label, fmt.UNKNOWN, "unknown") if unknown.intersection(fact.of) else fact


def _why(row: Connection, verdict: Verdict, glyphs: Glyphs) -> Block:
    now, life = shares.shares(row), shares.life_shares(row)
    minute = f"of {fmt.window(row)}"

    def fact(label: str, share: float | None, whole: str, in_all: float | None, of: str) -> Fact:
        total = "" if in_all is None else f"; in all {fmt.percent(in_all, 1.0)}"
        return Fact(label, _bar(share, whole, glyphs) + total, of=(of,))

    return Block(
        "NETWORK, PEER OR US?",
        (
            Fact("", str(verdict), style_of(verdict)),
            *(Fact("", reason) for reason in verdict.reasons),
            *([Fact("to check", fmt.printable(verdict.check, glyphs))] if verdict.check else []),
            fact("sending", now.busy, minute, life.busy, "busy_us"),
            fact("peer's window", now.rwnd_limited, "of sending", life.rwnd_limited, "rwnd_limited_us"),
            fact("our buffer", now.sndbuf_limited, "of sending", life.sndbuf_limited, "sndbuf_limited_us"),
        ),
    )


def _wait(row: Shown, glyphs: Glyphs, other: Shown | None) -> Block:
    """Returns a request's wait in parts; where both hosts are seen, their parts have their names."""
    hosts = {"peer": other.host, "ours": row.host} if other is not None and other.host else {}
    parts_us = row.wait.parts_us or (0.0,) * len(waits.PARTS)
    said = "several requests at once: not known" if row.wait.several else fmt.UNKNOWN
    facts = [Fact("", waits.bar(parts_us, 2 * cells.WAIT_CELLS, glyphs) or said)]
    for name, glyph, us in zip(waits.PARTS, glyphs.waits, parts_us, strict=True):
        label = fmt.printable(hosts[name], glyphs) if name in hosts else name
        facts.append(Fact(f"{glyph} {label}", fmt.rtt(us) if row.wait.parts_us else fmt.UNKNOWN))
    theirs = _mean(row.answer_us, row.answers_1m, row.slow_answers_1m)
    ours = _mean(row.reply_us, row.replies_1m, row.slow_replies_1m)
    facts.append(Fact("peer answers", theirs, of=("answers",)))
    facts.append(Fact("we answer", ours, of=("replies",)))
    return Block("WHAT A REQUEST WAITS FOR", tuple(facts))


def _mean(us: float | None, count: int | None, slow: int | None) -> str:
    if us is None:
        return fmt.NOTHING
    part = f", {slow:,} slow" if slow else ""
    return f"{fmt.rtt(us)}, mean of {count or 0:,}{part}"


def _bar(share: float | None, whole: str, glyphs: Glyphs) -> str:
    if share is None:
        return fmt.NOTHING
    cells = round(share * BAR)
    return f"{glyphs.share * cells}{glyphs.rest * (BAR - cells)} {fmt.percent(share, 1.0):>4} {whole}"


def _rtt(row: Connection, trace: Trace | None) -> Block:
    facts = [
        _smoothed(row),
        Fact("jitter", fmt.rtt(row.rttvar_us), of=("rttvar_us",)),
        Fact("min_rtt", fmt.rtt(row.min_rtt_us), of=("min_rtt_us",)),
        Fact("last sample", fmt.rtt(row.last_rtt_us), of=("last_rtt_us",)),
        Fact("taken", fmt.ago(row.rtt_age_ms)),
        Fact("peak 10m", fmt.peak(row), of=("peak_rtt_us",)),
        Fact("by receiver", fmt.rtt(row.rcv_rtt_us), of=("rcv_rtt_us",)),
    ]
    if trace is None:
        return Block("ROUND-TRIP TIME", tuple(facts))
    recent = trace.time_s >= -MINUTE_S
    p50_us, p95_us, p99_us = quantiles(trace.rtt_us[recent], trace.weight[recent], 0.5, 0.95, 0.99)
    smoothed = " smoothed ones" if "rtt_samples" in row.lacking else ""
    facts += [
        # Until ACKs have come since the details were opened, the row's percentiles are shown.
        _level("p50 1m", p50_us if p50_us > 0 else row.rtt_p50_us or 0),
        _level("p95 1m", p95_us if p95_us > 0 else row.rtt_p95_us or 0),
        _level("p99 1m", p99_us),
        _level("lowest", trace.lowest_us),
        _level("highest", trace.highest_us),
        Fact("samples", f"{trace.samples:,}{smoothed} since opened"),
    ]
    return Block("ROUND-TRIP TIME", tuple(facts))


def _smoothed(row: Connection) -> Fact:
    text = fmt.rtt(row.srtt_us)
    if row.srtt_us and not row.was_sampled:
        text += ", from the handshake"
    return Fact("smoothed", text, fmt.rtt_level(row))


def _level(label: str, us: float) -> Fact:
    return Fact(label, fmt.rtt(us), fmt.level(us))


def _lost(row: Connection) -> str:
    share = shares.loss(row)
    return fmt.NOTHING if share is None else f"{fmt.percent1(share)} of data segments"


def _congestion(row: Connection, glyphs: Glyphs) -> Block:
    algorithm = fmt.printable(row.congestion_control, glyphs)
    retrans, lost, timeouts, probes = row.retrans, row.lost, row.retransmits, row.probes
    window = fmt.span(row.window_ms or 0)
    return Block(
        "CONGESTION",
        (
            Fact("cwnd", _counted(row.cwnd or 0), of=("cwnd",)),
            Fact("ssthresh", _segments(row.ssthresh), of=("ssthresh",)),
            Fact("in flight", _counted(row.in_flight or 0), of=("in_flight",)),
            Fact(
                "retransmits",
                f"{(row.retrans_1m or 0):,} in {window}",
                "warn" if row.retrans_1m else "value",
                of=("busy_us",),
            ),
            Fact("in all", f"{retrans:,}"),
            Fact("sent again", _lost(row), of=("data_segs_out",)),
            Fact("after ACKs", f"{row.resent_fast or 0:,}", of=("resent_fast",)),
            Fact("by timeout", f"{row.resent_timeout or 0:,}", of=("resent_timeout",)),
            Fact("as probe", f"{row.resent_probe or 0:,}", of=("resent_probe",)),
            Fact("needlessly", f"{row.dsack_dups or 0:,}, says the peer", of=("dsack_dups",)),
            Fact("marked lost", f"{lost:,}", "warn" if lost else "value", of=("lost",)),
            Fact("timeouts", f"{timeouts} in a row", "bad" if timeouts else "value"),
            Fact("win probes", f"{probes} unanswered", "bad" if probes else "value"),
            Fact("rto", fmt.rtt(row.rto_us), of=("rto_us",)),
            Fact("mss", f"{row.mss or 0} bytes", of=("mss",)),
            Fact("algorithm", algorithm or fmt.UNKNOWN, of=("congestion_control",)),
        ),
    )


def _counted(segments: int) -> str:
    return f"{segments} {fmt.noun(segments, 'segment')}"


def _segments(count: int | None) -> str:
    return fmt.NOTHING if count is None else str(count)


def _rate(bps: float) -> str:
    return f"{fmt.bits(bps)}bit/s" if bps > 0 else fmt.NOTHING


def _volume(row: Connection) -> Block:
    bare = (row.segs_in or 0) - (row.data_segs_in or 0)
    bare_1m = (row.segs_in_1m or 0) - (row.data_segs_in_1m or 0)
    window = fmt.span(row.window_ms or 0)
    return Block(
        "VOLUME",
        (
            Fact("sent", f"{fmt.size(row.bytes_acked)} acknowledged"),
            Fact("received", fmt.size(row.bytes_received)),
            Fact(
                "data segs",
                f"{(row.data_segs_out or 0):,} out, {(row.data_segs_in or 0):,} in",
                of=("data_segs_out", "data_segs_in"),
            ),
            Fact("bare ACKs", f"{bare:,} in", of=("segs_in", "data_segs_in")),
            Fact(
                f"in {window}",
                f"{(row.data_segs_out_1m or 0):,} out, {(row.data_segs_in_1m or 0):,} in, {bare_1m:,} bare",
                of=("data_segs_out", "segs_in", "data_segs_in"),
            ),
            Fact("out, now", _rate(row.out_bps)),
            Fact("in, now", _rate(row.in_bps)),
            Fact("delivery", _rate(row.delivery_rate_bps or 0), of=("delivery_rate_bps",)),
            Fact("pacing", _rate(row.pacing_rate_bps or 0), of=("pacing_rate_bps",)),
        ),
    )


def _queues(row: Connection) -> Block:
    recv_q, snd_wnd = (row.recv_q_bytes or 0), (row.snd_wnd_bytes or 0)
    return Block(
        "QUEUES AND WINDOWS",
        (
            Fact("unsent", fmt.size(row.notsent_bytes or 0), of=("notsent_bytes",)),
            Fact("unacked", fmt.size(row.unacked_bytes or 0), of=("unacked_bytes",)),
            Fact("unread", fmt.size(recv_q), "warn" if recv_q else "value", of=("recv_q_bytes",)),
            Fact("peer's window", fmt.size(snd_wnd), "value" if snd_wnd else "warn", of=("snd_wnd_bytes",)),
            Fact("our window", fmt.size(row.rcv_wnd_bytes or 0), of=("rcv_wnd_bytes",)),
        ),
    )


def _times(row: Connection) -> Block:
    direction = DIRECTIONS[row.direction % len(DIRECTIONS)]
    opened = {"out": "from here", "in": "by the peer", None: fmt.UNKNOWN}[direction]
    age = fmt.age(row.age_ns)

    def last(label: str, name: str, segments: int | None = None) -> Fact:
        # Before the first data the kernel has the time of the opening there: tcp_finish_connect() sets it.
        return Fact(label, fmt.ago(None if segments == 0 else row.number(name)), of=(name,))

    return Block(
        "LAST ACTIVITY",
        (
            last("sent", "last_sent_ms", row.data_segs_out),
            last("received", "last_received_ms", row.data_segs_in),
            last("ACK", "last_ack_ms"),
            Fact(
                "connecting",
                f"took {fmt.rtt(row.connect_us)}" if row.connect_us else fmt.NOTHING,
                of=("connect_us",),
            ),
            Fact("opened", f"{opened}, {age} ago" if row.open_seen else f"{opened}, seen for {age}"),
            *(
                [Fact("its end", "was missed: these values are older", "warn")]
                if row.closed and not row.end_seen
                else []
            ),
        ),
    )
