"""The fields of a connection in the stream: of each its name, its meaning, its type and its value.

The one table of them. What is not known is None: :mod:`tcptop_rtt.view.known` says when that is so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.rows import DIRECTIONS, HOLDERS, STATES, Holder
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import known

Get = Callable[[str], NDArray[Any]]
"""Gives the values that some rows have in a field of ROW."""

Values = Callable[[Get, frozenset[str]], Sequence[Any]]
"""The values of a field as JSON has them, one per row, of the fields of rows and those this kernel lacks."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``choices`` are all the texts that it may have; empty: any, or it is no text."""

    name: str
    type: str  # as JSON Schema calls it
    meaning: str
    values: Values
    choices: tuple[str, ...] = ()
    nullable: bool = True


def _with_nulls(values: list[Any], unknown: NDArray[np.bool_]) -> list[Any]:
    for at in np.flatnonzero(unknown).tolist():
        values[at] = None
    return values


def _integer(name: str, meaning: str, of: str = "", nullable: bool = True) -> Field:
    """A number of the rows; ``of``: where its name is another one."""
    column = of or name

    def values(get: Get, unknown: frozenset[str]) -> list[Any]:
        return _with_nulls(get(column).astype(np.int64).tolist(), known.is_unknown(get, column, unknown))

    return Field(name, "integer", meaning, values, nullable=nullable)


def _flag(name: str, meaning: str, of: str = "") -> Field:
    return Field(name, "boolean", meaning, lambda get, _: get(of or name).tolist(), nullable=False)


def _choice(name: str, meaning: str, choices: tuple[str | None, ...]) -> Field:
    def values(get: Get, unknown: frozenset[str]) -> list[Any]:
        texts = [choices[number] if number < len(choices) else None for number in get(name).tolist()]
        return _with_nulls(texts, known.is_unknown(get, name, unknown))

    return Field(name, "string", meaning, values, tuple(choice for choice in choices if choice is not None))


def _text(name: str, meaning: str) -> Field:
    def values(get: Get, unknown: frozenset[str]) -> list[Any]:
        return _with_nulls(_texts(get(name)), known.is_unknown(get, name, unknown))

    return Field(name, "string", meaning, values)


def _texts(raw: NDArray[np.bytes_]) -> list[str | None]:
    return [text.decode("utf-8", "replace") or None for text in raw.tolist()]


def _address(name: str, meaning: str) -> Field:
    def values(get: Get, _: frozenset[str]) -> list[Any]:
        return list(map(fmt.address, get("family").tolist(), get(name).tolist()))

    return Field(name, "string", meaning, values, nullable=False)


def _of_nobody(field: Field) -> Field:
    """Only of what nobody holds any more."""

    def values(get: Get, unknown: frozenset[str]) -> list[Any]:
        return _with_nulls(list(field.values(get, unknown)), get("holder") != Holder.NOBODY)

    return Field(field.name, field.type, field.meaning, values)


def _interface(get: Get, _: frozenset[str]) -> list[Any]:
    numbers = get("ifindex").tolist()
    return [
        name or (str(number) if number else None)
        for name, number in zip(_texts(get("interface")), numbers, strict=True)
    ]


