"""The file of settings: bytes to settings, or one line of what is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from tcptop_rtt.config.settings import LIMITS, parse
from tcptop_rtt.model.errors import UsageError
from tcptop_rtt.view.palettes import PALETTES
from tests.escapes import check_text

WORDS = (*PALETTES, *LIMITS, "theme", "interval", "columns", "[thresholds]", "[keys]", "rtt", "inf", "nan")


def seeds() -> Iterable[bytes]:
    """Of each kind of entry one."""
    yield b'theme = "dark"\ninterval = 2\ncolumns = ["process", "remote", "rtt"]\n'
    yield b'[keys]\nrecord = "F2"\n[thresholds]\nrtt_yellow_ms = 1.5\nloss_percent = 2\n'
    yield b'[keys]\n"\\u202e" = 1\n'
    yield b'a = [[[1]], {b = "\\u0000"}]\n[[x]]\nd = 1979-05-27T07:32:00Z\n'


def check(data: bytes) -> None:
    """Nothing but UsageError comes out, and it is one line of text."""
    try:
        parse(data, "FILE")
    except UsageError as error:
        check_text(error)
