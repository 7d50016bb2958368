"""What ``ss`` prints, in the units of our own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from typing import Any


def ss(*arguments: str, before: Sequence[str] = ()) -> list[str]:
    """The lines that it prints.

    :param before: a command that starts it
    """
    command = [*before, "ss", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def printed(name: str, line: str) -> Any:
    """What a line has of a field of the stream; None where it has nothing: ss leaves out what is 0."""
    pattern, value = _PRINTED[name]
    found = re.search(pattern, line)
    return value(found[1]) if found else None


def _us(ms: str) -> int:
    return round(float(ms) * 1000)


_PRINTED: dict[str, tuple[str, Callable[[str], Any]]] = {
    "srtt_us": (r"\brtt:([\d.]+)/", _us),
    "rttvar_us": (r"\brtt:[\d.]+/([\d.]+)", _us),
    "min_rtt_us": (r"\bminrtt:([\d.]+)", _us),
    "rto_us": (r"\brto:([\d.]+)", _us),
    "mss": (r"\bmss:(\d+)", int),
    "cwnd": (r"\bcwnd:(\d+)", int),
    "ssthresh": (r"\bssthresh:(\d+)", int),
    "bytes_acked": (r"\bbytes_acked:(\d+)", int),
    "bytes_received": (r"\bbytes_received:(\d+)", int),
    "segs_in": (r"\bsegs_in:(\d+)", int),
    "data_segs_in": (r"\bdata_segs_in:(\d+)", int),
    "data_segs_out": (r"\bdata_segs_out:(\d+)", int),
    "retrans": (r"\bretrans:\d+/(\d+)", int),
    "snd_wnd_bytes": (r"\bsnd_wnd:(\d+)", int),
    "delivery_rate_bps": (r"\bdelivery_rate (\d+)bps", int),
    "pacing_rate_bps": (r"\bpacing_rate (\d+)bps", int),
    "busy_us": (r"\bbusy:(\d+)ms", _us),
    "rwnd_limited_us": (r"\brwnd_limited:(\d+)ms", _us),
    "sndbuf_limited_us": (r"\bsndbuf_limited:(\d+)ms", _us),
    "recv_q_bytes": (r"^ESTAB\s+(\d+)", int),
    "congestion_control": (r"\b(cubic|reno|bbr|vegas|dctcp)\b", str),
    "comm": (r'users:\(\("([^"]+)"', str),
    "pid": (r"users:\(\(.*?,pid=(\d+)", int),
}
