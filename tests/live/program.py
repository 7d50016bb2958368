"""The program as its users start it."""

from __future__ import annotations

import sys
from pathlib import Path

PROGRAM = str(Path(sys.prefix, "bin", "tcptop-rtt"))
"""The command that ``./setup`` makes: it takes no module of whoever starts it."""
