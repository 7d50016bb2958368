"""Which options can be given together: most ways to show or write something exclude some others."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

from tcptop_rtt.sources.opening import WITHOUT_BPF

Given = Callable[[str], bool]
"""Says whether an option is given, by its name as an attribute: whether its value is not the default."""


class Apart(NamedTuple):
    """An option, and the other options that cannot be given with it."""

    option: str
    others: tuple[str, ...]
    problem: str
    """The error; ``{}`` becomes the other option that is given."""


_RECORDED = "argument --record, --keep: what is replayed has been recorded already"
_OF_NOW = {
    "source": "argument --source: what has been recorded is not read from a kernel",
    "budget": "argument --budget: what has been recorded costs nothing to measure",
    "interval": "argument --interval/-i: what has been recorded has intervals of its own",
}
"""Options that mean nothing for what has been recorded."""

APART = (
    Apart(
        "fleet",
        (
            *("source", "budget", "pid", "family", "lport", "rport", "prometheus", "otlp"),
            *("fail_if", "record", "record_limit", "replay", "keep", "at", "compare"),
        ),
        "argument --fleet: not allowed with {}, which is about one machine",
    ),
    Apart("count", ("once", "fail_if"), "argument --count/-n: not allowed with --once and --fail-if"),
    Apart("prometheus", ("once", "fail_if"), "argument --prometheus: not allowed with --once and --fail-if"),
    Apart(
        "prometheus",
        ("replay", "at"),
        "argument --prometheus: not allowed with --replay and --at",
    ),
    Apart(
        "otlp",
        ("json", "once", "fail_if", "replay", "at"),
        "argument --otlp: not allowed with {}",
    ),
    Apart("replay", ("record", "record_limit", "keep"), _RECORDED),
    Apart("at", ("record", "record_limit", "keep"), _RECORDED),
    Apart(
        "compare",
        ("replay", "record", "record_limit", "keep", "prometheus", "otlp", "once", "fail_if", "count"),
        "argument --compare: not allowed with {}",
    ),
    Apart(
        "hosts",
        ("replay", "at", "prometheus", "otlp", "compare", "fleet", "source", "budget"),
        "argument {}: it is not for other hosts",
    ),
    *(
        Apart(option, (other,), problem)
        for other, problem in _OF_NOW.items()
        for option in ("replay", "at", "compare")
    ),
)
"""Only the first conflict is reported. Options have the names of the parser's attributes."""

NEED = {
    "otlp_headers": ("otlp",),
    "prometheus_prefix": ("prometheus", "otlp"),
    "prometheus_series": ("prometheus", "otlp"),
    "fleet_range": ("fleet",),
    "fleet_by": ("fleet",),
    "ssh": ("hosts",),
    "remote_command": ("hosts",),
}
"""For options that mean nothing without another one, those of which one has to be given."""

_NAMED = {"family": "-4 and -6", "hosts": "a HOST"}
"""What is written on the command line, where that is not the attribute's name."""


def contradiction(options: argparse.Namespace, default: Callable[[str], object]) -> str:
    """What is wrong with options that are given together; empty if nothing is.

    :param default: the default of an option of the parser
    """

    def given(option: str) -> bool:
        return bool(getattr(options, option) != default(option))

    return _apart(given) or _missing(options, given) or _wrong_together(options, given)


def _apart(given: Given) -> str:
    for option, others, problem in APART:
        beside = [other for other in others if given(other)]
        if beside and given(option):
            return problem.format(_named(beside[0]))
    return ""


def _named(option: str) -> str:
    return _NAMED.get(option) or f"--{option.replace('_', '-')}"


def _missing(options: argparse.Namespace, given: Given) -> str:
    """What is wrong if an option lacks another one that it needs."""
    if options.watched_ns is not None and (options.once or not options.fail_if):
        return "argument --for: only with --fail-if, and not with --once"
    for option, others in NEED.items():
        if given(option) and not any(map(given, others)):
            return f"argument {_named(option)}: only with {' or '.join(map(_named, others))}"
    if options.compare is None:
        if ".." in (options.at or ""):
            return "argument --at: a time, such as 14:03; from one to another only with --compare"
        return "" if options.with_ is None else "argument --with: only with --compare, as its second time"
    if len(options.compare) < 2 and None in (options.at, options.with_):
        return (
            "argument --compare: one recording takes two times, such as --at 14:00..14:10 --with 15:00..15:10"
        )
    return ""


def _wrong_together(options: argparse.Namespace, given: Given) -> str:
    """What is wrong with the values of options that are given together."""
    for name in ("prometheus", "otlp"):
        if given(name) and options.source == WITHOUT_BPF:
            return f"argument --{name}: not allowed with --source {WITHOUT_BPF}, which sees no RTT samples"
    longest_ns = max((condition.lasting_ns for condition in options.fail_if or ()), default=0)
    if options.once and longest_ns:
        return "argument --fail-if: with --once there is no time for which it could hold: leave out the for"
    if options.watched_ns is not None and longest_ns > options.watched_ns:
        return "argument --for: it is shorter than a condition has to hold"
    if options.watched_ns is not None and options.watched_ns < (options.interval or 0) * 1e9:
        return "argument --for: it is shorter than --interval"
    if len(options.compare or ()) > 2:
        return "argument --compare: it takes two recordings at most"
    twice = [host for host in options.hosts if options.hosts.count(host) > 1]
    return f"argument HOST: {twice[0]} is there twice" if twice else ""
