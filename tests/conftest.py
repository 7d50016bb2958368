"""For all tests."""

from __future__ import annotations

import os
import signal


def pytest_configure() -> None:
    """Nobody's settings are read but those of a test.

    A shell's ``&``, and nohup, leave signals ignored, and so would all be born that the tests start.
    """
    os.environ["SUDO_UID"] = "4000000000"  # who has no home directory
    os.environ["XDG_CONFIG_HOME"] = os.devnull
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGQUIT, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)
