"""Values of options: made of what is typed, or refused with what would be right.

Nothing heavy is imported here: the command line reads it at every start.
"""

from __future__ import annotations

import argparse
import pwd
import re
from typing import TYPE_CHECKING

from tcptop_rtt.config.settings import LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S

if TYPE_CHECKING:
    from tcptop_rtt.view.conditions import Condition

LEAST_RECORDING_BYTES = 10**6


def user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise argparse.ArgumentTypeError(f"there is no user {name!r}") from None


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
    # What begins with a hyphen would be an option of ssh.
    if not re.fullmatch(r"(?!-)[\w@.:%/\[\]+-]{1,300}", text, re.ASCII):
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
    units = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?) ?([kmgt]?)b?", text.lower(), re.ASCII)
    size = int(float(found[1]) * units[found[2]]) if found else 0
    if size < LEAST_RECORDING_BYTES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size from 1MB on, such as 500MB or 1GB")
    return size


def time(text: str) -> str:
    from tcptop_rtt.view.times import HINT, time_ns

    if any(time_ns(part, 0, 0, 0) is None for part in text.split("..", 1)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as {HINT}")
    return text


def positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def condition(text: str) -> Condition:
    from tcptop_rtt.view.conditions import parse
    from tcptop_rtt.view.query import QueryError

    try:
        return parse(text)
    except QueryError as error:
        raise argparse.ArgumentTypeError(f"{error} (at character {error.at + 1} of {text!r})") from None


def duration(text: str) -> int:
    from tcptop_rtt.view.conditions import duration_ns
    from tcptop_rtt.view.matches import ValueNotTakenError

    try:
        return duration_ns(text)
    except ValueNotTakenError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)
