"""What the program takes from its environment: how the terminal is, and what its reader reads.

It runs as root, perhaps in the environment of somebody else. Its libraries read variables that name
files to write (``TEXTUAL_LOG``), modules to import (``TEXTUAL_DRIVER``) or headers to compile (``CPATH``).
"""

from __future__ import annotations

import os

_KEPT = (
    # of the terminal
    *("TERM", "COLORTERM", "NO_COLOR", "TERM_PROGRAM", "COLUMNS", "LINES"),
    # of the reader
    *("LANG", "LANGUAGE", "TZ"),
    # Some processors need these for numpy to compute correctly.
    *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"),
)
_KEPT_PREFIX = "LC_"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def clean() -> None:
    """Remove every other variable, for this process and for the C libraries in it."""
    for name in os.environ.keys() - set(_KEPT):
        if not name.startswith(_KEPT_PREFIX):
            del os.environ[name]
    os.environ["PATH"] = _PATH
    # A name server that does not answer holds a thread up for seconds, not for half a minute: resolv.conf(5).
    os.environ["RES_OPTIONS"] = "timeout:2 attempts:1"
