"""Zstandard, from the standard library where that has it."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError
else:
    from backports.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError

__all__ = ["CompressionParameter", "ZstdCompressor", "ZstdDecompressor", "ZstdError", "decompressed"]

MOST_BYTES = 1 << 20
"""Decompressed at a time: however much a frame makes of little, no more of it is in memory."""


def decompressed(chunks: Iterable[bytes]) -> Generator[bytes, None, bool]:
    """What is in frames that follow each other.

    :return: whether the last one has come to its end
    :raises ZstdError: one cannot be decompressed any further
    """
    decompressor = ZstdDecompressor()
    for chunk in chunks:
        rest = chunk
        while rest or not (decompressor.needs_input or decompressor.eof):
            if decompressor.eof:
                decompressor = ZstdDecompressor()
            yield decompressor.decompress(rest, MOST_BYTES)
            rest = decompressor.unused_data if decompressor.eof else b""
    return decompressor.eof
