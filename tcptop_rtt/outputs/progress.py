"""What is waited for, or how far it has come, on the terminal before there is anything to show."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO


class Progress:
    """One line on a terminal; elsewhere nothing.

    :param stream: standard error; None: it is closed, or nothing is to be said
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream if stream is not None and stream.isatty() else None
        self._said = ""

    def say(self, text: str) -> None:
        """Put a text in place of the one before; empty: none."""
        if self._stream is None:
            return
        with suppress(OSError):  # more than a line could not be taken back
            text = text[: os.get_terminal_size(self._stream.fileno()).columns - 1]
        if text == self._said:
            return
        with suppress(OSError):  # a terminal that takes no output holds nothing up
            self._stream.write(f"\r{text.ljust(len(self._said))}" + ("" if text else "\r"))
            self._stream.flush()
        self._said = text
