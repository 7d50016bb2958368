"""For all tests."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """A shell's ``&``, and nohup, leave signals ignored, and so would all be born that the tests start."""
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGQUIT, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)
