"""Reads structures and attributes out of all messages of a netlink dump at once.

An attribute is a ``struct nlattr`` (include/uapi/linux/netlink.h) and its payload.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tcptop_rtt.sources.netlink import HEADER

ATTRIBUTE = 4
"""Bytes of struct nlattr, which precedes the payload."""


class Dump:
    """The bytes of a dump, in which everything is aligned to four bytes.

    :param longest_bytes: the size of the largest structure that is read from it
    """

    def __init__(self, raw: bytes, longest_bytes: int) -> None:
        # Where this kernel's structure is shorter than ours, ours may end beyond the last message.
        self._words = np.frombuffer(raw + bytes(-len(raw) % 4 + longest_bytes), np.uint32)

    def gather(
        self, at: NDArray[np.intp], dtype: np.dtype[np.void], length: int = 1 << 16
    ) -> NDArray[np.void]:
        """The structures at these offsets; bytes beyond the length are 0."""
        found = sliding_window_view(self._words, dtype.itemsize // 4)[at // 4]
        found.view(np.uint8)[:, length:] = 0
        structures: NDArray[np.void] = found.view(dtype)[:, 0]
        return structures

    def lengths(self, at: NDArray[np.intp]) -> NDArray[np.int64]:
        """The lengths of these attributes in bytes, without their headers."""
        return self._headers(at)[0] - 4

    def text(self, at: NDArray[np.intp], most: int) -> NDArray[np.bytes_]:
        """The texts of these attributes, cut at the terminating zero."""
        raw = sliding_window_view(self._words, most // 4)[at // 4 + 1].view(np.uint8)
        lengths = np.where(at > 0, self.lengths(at), 0)
        raw[np.arange(most) >= lengths[:, None]] = 0
        raw *= np.logical_and.accumulate(raw != 0, axis=1)
        text: NDArray[np.bytes_] = raw.view(f"S{most}")[:, 0]
        return text

    def attributes(
        self, starts: NDArray[np.intp], before_bytes: int, *numbers: int
    ) -> dict[int, NDArray[np.intp]]:
        """By number, the offset of that attribute in each message; 0 if the message has none.

        All messages are walked through in parallel.

        :param before_bytes: the size of what precedes the attributes, after the message's header
        """
        found = {number: np.zeros(len(starts), np.intp) for number in numbers}
        ends = starts + self._words[starts // 4]
        at = starts + HEADER.size + before_bytes
        left = np.arange(len(starts))
        while True:
            left = left[at[left] + 4 <= ends[left]]
            if not len(left):
                return found
            length, kind = self._headers(at[left])
            is_whole = (length >= 4) & (at[left] + length <= ends[left])
            left, length, kind = left[is_whole], length[is_whole], kind[is_whole]
            for number, places in found.items():
                of_kind = left[kind == number]
                places[of_kind] = at[of_kind]
            at[left] += length + 3 & ~3

    def _headers(self, at: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Length and number of attributes: two halves of a word, in this machine's byte order."""
        halves = np.ascontiguousarray(self._words[at // 4]).view(np.uint16).reshape(-1, 2).astype(np.int64)
        return halves[:, 0], halves[:, 1]
