"""One table of the stream, built from its lines: columns in the order of the ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import places
from tcptop_rtt.model.outside import MOST_NUMBER
from tcptop_rtt.model.rows import MAPPED, Indices, Mask
from tcptop_rtt.view.streamed import Kind

MOST_ROWS = 1 << 22
_ADDRESSES = ("laddr", "raddr")


class BadLineError(ValueError):
    """A line, or a part of one, is malformed."""


class StreamTable:
    """Not thread-safe. The columns are handed out read-only: later changes go to a copy."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._fields = {field.name: field for field in kind.fields if field.parse}
        names = kind.dtype.names or ()
        self.columns: dict[str, NDArray[Any]] = {name: np.zeros(0, kind.dtype[name]) for name in names}

    def __len__(self) -> int:
        return len(self.columns["id"])

    @property
    def ids(self) -> NDArray[np.uint64]:
        """The ids of the rows, ascending."""
        return self.columns["id"]

    def set_ids(self, ids: NDArray[np.uint64]) -> Indices | None:
        """Set the rows to those of these ids, which ascend. New rows are zeros.

        :return: the old place of each row, -1 if it is new; None if nothing has changed
        """
        own = self.ids
        if len(ids) == len(own) and (ids == own).all():
            return None
        if len(ids) > MOST_ROWS:
            raise BadLineError(f"more than {MOST_ROWS:,} {self.kind.name}")
        before = places(own, ids)
        found = before >= 0
        for name, column in self.columns.items():
            fresh = np.zeros(len(ids), column.dtype)
            fresh[found] = column[before[found]]
            self.columns[name] = fresh
        self.columns["id"] = ids
        return before

    def put(self, name: str, at: Indices, values: Sequence[Any]) -> None:
        """Write values of a field.

        :param at: the places of the rows
        :raises BadLineError: there is no such field, or the values do not fit it
        """
        field = self._fields.get(name)
        if field is None or field.parse is None:
            raise BadLineError(f"{name[:64]!a} is no field of {self.kind.name}")
        column = self.columns[self.kind.raw[name]]
        try:
            parsed = array_of(field.parse(values), column.dtype)
        except (TypeError, ValueError, OverflowError, AttributeError, UnicodeError):
            raise BadLineError(f"{name}: no such value") from None
        if len(parsed) != len(at):
            raise BadLineError(f"{name}: {len(parsed):,} values of {len(at):,} rows")
        self.writable(self.kind.raw[name])[at] = parsed

    def put_lines(self, at: Indices, lines: Sequence[Mapping[str, Any]]) -> None:
        """Write whole lines. A field that a line lacks becomes unknown."""
        names = [name for name in self._fields if self.kind.raw[name] != "id"]
        for name, values in zip(names, _by_field(lines, names), strict=True):
            self.put(name, at, values)

    def writable(self, name: str) -> NDArray[Any]:
        """A column that may be changed in place."""
        column = self.columns[name]
        if not column.flags.writeable:
            column = self.columns[name] = column.copy()
        return column

    def clock(self, name: str) -> NDArray[Any]:
        """A column of ages that may be changed in place, by the name of the field.

        :raises BadLineError: this table has no such field
        """
        if name not in self.columns:
            raise BadLineError(f"{name} is no field of {self.kind.name}")
        return self.writable(name)

    def _agree(self) -> None:
        """Set family 6 in IPv4 rows with an IPv6 address, which would be shown as another address."""
        names = [name for name in _ADDRESSES if name in self.columns]
        if not any(self.columns[name].flags.writeable for name in ("family", *names)):
            return  # unchanged columns have been checked before
        mapped = [_is_mapped(self.columns[name]) for name in names]
        wrong = (self.columns["family"] == 4) & ~np.logical_and.reduce(mapped)
        if wrong.any():
            self.writable("family")[wrong] = 6

    def records(self) -> NDArray[np.void]:
        """The rows as they are now, read-only."""
        self._agree()
        rows = np.zeros(len(self), self.kind.dtype)
        for name, column in self.columns.items():
            rows[name] = column
        rows.flags.writeable = False
        return rows

    def freeze(self) -> dict[str, NDArray[Any]]:
        """The columns as they are now, read-only."""
        self._agree()
        for column in self.columns.values():
            column.flags.writeable = False
        return dict(self.columns)


def _by_field(lines: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterable[Sequence[Any]]:
    """The values of each field, one per line; None if a line lacks the field."""
    if not lines:
        return ([] for _ in names)
    try:
        return zip(*map(itemgetter(*names), lines), strict=True)
    except KeyError:  # lines of another version
        return ([line.get(name) for line in lines] for name in names)


def _is_mapped(addresses: NDArray[np.void]) -> Mask:
    prefixes = np.ascontiguousarray(addresses).view(np.uint8).reshape(-1, 16)[:, : len(MAPPED)]
    found: Mask = (prefixes == np.frombuffer(MAPPED, np.uint8)).all(axis=1)
    return found


def ids_of(values: object) -> NDArray[np.uint64]:
    """An array of the ids in a line.

    :raises BadLineError: they are not a list of ids
    """
    if not isinstance(values, list) or len(values) > MOST_ROWS:
        raise BadLineError("not a list of ids")
    try:
        return np.array(msgspec.convert(values, list[int]), np.uint64)
    except (msgspec.ValidationError, ValueError, OverflowError):
        raise BadLineError("not a list of ids") from None


def array_of(values: list[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The values as an array for a column.

    :raises TypeError, ValueError, OverflowError: a value is of the wrong type, or too large
    """
    match dtype.kind:
        case "V":
            found = np.frombuffer(b"".join(values), dtype)
        case "u":
            found = np.array(values, np.uint64)
            if found.size and int(found.max()) > np.iinfo(dtype).max:
                raise ValueError("too large")
            found = found.astype(dtype)
        case "f":
            with np.errstate(over="ignore"):
                found = np.array(values, dtype)
            if (np.abs(found) > MOST_NUMBER).any():
                raise ValueError("too large")
        case _:
            found = np.array(values, dtype)
    if found.ndim != 1:
        raise ValueError("lists among values")
    return found
