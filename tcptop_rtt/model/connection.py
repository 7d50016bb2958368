"""One connection: a row with typed fields, so that mypy finds a mistyped name."""

from __future__ import annotations

import numpy as np

from tcptop_rtt.model import hosts, known
from tcptop_rtt.model.known import Rtt
from tcptop_rtt.model.rows import Holder


class _Field:
    """A field of the row with the name of the attribute."""

    def __set_name__(self, owner: type[Connection], name: str) -> None:
        self._name = name


class _Number(_Field):
    """A number; None if unknown."""

    def __get__(self, connection: Connection, owner: type[Connection]) -> int | None:
        return connection.number(self._name)


class _Count(_Field):
    """A number that is always known."""

    def __get__(self, connection: Connection, owner: type[Connection]) -> int:
        return int(connection.row[self._name])


class _Rate(_Field):
    """A number with a fraction."""

    def __get__(self, connection: Connection, owner: type[Connection]) -> float:
        return float(connection.row[self._name])


class _Flag(_Field):
    """Yes or no."""

    def __get__(self, connection: Connection, owner: type[Connection]) -> bool:
        return bool(connection.row[self._name])


class _Bytes(_Field):
    """Text as raw bytes, or an address."""

    def __get__(self, connection: Connection, owner: type[Connection]) -> bytes:
        value = connection.row[self._name]
        return value.tobytes() if isinstance(value, np.void) else bytes(value)


class _Host(_Field):
    """The name of a host, or of both where the row shows both ends; empty: there is one."""

    def __get__(self, connection: Connection, owner: type[Connection]) -> bytes:
        return hosts.name_of(int(connection.row[self._name]))


class Connection:
    """One row of a snapshot. The fields are those of :data:`~tcptop_rtt.model.rows.ROW`.

    :param lacking: the fields that this kernel does not have
    :param rtt: the row's RTT; None: it is computed here
    """

    def __init__(self, row: np.void, lacking: frozenset[str] = frozenset(), rtt: Rtt | None = None) -> None:
        self.row = row
        self.lacking = lacking
        self.rtt = known.rtt(row) if rtt is None else rtt
        """The RTT, what it rests on, and its age."""

    id = _Count()
    host = _Host()
    queue_full = _Flag()
    pid = _Number()
    comm = _Bytes()
    uid = _Number()
    started_ns = _Number()
    was_pid = _Number()
    was_comm = _Bytes()
    unit = _Bytes()
    followed = _Flag()
    both_why = _Count()
    netns = _Number()
    ifindex = _Count()
    interface = _Bytes()
    family = _Count()
    laddr = _Bytes()
    raddr = _Bytes()
    lport = _Number()
    rport = _Number()
    direction = _Count()
    state = _Count()
    connect_error = _Count()
    closed = _Flag()
    stalled = _Flag()
    open_seen = _Flag()
    end_seen = _Flag()
    age_ns = _Count()
    srtt_us = _Number()
    rttvar_us = _Number()
    min_rtt_us = _Number()
    last_rtt_us = _Number()
    rtt_lo_us = _Number()
    rtt_hi_us = _Number()
    rtt_samples = _Count()
    rtt_sum_us = _Number()
    rtt_age_ms = _Number()
    rtt_p50_us = _Number()
    rtt_p95_us = _Number()
    peak_rtt_us = _Number()
    peak_age_ms = _Number()
    peak_time_s = _Number()
    out_bps = _Rate()
    in_bps = _Rate()
    bytes_acked = _Count()
    bytes_received = _Count()
    delivery_rate_bps = _Number()
    pacing_rate_bps = _Number()
    cwnd = _Number()
    ssthresh = _Number()
    mss = _Number()
    retrans = _Count()
    lost = _Count()
    retransmits = _Count()
    probes = _Count()
    congestion_control = _Bytes()
    scanned = _Flag()
    busy_us = _Number()
    rwnd_limited_us = _Number()
    sndbuf_limited_us = _Number()
    rcv_rtt_us = _Number()
    rto_us = _Number()
    in_flight = _Number()
    unacked_bytes = _Number()
    notsent_bytes = _Number()
    recv_q_bytes = _Number()
    snd_wnd_bytes = _Number()
    rcv_wnd_bytes = _Number()
    last_sent_ms = _Number()
    last_received_ms = _Number()
    last_ack_ms = _Number()
    segs_in = _Number()
    data_segs_in = _Number()
    data_segs_out = _Number()
    dsack_dups = _Number()
    resent_fast = _Number()
    resent_timeout = _Number()
    resent_probe = _Number()
    connect_us = _Number()
    first_byte_us = _Number()
    answers = _Number()
    answer_sum_us = _Number()
    replies = _Number()
    reply_sum_us = _Number()
    crossings = _Number()
    slow_answers = _Number()
    slow_replies = _Number()
    window_ms = _Number()
    retrans_1m = _Number()
    dsack_dups_1m = _Number()
    segs_in_1m = _Number()
    data_segs_in_1m = _Number()
    data_segs_out_1m = _Number()
    busy_us_1m = _Number()
    rwnd_limited_us_1m = _Number()
    sndbuf_limited_us_1m = _Number()
    answers_1m = _Number()
    answer_sum_us_1m = _Number()
    replies_1m = _Number()
    reply_sum_us_1m = _Number()
    crossings_1m = _Number()
    slow_answers_1m = _Number()
    slow_replies_1m = _Number()

    @property
    def answer_us(self) -> float | None:
        """Mean time from our last data to the peer's first, over the last minute; None if unknown."""
        return _quotient(self.answer_sum_us_1m, self.answers_1m)

    @property
    def reply_us(self) -> float | None:
        """Mean time from the peer's last data to our next, over the last minute; None if unknown."""
        return _quotient(self.reply_sum_us_1m, self.replies_1m)

    def number(self, name: str) -> int | None:
        """Return a number by the name of its field; None if unknown."""
        return known.value(self.row, name, self.lacking)

    @property
    def holder(self) -> Holder:
        """What the process is to the socket."""
        return Holder(int(self.row["holder"]))

    @property
    def was_sampled(self) -> bool:
        """Whether an ACK of our data has ever brought an RTT sample."""
        return not known.never_sampled(self.row.__getitem__)

    @property
    def unknown(self) -> frozenset[str]:
        """The fields that are unknown, so that no verdict may rest on them."""
        return known.unknown_fields(self.row, self.lacking)


def _quotient(total: int | None, count: int | None) -> float | None:
    return total / count if total is not None and count else None
