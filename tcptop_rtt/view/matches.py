"""What a filter can ask: for each kind of field, which rows match a value and which certainly do not."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.hosts import name_of, names_of
from tcptop_rtt.model.rows import Get, Mask
from tcptop_rtt.view import causes
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.cause_columns import is_local
from tcptop_rtt.view.field_units import Unit
from tcptop_rtt.view.numbers import Numbers
from tcptop_rtt.view.questions import OPERATORS, Answer, Ask, Match, ValueNotTakenError


def numbers(of: Numbers, unit: Unit, at_least: Callable[[Get], Mask] | None = None) -> Match:
    """Compares a number; after ``:`` several values may be given, one of which must be equal.

    :param at_least: returns the rows of which the number is known only to be at least the value
    """

    def ask(sign: str, text: str) -> Ask:
        wanted = [unit.parse(one) for one in (text.split(",") if sign == ":" else [text])]
        compare = OPERATORS[sign]

        def answer(get: Get, lacking: frozenset[str]) -> Answer:
            values, unknown = of(get, lacking)
            found = np.zeros(len(values), bool)
            for one in wanted:
                found |= compare(values, one)
            yes, no = found & ~unknown, ~found & ~unknown
            if at_least is None:
                return Answer(yes, no)
            # What is larger already stays so, and all else may come out otherwise.
            certain = ~at_least(get) | (values > max(wanted))
            if sign in (">", ">="):
                certain |= found
            elif sign in ("<", "<="):
                certain |= ~found
            return Answer(yes & certain, no & certain)

        return answer

    return Match(ask, unit.example, compares=True)


def either(first: Match, second: Match) -> Match:
    """Asks the first match, or the second if the first does not take the value."""

    def ask(sign: str, text: str) -> Ask:
        try:
            return first.ask(sign, text)
        except ValueNotTakenError:
            return second.ask(sign, text)

    return Match(ask, first.example, compares=True)


def any_of(*matches: Match) -> Match:
    """True where it is true for at least one of several fields."""

    def ask(sign: str, text: str) -> Ask:
        asked = [match.ask(sign, text) for match in matches]

        def answer(get: Get, lacking: frozenset[str]) -> Answer:
            answers = [one(get, lacking) for one in asked]
            yes = np.logical_or.reduce([one.yes for one in answers])
            return Answer(yes, np.logical_and.reduce([one.no for one in answers]))

        return answer

    return Match(ask, matches[0].example, matches[0].compares)


def _is_equal(sign: str, word: str) -> bool:
    if sign not in (":", "=", "!="):
        raise ValueNotTakenError(f"{word} cannot be compared: use : or =")
    return sign != "!="


def flags(name: str, where: Callable[[Get], Mask] | None = None) -> Match:
    """Yes or no.

    :param where: returns the rows that have the field; None: all
    """

    def ask(sign: str, text: str) -> Ask:
        positive = _is_equal(sign, "yes or no")
        if text.lower() not in ("yes", "no", "true", "false"):
            raise ValueNotTakenError(f"{text!r} is neither yes nor no")
        wanted = (text.lower() in ("yes", "true")) == positive

        def answer(get: Get, lacking: frozenset[str]) -> Answer:
            found = get(name) == wanted
            there = np.full(len(found), name not in lacking) if where is None else where(get)
            return Answer(found & there, ~found & there)

        return answer

    return Match(ask, "yes")


def texts(
    text_of: Callable[[Get, frozenset[str]], list[Any]], read: Callable[[Any], str | None], example: str
) -> Match:
    """Text: ``:`` asks for a part of it, ``=`` for the whole of it. Upper and lower case are the same.

    :param text_of: one raw value per row
    :param read: makes text of a raw value; None if unknown
    """

    def read_one(raw: Any) -> tuple[str, ...]:
        value = read(raw)
        return () if value is None else (value,)

    return _any_text(text_of, read_one, example)


def _any_text(
    text_of: Callable[[Get, frozenset[str]], list[Any]], read: Callable[[Any], tuple[str, ...]], example: str
) -> Match:
    """As :func:`texts`, with several texts per row, of which one has to match; none if unknown."""

    def ask(sign: str, text: str) -> Ask:
        positive = _is_equal(sign, "a text")
        wanted = [one.lower() for one in (text.split(",") if sign == ":" else [text]) if one]
        if not wanted:
            raise ValueNotTakenError("there is no text to look for")

        def matches(raw: Any) -> int:
            values = [value.lower() for value in read(raw)]
            if not values:
                return -1
            if sign == ":":
                found = any(one in value for value in values for one in wanted)
            else:
                found = not set(wanted).isdisjoint(values)
            return int(found == positive)

        def answer(get: Get, lacking: frozenset[str]) -> Answer:
            verdicts: dict[Any, int] = {}
            raws = text_of(get, lacking)
            for raw in set(raws):
                verdicts[raw] = matches(raw)
            found = np.fromiter((verdicts[raw] for raw in raws), np.int8, len(raws))
            return Answer(found == 1, found == 0)

        return answer

    return Match(ask, example)


def names(name: str, example: str) -> Match:
    """Text from outside the program, in the form that the screen shows."""
    return texts(lambda get, _: get(name).tolist(), lambda raw: fmt.printable(raw) or None, example)


def hosts(name: str, example: str) -> Match:
    """The name of a host, likewise; where a row shows both ends, that of either host, or both as shown."""

    def read(number: int) -> tuple[str, ...]:
        return tuple(map(fmt.printable, {*names_of(number), name_of(number)} - {b""}))

    return _any_text(lambda get, _: get(name).tolist(), read, example)


def units() -> Match:
    """The unit of a process, of which one that is known may have none."""

    def read(raw: tuple[bytes, bool]) -> str | None:
        unit, has_process = raw
        return fmt.printable(unit) or ("" if has_process else None)

    return texts(
        lambda get, _: list(zip(get("unit").tolist(), (get("comm") != b"").tolist(), strict=True)),
        read,
        "nginx.service",
    )


def choices(name: str, choices: tuple[str | None, ...]) -> Match:
    """One of a few texts; the field holds the index of the text."""

    def read(number: int) -> str | None:
        return choices[number] if number < len(choices) else None

    return texts(
        lambda get, _: get(name).tolist(), read, next(choice for choice in choices if choice).lower()
    )


def state_codes(get: Get) -> NDArray[np.uint8]:
    """What the state column says, as a number: the state, and whether it is closed or stalled."""
    codes: NDArray[np.uint8] = get("state") | get("closed") << 4 | get("stalled") << 5
    return codes


def state_of(code: int) -> str:
    """The text of the state column for a state code."""
    return fmt.state(code & 15, bool(code & 16), bool(code & 32))


def states() -> Match:
    """The text of the state column."""
    return texts(lambda get, _: state_codes(get).tolist(), state_of, "estab")


def whys() -> Match:
    """The names of the cause that holds a connection up; empty, and so none of them, where there is none."""

    def read(number: int) -> tuple[str, ...]:
        cause = causes.numbered(number)
        return (cause.name, *cause.also) if cause else ("",)

    return _any_text(lambda get, lacking: causes.verdicts(get, lacking).tolist(), read, "loss")


def addresses(name: str) -> Match:
    """An address or a network."""

    def ask(sign: str, text: str) -> Ask:
        positive = _is_equal(sign, "an address")
        networks = [_network(one) for one in text.split(",")]

        def answer(get: Get, _: frozenset[str]) -> Answer:
            raw = np.ascontiguousarray(get(name)).view(np.uint8).reshape(-1, 16)
            found = np.zeros(len(raw), bool)
            for family, value, mask in networks:
                found |= ((raw & mask) == value).all(axis=1) & (get("family") == family)
            unknown = get("family") == 0
            return Answer((found == positive) & ~unknown, (found != positive) & ~unknown)

        return answer

    return Match(ask, "10.0.0.0/8")


def _network(text: str) -> tuple[int, NDArray[np.uint8], NDArray[np.uint8]]:
    try:
        network = ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        raise ValueNotTakenError(f"{text!r} is not an address or network such as 10.0.0.0/8") from None
    mapped = b"\0" * 10 + b"\xff" * 2 if network.version == 4 else b""
    all_ones = b"\xff" * len(mapped)
    value, mask = mapped + network.network_address.packed, all_ones + network.netmask.packed
    return network.version, np.frombuffer(value, np.uint8), np.frombuffer(mask, np.uint8)


def locality() -> Match:
    """Whether the peer is this machine."""

    def ask(sign: str, text: str) -> Ask:
        positive = flags("local").ask(sign, text)
        return lambda get, lacking: positive(lambda _: is_local(get), lacking)

    return Match(ask, "yes")
