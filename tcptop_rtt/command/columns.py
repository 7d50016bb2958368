"""The columns of the report, and what they are called where a program reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tcptop_rtt.command.account import why
from tcptop_rtt.model.rows import DIRECTIONS
from tcptop_rtt.view import format as fmt


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One of them: what it says of a row as text, and as JSON under a name."""

    title: str
    text: Callable[[np.void], str]
    values: dict[str, Callable[[np.void], Any]]
    numeric: bool = True
    goes: int = 0
    """Where the terminal is too narrow, the highest number goes first; 0 stays."""


def _time(title: str, name: str) -> Column:
    return Column(title, lambda row: fmt.rtt(int(row[name])), {name: lambda row: int(row[name]) or None})


def _bytes(title: str, name: str) -> Column:
    return Column(title, lambda row: fmt.size(int(row[name])), {name: lambda row: int(row[name])}, goes=1)


def _count(title: str, name: str) -> Column:
    return Column(title, lambda row: fmt.tally(int(row[name])), {name: lambda row: int(row[name])})


def _address(name: str) -> Callable[[np.void], str]:
    return lambda row: fmt.address(int(row["family"]), row[name].tobytes())


def _endpoint(side: str) -> Callable[[np.void], str]:
    return lambda row: fmt.endpoint(int(row["family"]), row[f"{side}addr"].tobytes(), int(row[f"{side}port"]))


def _port(name: str) -> Callable[[np.void], int | None]:
    return lambda row: int(row[name]) or None


def _is_ours(row: np.void) -> bool:
    return DIRECTIONS[int(row["direction"])] == "in"


def _service(row: np.void) -> str:
    return f"our port {row['rport']}" if _is_ours(row) else _endpoint("r")(row)


def _state(row: np.void) -> str:
    return fmt.state(int(row["state"]), bool(row["closed"]), stalled=False)


def _text(row: np.void) -> str | None:
    return bytes(row["comm"]).decode("utf-8", "replace") or None


_WHY = Column("WHY", lambda row: why(row) or "", {"why": why}, numeric=False)
_MEASURED = (
    _time("CONNECT", "connect_us"),
    _time("1ST BYTE", "first_byte_us"),
    _time("RTT P50", "p50_us"),
    _time("RTT P99", "p99_us"),
    _count("RETR", "retrans"),
    _bytes("SENT", "bytes_acked"),
    _bytes("RECEIVED", "bytes_received"),
    _WHY,
)

CONNECTIONS = (
    Column("PROCESS", lambda row: fmt.printable(bytes(row["comm"])) or fmt.UNKNOWN, {"comm": _text}, False),
    Column(
        "PID",
        lambda row: str(row["pid"] or fmt.UNKNOWN),
        {"pid": lambda row: int(row["pid"]) or None},
        goes=2,
    ),
    Column(
        "REMOTE",
        _endpoint("r"),
        {
            "laddr": _address("laddr"),
            "lport": _port("lport"),
            "raddr": _address("raddr"),
            "rport": _port("rport"),
        },
        False,
    ),
    Column("STATE", _state, {"state": _state}, False, goes=4),
    Column(
        "LASTED",
        lambda row: fmt.rtt(int(row["age_ns"]) / 1000),
        {"age_ns": lambda row: int(row["age_ns"])},
        goes=3,
    ),
    *_MEASURED,
)
SERVICES = (
    Column(
        "SERVICE",
        _service,
        {
            "raddr": lambda row: None if _is_ours(row) else _address("raddr")(row),
            "port": lambda row: int(row["rport"]),
            "direction": lambda row: DIRECTIONS[int(row["direction"])],
        },
        False,
    ),
    _count("N", "count"),
    _count("FAILED", "failed"),
    *_MEASURED,
)
