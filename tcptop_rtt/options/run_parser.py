"""The options of ``tcptop-rtt run``."""

from __future__ import annotations

import argparse

from tcptop_rtt.options import values
from tcptop_rtt.options.common import Parser, add_filter, add_source
from tcptop_rtt.sources.opening import SOURCES, WITHOUT_BPF

_RUN_EXAMPLES = """\
The command runs as tcptop-rtt does, so as root under sudo, unless --user says otherwise. tcptop-rtt ends
with the command's exit status, 128 and the signal's number if one has ended it, 127 or 126 if it cannot
be started.

examples:
  sudo tcptop-rtt run -- curl -s https://example.org
  sudo tcptop-rtt run --user "$USER" --output report.txt -- make test
  sudo tcptop-rtt run --json --output report.jsonl -- sh -c 'a & b; wait'
"""


def make_run_parser() -> argparse.ArgumentParser:
    """The parser for ``tcptop-rtt run``."""
    parser = Parser(
        prog=f"tcptop-rtt {values.RUN}",
        usage="%(prog)s [options] -- COMMAND [ARGUMENTS]",
        description="Run a command, and tell on standard error what its TCP connections, and those of all\n"
        "its children, were like: how long connecting and the first byte took, round-trip times,\n"
        "what was sent again, and what held them up.",
        epilog=_RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--json", action="store_true", help="JSON Lines instead of tables, of every connection")
    add(
        "--output",
        "-o",
        type=values.some,
        metavar="FILE",
        help="write to this file instead of standard error",
    )
    add("--user", "-u", type=values.user, metavar="USER", help="run the command as this user")
    add_filter(parser)
    add_source(parser, tuple(source for source in SOURCES if source != WITHOUT_BPF))
    add("--no-config", action="store_true", help="leave the file of settings unread")
    add("command", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command and its arguments")
    return parser
