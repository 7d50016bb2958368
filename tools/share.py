"""Makes man pages and shell completions from the parser: ``python -m tools.share``, or ``./setup share``."""

from __future__ import annotations

import argparse
from pathlib import Path

import shtab
from argparse_manpage.manpage import Manpage

from tcptop_rtt import __version__
from tcptop_rtt.options.parser import make_parser
from tcptop_rtt.options.run_parser import make_run_parser
from tcptop_rtt.options.values import RUN

SHARE = Path(__file__).resolve().parents[1] / "share"
"""Files in it lie as they do below ``/usr/local/share``."""

_USERS = {"bash": "_tcptop_rtt_users", "zsh": "_users", "fish": "(__fish_complete_users)"}
_COMMANDS = {"bash": "_tcptop_rtt_commands", "zsh": "_command_names -e", "fish": "(__fish_complete_command)"}
_PREAMBLE = {
    "bash": '_tcptop_rtt_users() { compgen -u -- "$1"; }\n_tcptop_rtt_commands() { compgen -c -- "$1"; }\n'
}
_FILES = {
    "bash": "bash-completion/completions/tcptop-rtt",
    "zsh": "zsh/site-functions/_tcptop-rtt",
    "fish": "fish/vendor_completions.d/tcptop-rtt.fish",
}

_STATUS = r"""
.TP
.B 0
all is well
.TP
.B 1
it cannot run here, or cannot write; standard error says why, and what mends it
.TP
.B 2
wrong usage, or a wrong file of settings
.TP
.B 3
a condition of \-\-fail\-if has held
.TP
.B 128 and more
with \-\-fail\-if: a signal has ended it
"""
_RUN_STATUS = r"""
That of the command; 128 and the number of the signal that has ended it; 126 or 127 if it cannot be started;
1 if the probe cannot be, and 2 for wrong usage.
"""
_CONFIG = r"""
.TP
.I ~/.config/tcptop\-rtt/config.toml
settings, of the user who has called sudo
"""


def files() -> dict[str, str]:
    """What the files say, by their places in :data:`SHARE`."""
    pages = {
        "man/man1/tcptop-rtt.1": _page(
            make_parser(),
            "every TCP connection of this machine with its live round-trip time",
            {"exit status": _STATUS, "files": _CONFIG, "see also": ".BR tcptop\\-rtt\\-run (1),\n.BR ss (8)"},
        ),
        "man/man1/tcptop-rtt-run.1": _page(
            make_run_parser(),
            "run a command, and tell what its TCP connections were like",
            {"exit status": _RUN_STATUS, "see also": ".BR tcptop\\-rtt (1),\n.BR curl (1)"},
        ),
    }
    return pages | {
        place: shtab.complete(_whole(), shell, preamble=_PREAMBLE.get(shell, ""))
        for shell, place in _FILES.items()
    }


def _page(parser: argparse.ArgumentParser, short: str, sections: dict[str, str]) -> str:
    examples, parser.epilog = parser.epilog or "", None
    before, _, commands = examples.partition("examples:\n")
    prog, parser.prog = parser.prog, parser.prog.replace(" ", "-")
    page = Manpage(
        parser,
        {
            "description": short,
            "version": __version__,
            "project_name": "tcptop-rtt",
            "manual_title": "User Commands",
        },
    )
    page.date = ""  # the same page each day
    page.synopsis = [prog, *page.synopsis[1:]]
    if before.strip():
        page.add_section("notes", ">", _escaped(before.strip()))
    for heading, text in sections.items():
        page.add_section(heading, ">", text.strip())
    page.add_section("examples", ">", f".nf\n{_escaped(commands.rstrip())}\n.fi")
    return str(page)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("\n'", "\n\\&'").replace("\n.", "\n\\&.")


def _whole() -> argparse.ArgumentParser:
    """One parser of both, as completions need it."""
    parser = make_parser(with_hosts=False)  # what may be a host hides the command in the same place
    commands = parser.add_subparsers(metavar=RUN)
    run = make_run_parser()
    whole = commands.add_parser(
        RUN, parents=[run], add_help=False, help="tell what a command's connections were like"
    )
    files = dict.fromkeys(("output", "record", "replay", "compare", "otlp_headers"), shtab.FILE)
    completions = {**files, "user": _USERS, "command": _COMMANDS}
    for action in (*parser._actions, *whole._actions):
        if action.dest in completions:
            action.complete = completions[action.dest]  # type: ignore[attr-defined]
    return parser


if __name__ == "__main__":
    for place, text in files().items():
        (SHARE / place).parent.mkdir(parents=True, exist_ok=True)
        (SHARE / place).write_text(text)
