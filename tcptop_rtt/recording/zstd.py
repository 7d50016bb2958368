"""Zstandard, from the standard library if that has it."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError
else:
    from backports.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError

__all__ = [
    "CompressionParameter",
    "ZstdCompressor",
    "ZstdDecompressor",
    "ZstdError",
    "decompressed",
    "most_unpacked",
]

MOST_BYTES = 1 << 20
"""The most bytes to decompress at a time: it limits memory even if little data expand to very much."""

MOST_EXPANSION = 1_000
_ALWAYS_UNPACKED = 64 << 20


def most_unpacked(packed_bytes: int) -> int:
    """The most bytes to take from compressed data of this size: recordings expand 20 to 300 times."""
    return _ALWAYS_UNPACKED + MOST_EXPANSION * packed_bytes


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
