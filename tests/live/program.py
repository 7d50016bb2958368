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
