"""A progress line on the terminal, before there is anything else to show."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO

from tcptop_rtt.outputs.writer import write_a_little


class Progress:
    """Shows one line if the stream is a terminal, and else nothing.

    :param stream: standard error; None if it is closed, or nothing is to be shown
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream if stream is not None and stream.isatty() else None
        self._said = ""

    def say(self, text: str) -> None:
        """Replace the text shown; an empty text removes it."""
        if self._stream is None:
            return
        with suppress(OSError):  # a text longer than a line could not be erased
            text = text[: os.get_terminal_size(self._stream.fileno()).columns - 1]
        if text == self._said:
            return
        line = f"\r{text.ljust(len(self._said))}" + ("" if text else "\r")
        # A failing terminal must not stop the program, and a stopped one not hold it and its signals up.
        with suppress(OSError):
            write_a_little(self._stream.fileno(), line.encode(self._stream.encoding, "replace"))
            self._said = text
