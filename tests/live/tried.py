"""For scripts that give rights up: what they try then, and how it ends."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping

from tcptop_rtt.system_call import call


def bpf(command: int) -> int:
    """bpf(2), with attributes of zeros."""
    number = 321 if os.uname().machine == "x86_64" else 280
    return call(number, command, ctypes.create_string_buffer(128), 128)


def outcomes(tries: Mapping[str, Callable[[], object]]) -> dict[str, int]:
    """Try each. The number of its error; 0: there was none, -1: it could not be tried."""
    results = {}
    for name, action in tries.items():
        try:
            action()
            results[name] = 0
        except OSError as error:
            results[name] = error.errno or -1
        except ValueError:
            results[name] = -1
    return results
