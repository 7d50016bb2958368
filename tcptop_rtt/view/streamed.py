"""The tables of a snapshot as the stream has them: their fields, and which fields grow with time.

Both the writer and the reader of the stream use this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.listeners import LISTENER
from tcptop_rtt.model.rows import ROW, UNKNOWN_U32, Mask
from tcptop_rtt.model.targets import TARGET
from tcptop_rtt.view import listener_fields, target_fields
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.table import Field

FORMAT_VERSION = 1

OF_A_LINE = frozenset({"rtt_samples", "rtt_lo_us", "rtt_hi_us", "rtt_sum_us"})
"""Fields of the samples since the previous snapshot: a row without a line of its own has had none."""
OF_A_HOLDER = frozenset({"queue_full", "was_pid", "was_comm"})
"""Fields that only connections with a certain kind of holder have."""
_MS = 1_000_000
CLOCKS = {
    "age_ns": 1,
    **dict.fromkeys(("rtt_age_ms", "peak_age_ms", "read_ms", "latest_ms"), _MS),
    **dict.fromkeys(("last_sent_ms", "last_received_ms", "last_ack_ms"), _MS),
}
"""Fields that grow as time passes, each with the nanoseconds of its unit."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One of the tables of a snapshot, as columns."""

    name: str
    dtype: np.dtype[np.void]
    """The dtype of the rows in a snapshot."""
    fields: tuple[Field, ...]
    """The fields made of one column. A field made of several columns is only in a row's own line."""
    raw: dict[str, str]
    """The name of the column that a field is made of, by the field's name."""
    id_field: str
    """The name of the id in lines. For listeners and failed connects it is the name of the event, too."""

    @property
    def changing(self) -> list[Field]:
        """The fields that may have ``column`` lines."""
        return [field for field in self.fields if self.raw[field.name] != "id"]


_RAW = {
    "listener": "id",
    "listen_address": "laddr",
    "listen_port": "lport",
    "target": "id",
    "target_address": "raddr",
    "target_port": "rport",
}
"""The columns of those fields that have another name in the stream."""


def _kind(name: str, dtype: np.dtype[np.void], fields: tuple[Field, ...], id_: str) -> Kind:
    raw = {field.name: _RAW.get(field.name, field.name) for field in fields}
    kept = tuple(field for field in fields if raw[field.name] in (dtype.names or ()))
    return Kind(name, dtype, kept, {field.name: raw[field.name] for field in kept}, id_)


CONNECTION_COLUMNS = _kind("connections", ROW, CONNECTIONS.fields, "id")
LISTENER_COLUMNS = _kind("listeners", LISTENER, listener_fields.STREAMED, "listener")
TARGET_COLUMNS = _kind("targets", TARGET, target_fields.STREAMED, "target")
SIDES = (LISTENER_COLUMNS, TARGET_COLUMNS)
"""The tables except that of connections."""


def advanced(values: NDArray[Any], closed: Mask, plus: int, plus_closed: int) -> NDArray[Any]:
    """Ages, advanced by the time that has passed; UNKNOWN_U32 (never) stays."""
    later = values + np.where(closed, plus_closed, plus).astype(values.dtype)
    return np.where(values == UNKNOWN_U32, values, later) if values.dtype.itemsize == 4 else later
