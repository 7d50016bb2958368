"""The program as its users start it."""

from __future__ import annotations

import sys
from pathlib import Path

START_S = 120.0
"""How long a start may take on a busy or emulated machine."""
END_S = 20.0
"""How long an end may take there: what is told apart is an end from none."""

PROGRAM = str(Path(sys.prefix, "bin", "tcptop-rtt"))
"""The command that ``./setup`` makes: it takes no module of whoever starts it."""

NOBODY = 65534
"""The number of a user, and of a group, that own nothing."""


def as_nobody(*capabilities: str) -> tuple[str, ...]:
    """Starts a command as an ordinary user, who has these capabilities and gets no others."""
    # The checkout may be in a directory that only its owner reads.
    kept = ",".join(f"+{name}" for name in ("dac_read_search", *capabilities))
    return (
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"),
        *(f"--inh-caps={kept}", f"--ambient-caps={kept}"),
        *("env", "PYTHONDONTWRITEBYTECODE=1"),
    )
