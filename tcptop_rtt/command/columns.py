"""The columns of the report, and the names of their values in JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tcptop_rtt.command.account import why
from tcptop_rtt.model.records import Direction
from tcptop_rtt.model.rows import DIRECTIONS, Get
from tcptop_rtt.view import addresses, causes, values
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.fields import CONNECTIONS as TABLE
from tcptop_rtt.view.values import Values


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column: how one row is shown as text, and by JSON name the values of all rows."""

    title: str
    text: Callable[[np.void], str]
    values: Mapping[str, Values]
    numeric: bool = True
    goes: int = 0
    """In a narrow terminal columns are left out, the highest number first; 0: never."""


def _title(key: str) -> str:
    """Return the title that the column has in the main table of connections."""
    return TABLE.column[key].title


def _time(title: str, name: str) -> Column:
    return Column(title, lambda row: fmt.rtt(int(row[name])), {name: _but_0(name)})


def _bytes(title: str, name: str) -> Column:
    return Column(title, lambda row: fmt.size(int(row[name])), {name: values.integers(name)}, goes=1)


def _count(title: str, name: str) -> Column:
    return Column(title, lambda row: fmt.tally(int(row[name])), {name: values.integers(name)})


def _but_0(name: str) -> Values:
    """Return the values of a field in which 0 means unknown; 0 becomes None."""
    return lambda get, _: [number or None for number in get(name).tolist()]


def _remote(row: np.void) -> str:
    return addresses.endpoint(int(row["family"]), row["raddr"].tobytes(), int(row["rport"]))


def _is_ours(row: np.void) -> bool:
    return bool(row["direction"] == Direction.IN)


def _service(row: np.void) -> str:
    return f"our port {row['rport']}" if _is_ours(row) else _remote(row)


def _servers(get: Get, lacking: frozenset[str]) -> list[Any]:
    """Return the address of each row's server; None if the server is this machine."""
    found = zip(values.addresses("raddr")(get, lacking), get("direction").tolist(), strict=True)
    return [None if direction == Direction.IN else address for address, direction in found]


def _state(row: np.void) -> str:
    return fmt.state(int(row["state"]), bool(row["closed"]), stalled=False)


def _states(get: Get, _: frozenset[str]) -> list[Any]:
    found = zip(get("state").tolist(), get("closed").tolist(), strict=True)
    return [fmt.state(state, closed, stalled=False) for state, closed in found]


_MEASURED = (
    _time("CONNECT", "connect_us"),
    _time("1ST BYTE", "first_byte_us"),
    _time("RTT P50", "p50_us"),
    _time("RTT P99", "p99_us"),
    _count(_title("retrans"), "retrans"),
    _bytes("SENT", "bytes_acked"),
    _bytes("RECEIVED", "bytes_received"),
    Column(
        _title("why"),
        lambda row: why(row) or "",
        {"why": values.choices("verdict", causes.NAMES)},
        numeric=False,
    ),
)

CONNECTIONS = (
    Column(
        _title("process"),
        lambda row: fmt.printable(bytes(row["comm"])) or fmt.UNKNOWN,
        {"comm": values.texts("comm")},
        numeric=False,
    ),
    Column(
        _title("pid"), lambda row: str(row["pid"] or fmt.UNKNOWN), {"pid": values.integers("pid")}, goes=2
    ),
    Column(
        _title("remote"),
        _remote,
        {
            "laddr": values.addresses("laddr"),
            "lport": values.integers("lport"),
            "raddr": values.addresses("raddr"),
            "rport": values.integers("rport"),
        },
        numeric=False,
    ),
    Column(_title("state"), _state, {"state": _states}, numeric=False, goes=4),
    Column(
        "LASTED",
        lambda row: fmt.rtt(int(row["age_ns"]) / 1000),
        {"age_ns": values.integers("age_ns")},
        goes=3,
    ),
    *_MEASURED,
)
SERVICES = (
    Column(
        "SERVICE",
        _service,
        {
            "raddr": _servers,
            "port": values.integers("rport"),
            "direction": values.choices("direction", DIRECTIONS),
        },
        numeric=False,
    ),
    _count("N", "count"),
    _count("FAILED", "failed"),
    *_MEASURED,
)
