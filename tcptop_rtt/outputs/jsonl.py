"""The stream format: JSON Lines, integers with the unit in the name, null for what is not known."""

from __future__ import annotations

import ipaddress
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt import known
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.query import Filter, select
from tcptop_rtt.snapshot import (
    DIRECTIONS,
    HOLDERS,
    STATES,
    Holder,
    ProcessKey,
    Rows,
    Snapshot,
    Waiting,
)

FORMAT_VERSION = 1

_NEWS = (
    "pid",
    "comm",
    "holder",
    "state",
    "srtt_us",
    "retrans",
    "lost",
    "bytes_acked",
    "bytes_received",
    "backoff",
)
"""A connection has news when one of these has changed, or it has new RTT samples."""

_NUMBERS = (
    "id",
    "family",
    "uid",
    "netns",
    "lport",
    "rport",
    "srtt_us",
    "rttvar_us",
    "min_rtt_us",
    "last_rtt_us",
    "rtt_age_ms",
    "rcv_rtt_us",
    "mss",
    "rto_us",
    "cwnd",
    "ssthresh",
    "delivery_rate_bps",
    "retrans",
    "lost",
    "bytes_acked",
    "bytes_received",
)


class JsonLines:
    """Writes snapshots as a stream: a header, ``open``, ``sample`` and ``close`` lines, an end.

    :param cgroup: the cgroup path of a process, or None
    """

    def __init__(self, out: Writer, chosen: Filter, cgroup: Callable[[ProcessKey], str | None]) -> None:
        self._out = out
        self._filter = chosen
        self._cgroup_of = cgroup
        self._cgroups: dict[int, tuple[ProcessKey, str | None]] = {}
        self._last: dict[int, np.void] = {}
        self._ended: set[int] = set()
        self._waiting: dict[int, Waiting] = {}
        self._unknown: frozenset[str] = frozenset()

    def begin(self, hook: str) -> None:
        """The header: where and when the stream was made."""
        self._write(
            {
                "event": "header",
                "version": FORMAT_VERSION,
                "host": os.uname().nodename,
                "kernel": os.uname().release,
                "hook": hook,
                "boot_time_ns": time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            }
        )
        self._out.flush()

    def show(self, snapshot: Snapshot) -> None:
        """What has changed since the previous snapshot."""
        rows = snapshot.rows
        self._unknown = snapshot.health.unknown
        for row in rows[self._followed(rows)]:
            for event in self._events(row):
                self._write(self._describe(snapshot.time_ns, event, row))
        self._count_waiting(snapshot)
        for connection in self._last.keys() - set(rows["id"].tolist()):
            last = self._last.pop(connection)
            if connection not in self._ended:
                # Its samples have been told of.
                last["state"], last["rtt_samples"] = STATES.index("CLOSED"), 0
                self._write(self._describe(snapshot.time_ns, "close", last))
            self._ended.discard(connection)
            self._cgroups.pop(connection, None)
        self._out.flush()

    def _count_waiting(self, snapshot: Snapshot) -> None:
        """Of all sockets: where only some connections are wanted, nothing is told of it."""
        if self._filter != Filter():
            return
        for waiting in snapshot.waiting:
            if waiting != self._waiting.get(waiting.netns, waiting._replace(time_wait=0, syn_recv=0)):
                self._write({"event": "waiting", "time_ns": snapshot.time_ns, **waiting._asdict()})
        self._waiting = {waiting.netns: waiting for waiting in snapshot.waiting}

    def end(self, lost: int) -> None:
        """The last line: how many records the kernel side had no room for."""
        self._write({"event": "end", "lost": lost})
        self._out.flush()

    def _followed(self, rows: Rows) -> NDArray[np.bool_]:
        """What passes the filter, and has passed it: the process or the port of a connection may change."""
        followed = np.isin(rows["id"], np.fromiter(self._last, np.uint64, len(self._last)))
        followed[select(rows, self._filter)] = True
        return followed

    def _events(self, row: np.void) -> Iterator[str]:
        connection = int(row["id"])
        if connection in self._ended:
            return
        before = self._last.get(connection)
        self._last[connection] = row
        if before is None:
            yield "open"
        if row["closed"]:
            self._ended.add(connection)
            yield "close"
        elif row["rtt_samples"] or (before is not None and any(row[name] != before[name] for name in _NEWS)):
            yield "sample"

    def _describe(self, time_ns: int, event: str, row: np.void) -> dict[str, Any]:
        pid, was_pid = int(row["pid"]) or None, int(row["was_pid"]) or None
        # A line of the same moment follows an "open": samples are told of once.
        samples = 0 if event == "open" else int(row["rtt_samples"])
        line: dict[str, Any] = {"event": event, "time_ns": time_ns, "pid": pid}
        line["comm"] = _text(row["comm"])
        line["holder"] = HOLDERS[row["holder"]]
        line["was_pid"] = was_pid if row["holder"] == Holder.NOBODY else None
        line["was_comm"] = _text(row["was_comm"]) if row["holder"] == Holder.NOBODY else None
        line |= {name: known.value(row, name, self._unknown) for name in _NUMBERS}
        line["laddr"] = _address(row["family"], row["laddr"])
        line["raddr"] = _address(row["family"], row["raddr"])
        line["interface"] = _text(row["interface"]) or (str(row["ifindex"]) if row["ifindex"] else None)
        line["state"] = STATES[row["state"]]
        line["direction"] = DIRECTIONS[row["direction"]]
        line["cgroup"] = self._cgroup(row)
        line |= {name: int(row[name]) if samples else None for name in ("rtt_lo_us", "rtt_hi_us")}
        line["rtt_samples"] = samples
        line["congestion_control"] = row["congestion_control"].decode("ascii", "replace") or None
        return line | dict.fromkeys(line.keys() & self._unknown)

    def _cgroup(self, row: np.void) -> str | None:
        """Asked once per connection and owner, while the process is likely to be there."""
        connection, key = int(row["id"]), ProcessKey(int(row["pid"]), int(row["started_ns"]))
        known = self._cgroups.get(connection)
        if known is None or known[0] != key:
            known = self._cgroups[connection] = (key, self._cgroup_of(key) if key.pid else None)
        return known[1]

    def _write(self, line: dict[str, Any]) -> None:
        self._out.write(json.dumps(line, separators=(",", ":")) + "\n")


def _text(raw: bytes) -> str | None:
    return raw.decode("utf-8", "replace") or None


def _address(family: int, raw: np.void) -> str:
    packed = raw.tobytes()
    return str(ipaddress.IPv4Address(packed[12:]) if family == 4 else ipaddress.IPv6Address(packed))
