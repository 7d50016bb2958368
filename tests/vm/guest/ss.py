"""What ``ss -ti`` says of a connection that has an RTT."""

from __future__ import annotations

from collections.abc import Sequence

from tests.live import ss as prints


def ss(*conditions: str, within: Sequence[str] = ()) -> dict[str, int]:
    """Of the one established connection that meets the conditions, as seen within a command."""
    (line,) = prints.ss("-tinHO", "state", "established", *conditions, before=within)
    told = {name: prints.printed(name, line) for name in ("srtt_us", "rttvar_us", "min_rtt_us")}
    assert None not in told.values(), line
    return told | {"retrans": prints.printed("retrans", line) or 0}
