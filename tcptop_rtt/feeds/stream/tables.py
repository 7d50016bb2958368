"""One table of the stream, built from its lines: columns in the order of the ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import places
from tcptop_rtt.model.outside import MOST_NUMBER
from tcptop_rtt.model.rows import MAPPED, Indices, Mask
from tcptop_rtt.view.streamed import Kind
from tcptop_rtt.view.table import Field

MOST_ROWS = 1 << 22
_ADDRESSES = ("laddr", "raddr")
_MOST_FAILURES = 1000
"""After so many parts of a list that do not fit, each part that does not fit is unknown as a whole."""
_UNFIT = (TypeError, ValueError, OverflowError, AttributeError, UnicodeError)


class BadLineError(ValueError):
    """A line, or a part of one, is malformed."""


class StreamTable:
    """Not thread-safe. The columns are handed out read-only: later changes go to a copy."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._fields = {field.name: field for field in kind.fields if field.parse}
        names = kind.dtype.names or ()
        self.columns: dict[str, NDArray[Any]] = {name: np.zeros(0, kind.dtype[name]) for name in names}
        self._names = [field.name for field in kind.changing if field.name in self._fields]
        self._named: set[str] = set()  # those that lines have had so far, for all rows at once

    def __len__(self) -> int:
        return len(self.columns["id"])

    @property
    def ids(self) -> NDArray[np.uint64]:
        """The ids of the rows, ascending."""
        return self.columns["id"]

    @property
    def absent(self) -> frozenset[str]:
        """The columns that no line has had, as with an older version, and where 0 would mean 0."""
        if not len(self):
            return frozenset()
        return frozenset(self.kind.raw[name] for name in _never_nothing(self.kind) - self._named)

    def become(self, other: StreamTable) -> None:
        """Become an independent copy of a table of the same kind."""
        self.columns, self._named = other.freeze(), set(other._named)

    def set_ids(self, ids: NDArray[np.uint64]) -> Indices | None:
        """Set the rows to those of these ids, which ascend. Of new rows nothing is known.

        :return: the old place of each row, -1 if it is new; None if nothing has changed
        """
        own = self.ids
        if len(ids) == len(own) and (ids == own).all():
            return None
        if len(ids) > MOST_ROWS:
            raise BadLineError(f"more than {MOST_ROWS:,} {self.kind.name}")
        before = places(own, ids)
        found = before >= 0
        nothing = _nothing_known(self.kind)
        for name, column in self.columns.items():
            fresh = np.full(len(ids), nothing[name], column.dtype)
            fresh[found] = column[before[found]]
            self.columns[name] = fresh
        self.columns["id"] = ids
        return before

    def put(self, name: str, at: Indices, values: Sequence[Any]) -> None:
        """Write values of a field.

        :param at: the places of the rows
        :raises BadLineError: there is no such field, or values do not fit it, which are unknown then
        """
        field = self._fields.get(name)
        if field is None:
            raise BadLineError(f"{name[:64]!a} is no field of {self.kind.name}")
        if len(at) == len(self):
            self._named.add(name)
        elif name in _never_nothing(self.kind) - self._named:
            return  # it stays absent, so that nothing may rest on it in some rows
        try:
            self._write(field, at, values)
        except BadLineError:
            self._write_what_fits(field, at, values)
            raise

    def _write_what_fits(self, field: Field, at: Indices, values: Sequence[Any]) -> None:
        """Write the values that fit, halving the list until each part fits; the others become unknown."""
        parts, failures = [(0, len(at))], 0
        while parts:
            begin, end = parts.pop()
            try:
                self._write(field, at[begin:end], values[begin:end])
            except BadLineError:
                failures += 1
                middle = (begin + end) // 2
                if begin < middle and failures < _MOST_FAILURES:
                    parts += [(begin, middle), (middle, end)]
                else:
                    self._write_unknown(field, at[begin:end])

    def _write_unknown(self, field: Field, at: Indices) -> None:
        with suppress(BadLineError):  # an address cannot be unknown, and stays what it is
            self._write(field, at, [None] * len(at))

    def _write(self, field: Field, at: Indices, values: Sequence[Any]) -> None:
        raw = self.kind.raw[field.name]
        try:
            parsed = _parsed(field, values, self.columns[raw].dtype)
        except _UNFIT:
            raise BadLineError(f"{field.name}: no such value") from None
        if len(parsed) != len(at):
            raise BadLineError(f"{field.name}: {len(parsed):,} values of {len(at):,} rows")
        self.writable(raw)[at] = parsed

    def put_lines(self, at: Indices, lines: Sequence[Mapping[str, Any]]) -> list[str]:
        """Write whole lines. A field that a line lacks becomes unknown, and so does one that does not fit.

        :return: which fields have values that do not fit
        """
        problems: list[str] = []
        for name, values in zip(self._names, _by_field(lines, self._names), strict=True):
            if values is None:
                self._write_unknown(self._fields[name], at)
                continue
            try:
                self.put(name, at, values)
            except BadLineError as error:
                problems.append(str(error))
        return problems

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


def _by_field(lines: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterable[Sequence[Any] | None]:
    """The values of each field, one per line, None if a line lacks the field; None if all lines lack it."""
    if not lines:
        return ([] for _ in names)
    try:
        return zip(*map(itemgetter(*names), lines), strict=True)
    except KeyError:  # lines of another version
        return (
            [line.get(name) for line in lines] if any(name in line for line in lines) else None
            for name in names
        )


@cache
def _nothing_known(kind: Kind) -> np.void:
    """A row of which nothing is known."""
    row = np.zeros(1, kind.dtype)
    for field in kind.fields:
        with suppress(*_UNFIT):  # not every field can be unknown
            row[kind.raw[field.name]] = _parsed(field, [None], row.dtype[kind.raw[field.name]])
    found: np.void = row[0]
    return found


@cache
def _never_nothing(kind: Kind) -> frozenset[str]:
    """The fields that are known whatever they are, where the fields that they depend on are known."""
    found = []
    for field in (one for one in kind.changing if one.parse and one.nullable):
        row, raw = np.zeros(1, kind.dtype), kind.raw[field.name]
        for name in kind.dtype.names or ():
            if kind.dtype[name].kind in "uifb":
                row[name] = 1  # it may depend on any number
        row[raw] = _nothing_known(kind)[raw]
        if list(field.values(row.__getitem__, frozenset())) != [None]:
            found.append(field.name)
    return frozenset(found)


def _parsed(field: Field, values: Sequence[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The values of a field as an array for its column; raises _UNFIT."""
    return array_of(field.parse(values), dtype) if field.parse else np.zeros(0, dtype)


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
