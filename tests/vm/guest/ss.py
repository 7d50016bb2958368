"""What ``ss -ti`` says, in the units of our own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence


def ss(*conditions: str, within: Sequence[str] = ()) -> dict[str, int]:
    """Of the one established connection that meets the conditions, as seen within a command."""
    command = [*within, "ss", "-tinHO", "state", "established", *conditions]
    (line,) = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    def ms(pattern: str) -> int:
        found = re.search(pattern, line)
        assert found, line
        return round(float(found[1]) * 1000)

    retrans = re.search(r"\bretrans:\d+/(\d+)", line)
    return {
        "srtt_us": ms(r"\brtt:([\d.]+)/"),
        "rttvar_us": ms(r"\brtt:[\d.]+/([\d.]+)"),
        "min_rtt_us": ms(r"\bminrtt:([\d.]+)"),
        "retrans": int(retrans[1]) if retrans else 0,
    }
