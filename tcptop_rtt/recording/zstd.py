"""Zstandard, from the standard library if that has it."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError
else:
    from backports.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError

__all__ = ["CompressionParameter", "ZstdCompressor", "ZstdDecompressor", "ZstdError", "decompressed"]

MOST_BYTES = 1 << 20
"""The most bytes to decompress at a time: it limits memory even if little data expand to very much."""


def decompressed(chunks: Iterable[bytes]) -> Generator[bytes, None, bool]:
    """Yield the decompressed data of consecutive frames.

    :return: whether the last frame is complete
    :raises ZstdError: a frame cannot be decompressed any further
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
