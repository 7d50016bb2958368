"""Parses the values of options; an error says what would be right.

This module imports nothing heavy, as the command line loads it at every start.
"""

from __future__ import annotations

import argparse
import pwd
import re
from typing import TYPE_CHECKING

from tcptop_rtt.config.settings import LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S
from tcptop_rtt.model.hosts import LONGEST_BYTES
from tcptop_rtt.view.quantities import MOST_PORT, SHARES, SIZES, number, whole
from tcptop_rtt.view.times import HINT, duration_ns, time_ns

if TYPE_CHECKING:
    from tcptop_rtt.view.conditions import Condition

RUN = "run"
"""The first argument if a command is to be run."""
LEAST_RECORDING_BYTES, MOST_RECORDING_BYTES = 10**6, 1 << 62
LEAST_SHARE = 0.0001


def user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise argparse.ArgumentTypeError(f"there is no user {name!r}") from None


def some(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return text


def command(text: str) -> str:
    import shlex

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no command: {error}") from None
    if not words:
        raise argparse.ArgumentTypeError("there is no command")
    return text


def host(text: str) -> str:
    if text == RUN:
        raise argparse.ArgumentTypeError(f"{RUN} comes first: tcptop-rtt {RUN} [options] -- COMMAND")
    # ssh would take a text with a leading hyphen for an option.
    if not re.fullmatch(rf"(?!-)[\w@.:%/\[\]+-]{{1,{LONGEST_BYTES}}}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a host, such as web1 or root@web1")
    return text


def interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not SHORTEST_INTERVAL_S <= seconds <= LONGEST_INTERVAL_S:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of seconds from {SHORTEST_INTERVAL_S:g} to {LONGEST_INTERVAL_S:g}"
        )
    return seconds


def size(text: str) -> int:
    size = number(text.replace(" ", "", 1), SIZES)
    if size is None or not LEAST_RECORDING_BYTES <= size <= MOST_RECORDING_BYTES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size from 1MB on, such as 500MB or 1GB")
    return int(size)


def share(text: str) -> float:
    share = number(text.replace(" ", "", 1), SHARES)
    if share is None or not LEAST_SHARE <= share <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a share of one processor from 0.01% to 100%, such as 0.5%"
        )
    return share


def time(text: str) -> str:
    if any(time_ns(part, 0, 0, 0) is None for part in text.split("..", 1)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as {HINT}")
    return text


def positive(text: str) -> int:
    found = whole(text, 1, (1 << 31) - 1)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return found


def condition(text: str) -> Condition:
    from tcptop_rtt.view.conditions import parse
    from tcptop_rtt.view.query import QueryError

    try:
        return parse(text)
    except QueryError as error:
        raise argparse.ArgumentTypeError(f"{error} (at character {error.at + 1} of {text!r})") from None


def duration(text: str) -> int:
    return _duration(text, least_ns=0)


def some_duration(text: str) -> int:
    return _duration(text, least_ns=1)


def _duration(text: str, least_ns: int) -> int:
    ns = duration_ns(text, least_ns)
    if ns is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 30s or 5m")
    return ns


def port(text: str) -> int:
    found = whole(text, 1, MOST_PORT)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return found