FIELDS = (
    _integer("id", "a number for the connection, never used twice in one run", nullable=False),
    _integer(
        "pid", "of the process that holds the socket; null beside a comm: it is in another PID namespace"
    ),
    _text("comm", "the name of that process"),
    _choice(
        "holder",
        "how the process is known: it holds the socket, listens and has not accepted it yet, "
        "there is none any more, or the kernel itself holds it",
        HOLDERS,
    ),
    _of_nobody(_integer("was_pid", "who held it before nobody did")),
    _of_nobody(_text("was_comm", "its name")),
    _integer("uid", "the process's effective one; the socket's, as long as no process is known"),
    _integer("started_ns", "when the process was started, nanoseconds since the machine was"),
    _integer("netns", "inode number of the network namespace"),
    _integer("family", "4 or 6", nullable=False),
    _address("laddr", "our address"),
    _integer("lport", "our port"),
    _address("raddr", "the peer's address"),
    _integer("rport", "the peer's port"),
    Field(
        "interface",
        "string",
        "that the socket is bound to, as with link-local addresses; its number, if it has no name",
        _interface,
    ),
    _choice("state", "as in ss", STATES),
    _choice("direction", "who opened it: out, from here; in, the peer", DIRECTIONS),
    _flag("stalled", "it retransmits, or probes a closed window, and nothing answers"),
    _flag("open_seen", "its opening was seen"),
    _integer(
        "age_ns", "since it was opened if that was seen, or else since it was first seen", nullable=False
    ),
    _flag("scanned", "a scan has read it, without which many fields are null"),
    _integer("srtt_us", "smoothed round-trip time"),
    _integer("rttvar_us", "its mean deviation"),
    _integer("min_rtt_us", "the lowest of the last minutes"),
    _integer("last_rtt_us", "the latest sample"),
    _integer("rtt_age_ms", "since the latest sample; null: none since the handshake"),
    _integer("rtt_lo_us", "lowest sample since the previous line"),
    _integer("rtt_hi_us", "highest sample since the previous line"),
    _integer("rtt_samples", "how many there were since the previous line", nullable=False),
    _integer("rcv_rtt_us", "the receiver's own estimate"),
    _integer("out_bps", "bits acknowledged per second, over about the last one"),
    _integer("in_bps", "bits received per second, over about the last one"),
    _integer("bytes_acked", "sent and acknowledged, in all"),
    _integer("bytes_received", "received, in all"),
    _integer("delivery_rate_bps", "the kernel's estimate, bits per second"),
    _integer("pacing_rate_bps", "how fast the kernel sends at most, bits per second"),
    _text("congestion_control", "the algorithm"),
    _integer("cwnd", "congestion window, segments"),
    _integer("ssthresh", "slow-start threshold, segments; null: slow start has not ended yet"),
    _integer("mss", "largest segment, bytes"),
    _integer("rto_us", "retransmission timeout"),
    _integer("retrans", "segments sent again, in all"),
    _integer("lost", "segments marked lost, in all"),
    _integer("retransmits", "retransmission timeouts in a row without an ACK"),
    _integer("probes", "zero-window probes in a row without an answer"),
    _integer("busy_us", "time with data to send"),
    _integer("rwnd_limited_us", "of it, held up by the peer's receive window"),
    _integer("sndbuf_limited_us", "of it, held up by our send buffer"),
    _integer("in_flight", "segments sent and not yet acknowledged, but for those marked lost"),
    _integer("unacked_bytes", "sent and not yet acknowledged"),
    _integer("notsent_bytes", "written by the process and not yet sent"),
    _integer("recv_q_bytes", "received and not yet read by the process"),
    _integer("snd_wnd_bytes", "the peer's receive window"),
    _integer("rcv_wnd_bytes", "our receive window"),
    _integer("last_sent_ms", "since data was sent, when last scanned; null: never"),
    _integer("last_received_ms", "since data was received, likewise"),
    _integer("last_ack_ms", "since an ACK was received, likewise"),
    _integer("segs_in", "segments received, in all"),
    _integer("data_segs_in", "of them, those that carry data"),
    _integer("data_segs_out", "segments with data sent, those sent again included"),
    _integer("window_ms", "how long the last minute of the following is"),
    _integer("retrans_1m", "segments sent again in the last minute"),
    _integer("segs_in_1m", "segments received in it"),
    _integer("data_segs_in_1m", "of them, those that carry data"),
    _integer("data_segs_out_1m", "segments with data sent in it"),
    _integer("busy_us_1m", "time with data to send in it"),
    _integer("rwnd_limited_us_1m", "of it, held up by the peer's receive window"),
    _integer("sndbuf_limited_us_1m", "of it, held up by our send buffer"),
)
"""What the stream tells of a connection, besides when it was and the cgroup of the process."""

NAMES = tuple(field.name for field in FIELDS)
