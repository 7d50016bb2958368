"""Zstandard, from the standard library if that has it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError
else:
    from backports.zstd import CompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError

__all__ = [
    "CompressionParameter",
    "ExpansionError",
    "ZstdCompressor",
    "ZstdDecompressor",
    "ZstdError",
    "bounded",
    "decompressed",
]

MOST_BYTES = 1 << 20
"""The most bytes to decompress at a time: it limits memory even if little data expand to very much."""

MOST_EXPANSION = 1_000
_ALWAYS_UNPACKED = 64 << 20


class ExpansionError(ValueError):
    """Data expand more than any recording does: those expand 20 to 300 times."""


def bounded(
    parts: Generator[bytes, None, bool], packed_bytes: Callable[[], int]
) -> Generator[bytes, None, bool]:
    """Yield decompressed data, and return what their generator returns.

    :param packed_bytes: the size of the compressed data that have been read so far
    :raises ExpansionError: the data expand too much
    """
    made = 0
    while True:
        try:
            part = next(parts)
        except StopIteration as end:
            return bool(end.value)
        made += len(part)
        if made > _ALWAYS_UNPACKED + MOST_EXPANSION * packed_bytes():
            raise ExpansionError
        yield part


def decompressed(chunks: Iterable[bytes]) -> Generator[bytes, None, bool]:
    """Yield the decompressed data of consecutive frames; nothing where the chunk is nothing.

    :return: whether the last frame is complete
    :raises ZstdError: a frame cannot be decompressed any further
    """
    decompressor = ZstdDecompressor()
    for chunk in chunks:
        if not chunk:
            yield chunk
        rest = chunk
        while rest or not (decompressor.needs_input or decompressor.eof):
            if decompressor.eof:
                decompressor = ZstdDecompressor()
            if part := decompressor.decompress(rest, MOST_BYTES):
                yield part
            rest = decompressor.unused_data if decompressor.eof else b""
    return decompressor.eof
