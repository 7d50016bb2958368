"""For all tests."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest


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


@pytest.fixture
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clock times are those of UTC."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()
