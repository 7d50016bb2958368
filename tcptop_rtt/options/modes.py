"""Which options can be given together: most ways to show or write something exclude some others."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from tcptop_rtt.sources.opening import WITHOUT_BPF


class Apart(NamedTuple):
    """An option, and the other options that cannot be given with it."""

    option: str
    others: tuple[str, ...]
    problem: str
    """The error; ``{}`` becomes the other option that is given."""


_RECORDED = "argument --record, --keep: what is replayed has been recorded already"
_NO_COST = "argument --budget: what has been recorded costs nothing to measure"
_NO_SOURCE = "argument --source: what has been recorded is not read from a kernel"

APART = (
    Apart(
        "fleet",
        (
            *("source", "budget", "pid", "family", "lport", "rport", "prometheus", "otlp"),
            *("fail_if", "record", "replay", "keep", "at", "compare"),
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
    Apart("replay", ("record", "keep"), _RECORDED),
    Apart("at", ("record", "keep"), _RECORDED),
    Apart(
        "compare",
        ("replay", "record", "keep", "prometheus", "otlp", "once", "fail_if", "count"),
        "argument --compare: not allowed with {}",
    ),
    Apart(
        "hosts",
        ("replay", "at", "prometheus", "otlp", "compare", "fleet", "source", "budget"),
        "argument {}: it is not for other hosts",
    ),
    Apart("replay", ("source",), _NO_SOURCE),
    Apart("at", ("source",), _NO_SOURCE),
    Apart("compare", ("source",), _NO_SOURCE),
    Apart("replay", ("budget",), _NO_COST),
    Apart("at", ("budget",), _NO_COST),
    Apart("compare", ("budget",), _NO_COST),
)
"""Only the first conflict is reported. Options have the names of the parser's attributes."""

_ABSENT = {"source": "auto", "json": False, "once": False, "hosts": []}
"""The value of an option that is not given, where it is not None."""


def contradiction(options: argparse.Namespace) -> str:
    """What is wrong with options that are given together; empty if nothing is."""
    return _apart(options) or _missing(options) or _wrong_together(options)


def _apart(options: argparse.Namespace) -> str:
    for option, others, problem in APART:
        beside = [other for other in others if _is_given(options, other)]
        if beside and _is_given(options, option):
            return problem.format(f"--{beside[0].replace('_', '-')}")
    return ""


def _is_given(options: argparse.Namespace, option: str) -> bool:
    return bool(getattr(options, option) != _ABSENT.get(option))


def _missing(options: argparse.Namespace) -> str:
    """What is wrong if an option lacks another one that it needs."""
    if options.watched_ns is not None and (options.once or not options.fail_if):
        return "argument --for: only with --fail-if, and not with --once"
    if options.otlp_headers is not None and options.otlp is None:
        return "argument --otlp-headers: only with --otlp"
    if options.compare is None:
        return "" if options.with_ is None else "argument --with: only with --compare, as its second time"
    if len(options.compare) < 2 and None in (options.at, options.with_):
        return (
            "argument --compare: one recording takes two times, such as --at 14:00..14:10 --with 15:00..15:10"
        )
    return ""


def _wrong_together(options: argparse.Namespace) -> str:
    """What is wrong with the values of options that are given together."""
    for name in ("prometheus", "otlp"):
        if _is_given(options, name) and options.source == WITHOUT_BPF:
            return f"argument --{name}: not allowed with --source {WITHOUT_BPF}, which sees no RTT samples"
    longest_ns = max((condition.lasting_ns for condition in options.fail_if or ()), default=0)
    if options.once and longest_ns:
        return "argument --fail-if: with --once there is no time for which it could hold: leave out the for"
    if options.watched_ns is not None and longest_ns > options.watched_ns:
        return "argument --for: it is shorter than a condition has to hold"
    if len(options.compare or ()) > 2:
        return "argument --compare: it takes two recordings at most"
    twice = [host for host in options.hosts if options.hosts.count(host) > 1]
    return f"argument HOST: {twice[0]} is there twice" if twice else ""
