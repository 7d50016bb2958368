"""The details of one connection: the facts of its other end, if that is seen, too."""

from __future__ import annotations

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.view import ends
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.shown import Shown
from tcptop_rtt.widgets.facts import Block, Fact


def other_end(row: Shown, other: Shown, glyphs: Glyphs) -> Block:
    """Returns the other end's process and state, and which end takes which part of an answer's time."""
    state = fmt.state(other.state, other.closed, other.stalled)
    facts = [
        *([Fact("host", fmt.printable(other.host, glyphs))] if other.host else []),
        Fact("process", f"{fmt.process(other, glyphs)} {fmt.pid(other)}"),
        Fact("RTT there", fmt.rtt_now(other), fmt.rtt_level(other)),
        *([Fact("state there", state, "warn")] if state != "ESTAB" else []),
        Fact("sent again", _resent(other)),
        Fact("unread there", fmt.UNKNOWN if other.recv_q_bytes is None else fmt.size(other.recv_q_bytes)),
    ]
    if other.cause is not None:
        facts.append(
            Fact("WHY there", other.cause.words(other).brief, "bad" if other.cause.stops else "warn")
        )
    answer = ends.answer_of(row, other)
    if answer is None:
        facts.append(Fact("an answer", fmt.UNKNOWN))
    else:
        asks, answers = (_name(end, glyphs) for end in (answer.asks, answer.answers))
        facts += [
            Fact("an answer", f"{fmt.rtt(answer.total_us)}, at {asks}"),
            Fact("  path", fmt.rtt(answer.path_us)),
            Fact("  process", f"{fmt.rtt(answer.there_us)}, {answers}"),
            Fact("then", f"{fmt.rtt(answer.asks.reply_us)} until {asks} asks again"),
        ]
    return Block("THE OTHER END", tuple(facts))


def _resent(end: Connection) -> str:
    if end.retrans_1m is None or not end.window_ms:
        return fmt.UNKNOWN
    return f"{end.retrans_1m:,} in {fmt.span(end.window_ms)}"


def _name(end: Connection, glyphs: Glyphs) -> str:
    return fmt.printable(end.host, glyphs) if end.host else f"{fmt.process(end, glyphs)} {fmt.pid(end)}"
