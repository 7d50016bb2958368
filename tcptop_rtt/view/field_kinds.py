"""Makes fields, and their columns, of the kinds that there are several of."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter

from tcptop_rtt.view import cells, matches, numbers, parsing, sort_keys, values
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.field_units import unit_of
from tcptop_rtt.view.questions import Match
from tcptop_rtt.view.table import Column, Field


def integer(
    name: str,
    meaning: str,
    column: Column | None = None,
    nullable: bool = True,
    words: tuple[str, ...] = (),
    match: Match | None = None,
) -> Field:
    """A field of whole numbers.

    :param words: words for it in filters, besides the name and the column's key
    :param match: how a filter matches it, if not by the field's own values
    """
    match = match or matches.numbers(numbers.of_field(name), unit_of(name))
    parse = parsing.integers(name)
    return Field(name, "integer", meaning, values.integers(name), match, (), nullable, column, words, parse)


def flag(name: str, meaning: str) -> Field:
    """A field that is yes or no."""
    match = matches.flags(name)
    return Field(name, "boolean", meaning, values.flags(name), match, nullable=False, parse=parsing.flags)


def choice(
    name: str,
    meaning: str,
    texts: tuple[str | None, ...],
    column: Column | None = None,
    words: tuple[str, ...] = (),
    match: Match | None = None,
) -> Field:
    """A field that holds one of a few texts."""
    choices = tuple(text for text in texts if text is not None)
    match = match or matches.choices(name, texts)
    of_rows, parse = values.choices(name, texts), parsing.choices(texts)
    return Field(name, "string", meaning, of_rows, match, choices, True, column, words, parse)


def text(
    name: str,
    meaning: str,
    example: str,
    column: Column | None = None,
    words: tuple[str, ...] = (),
    match: Match | None = None,
) -> Field:
    """A field of text from outside."""
    return Field(
        name,
        "string",
        meaning,
        values.texts(name),
        match or matches.names(name, example),
        column=column,
        words=words,
        parse=parsing.texts,
    )


def former(field: Field) -> Field:
    """The same field, for connections that no process is known to hold any more."""
    return replace(field, values=values.of_left(field.values))


def waiting(field: Field) -> Field:
    """A flag, for connections that no process has accepted yet."""
    return replace(
        field,
        meaning=f"{field.meaning}; null: it does not wait",
        values=values.of_waiting(field.values),
        match=matches.flags(field.name, where=values.is_waiting),
        nullable=True,
    )


def interface(meaning: str) -> Field:
    """The field of the interface that a socket is bound to."""
    match = matches.names("interface", "eth0")
    return Field("interface", "string", meaning, values.interfaces, match, parse=parsing.interfaces)


def host(meaning: str, key: str = "host") -> Field:
    """The field of a row's host; its column is shown only with several hosts."""
    cell, sort = cells.host(key), sort_keys.by_host(key)
    column = Column(
        key, "HOST", 12, 4, f"{meaning}; only with several hosts", cell, sort,
        least=(8, 2), numeric=False, cut="end", may_be_empty=True,
    )  # fmt: skip
    return Field(
        key,
        "string",
        f"{meaning}, as the command line names it; null: all are of the host in the header",
        values.hosts(key),
        matches.hosts(key, "web1"),
        column=column,
        parse=parsing.hosts,
    )


def address(name: str, meaning: str, column: Column) -> Field:
    """The field of the address of one end."""
    match, parse = matches.addresses(name), parsing.addresses
    of_rows = values.addresses(name)
    return Field(name, "string", meaning, of_rows, match, nullable=False, column=column, parse=parse)


def endpoint(
    key: str, title: str, priority: int, meaning: str, side: str, least: tuple[int, int] | None = None
) -> Column:
    """The column of an address and its port; ``side`` is ``l`` (ours) or ``r`` (the peer's)."""
    cell, sort = cells.local if side == "l" else cells.remote, sort_keys.by_endpoint(side)
    return Column(
        key, title, 21, priority, meaning, cell, sort, least=least, wide=47, numeric=False, cut="middle"
    )


def rtt(name: str, meaning: str, key: str, title: str, priority: int, words: tuple[str, ...] = ()) -> Field:
    """A field of times formatted as RTTs; its meaning describes the column, too."""
    cell, sort = cells.microseconds(name), sort_keys.by_number(name)
    column = Column(key, title, fmt.RTT_WIDTH, priority, meaning, cell, sort)
    return integer(name, meaning, column, words=words)


def mean(total: str, count: str, meaning: str, column: tuple[str, str, int, str]) -> Field:
    """A field of sums of times; its column shows their mean, and a filter compares the mean."""
    key, title, priority, of_column = column
    cell, sort = cells.quotient(total, count), sort_keys.by_quotient(total, count)
    match = matches.numbers(numbers.quotient(total, count), unit_of(total))
    of = Column(key, title, fmt.RTT_WIDTH, priority, of_column, cell, sort)
    return integer(total, meaning, of, match=match)


def rate(name: str, of: str, key: str, title: str, width: int, priority: int) -> Field:
    """A field of bits per second; ``of`` says of what."""
    cell, sort = cells.rate(attrgetter(name)), sort_keys.by_number(name)
    column = Column(key, title, width, priority, f"{of}, bits per second", cell, sort)
    return integer(name, f"bits {of} per second, over about the last one", column)
