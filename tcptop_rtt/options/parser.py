"""The options of ``tcptop-rtt``."""

from __future__ import annotations

import argparse

from tcptop_rtt import __version__
from tcptop_rtt.feeds.fleet import options as fleet
from tcptop_rtt.options import values
from tcptop_rtt.options.common import Parser, add_filter, add_source
from tcptop_rtt.outputs.metrics import options as metrics
from tcptop_rtt.outputs.otlp import options as otlp
from tcptop_rtt.outputs.prometheus import options as prometheus
from tcptop_rtt.view.palettes import PALETTES

_EXAMPLES = """\
examples:
  sudo tcptop-rtt                          the dashboard
  sudo tcptop-rtt --rport 5432             only connections to PostgreSQL
  sudo tcptop-rtt --pid 1234 -6            only IPv6 connections of process 1234
  sudo tcptop-rtt --filter 'rtt>50ms !local'   slow ones to other hosts
  sudo tcptop-rtt --count 1 | sort         one table as plain text
  sudo tcptop-rtt --record monday          the dashboard, and a recording of it
  tcptop-rtt --compare monday tuesday      what differs by more than chance
  sudo tcptop-rtt --prometheus 9464        metrics for Prometheus on loopback, port 9464
  sudo tcptop-rtt --otlp http://127.0.0.1:4318   metrics for an OpenTelemetry Collector
  tcptop-rtt --fleet http://prometheus:9090   all hosts that this server scrapes
  sudo tcptop-rtt run -- curl -s example.org        what a command's connections were like
  tcptop-rtt web1 web2 db1                 the connections of other hosts, by ssh

tcptop-rtt run --help describes running a command.
"""


def make_parser(with_hosts: bool = True) -> argparse.ArgumentParser:
    """The parser for ``tcptop-rtt``."""
    parser = Parser(
        prog="tcptop-rtt",
        description="Every TCP connection of this machine with its live round-trip time.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    parser.set_defaults(command=None)
    add_source(parser)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--json", action="store_true", help="write JSON Lines instead of opening the dashboard"
    )
    prometheus.add_options(instead)
    otlp.add_options(parser)
    metrics.add_options(parser)
    fleet.add_options(parser)
    add(
        "--interval",
        "-i",
        type=values.interval,
        metavar="SECONDS",
        help="time between updates (default: 1)",
    )
    add(
        "--budget",
        type=values.share,
        metavar="SHARE",
        help="cost no more than this share of one processor, such as 0.5%%, here and in the kernel together: "
        "records, scans and at last updates come less often, and the program shows what it reduces",
    )
    add("--count", "-n", type=values.positive, metavar="N", help="end after N tables or JSON updates")
    add(
        "--once",
        action="store_true",
        help="one table or JSON update with rates, after one interval; then end",
    )
    add(
        "--fail-if",
        type=values.condition,
        action="append",
        metavar="CONDITION",
        help="write nothing, but end with exit code 3 and one line once CONDITION holds, such as "
        "'p99(rport:5432)>20ms for 30s': AGGREGATE(FILTER)>VALUE, where AGGREGATE is p50, p95, p99, max "
        "or mean, of the smoothed RTTs of now; count; retr, segments sent again per second; or rate, bits "
        "per second. May be repeated",
    )
    add(
        "--for",
        dest="watched_ns",
        type=values.duration,
        metavar="TIME",
        help="with --fail-if: end with exit code 0 after so long, such as 5m (default: watch on)",
    )
    add("--pid", "-p", type=values.positive, help="only connections of this process")
    family = parser.add_mutually_exclusive_group()
    family.add_argument("-4", dest="family", action="store_const", const=4, help="only IPv4")
    family.add_argument("-6", dest="family", action="store_const", const=6, help="only IPv6")
    add("--lport", type=values.port, metavar="PORT", help="only this local port")
    add("--rport", type=values.port, metavar="PORT", help="only this remote port")
    add_filter(parser)
    add("--names", "-N", action="store_true", help="show names of peers and services in the dashboard (as n)")
    _add_recording(parser)
    if with_hosts:
        add(
            "hosts",
            nargs="*",
            default=[],
            type=values.host,
            metavar="HOST",
            help="show the connections of these hosts instead, by ssh; tcptop-rtt has to be installed there",
        )
    _add_ssh(parser)
    add("--theme", choices=tuple(PALETTES), help="colours (default: by the terminal's background)")
    add("--no-config", action="store_true", help="leave the file of settings unread")
    add("--version", "-V", action="version", version=f"tcptop-rtt {__version__}")
    return parser


def _add_recording(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--record",
        type=values.some,
        metavar="FILE",
        help="record everything into this new file, to be looked at with --replay",
    )
    add(
        "--replay",
        type=values.some,
        metavar="FILE",
        help="show a recording, or lines of --json, instead of now; -: from a pipe",
    )
    add(
        "--record-limit",
        type=values.size,
        metavar="SIZE",
        help="recordings become no larger, such as 1GB: what is oldest goes first",
    )
    add(
        "--keep",
        type=values.some_duration,
        metavar="DURATION",
        help="keep all that is seen on disk for so long, such as 24h, for --at",
    )
    add(
        "--at",
        type=values.time,
        metavar="TIME",
        help="show what was at a time, as 14:03 or 10m (ago): of --keep, or of the file of --replay; with "
        "--compare the first time, such as 14:00..14:10",
    )
    add(
        "--compare",
        nargs="*",
        type=values.some,
        metavar="FILE",
        help="compare two recordings, A and B, or two times, --at and --with, of one (none: of --keep): per "
        "service and remote network how p50 and p99 of the RTT samples (between two updates three of a "
        "connection exactly, more at their mean), loss and rates have shifted, and where by more than chance",
    )
    add(
        "--with",
        dest="with_",
        type=values.time,
        metavar="TIME",
        help="with --compare: the second time, such as 15:00..15:10; one alone is the minute from then on",
    )


def _add_ssh(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--ssh",
        type=values.command,
        default="ssh",
        metavar="COMMAND",
        help="what connects to a HOST, with options such as 'ssh -F FILE' (default: ssh)",
    )
    add(
        "--remote-command",
        type=values.some,
        metavar="COMMAND",
        help="what is run on each HOST (default: tcptop-rtt --json, by sudo unless it is root)",
    )
