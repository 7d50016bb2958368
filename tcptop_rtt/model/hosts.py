"""The names of hosts. Rows have numbers, so that a long name takes no more room than a short one.

A name keeps its number while the program runs, in whatever snapshot it comes.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST_BYTES = 300
"""Of a name as ssh takes it: a user, a name of DNS, which has up to 253 bytes, and a port."""
MOST = (1 << 16) - 1
TO = b" > "
"""Stands between the names of two hosts; the calling host comes first."""

_BITS = 16
"""The upper half of a number is the called host, in a row that shows both ends of a connection; else 0."""

_lock = Lock()
_numbers = {b"": 0}
_names = [b""]


def number_of(name: bytes) -> int:
    """Return the number of a name; 0 for the empty one.

    :raises ValueError: it is too long, or there are too many already
    """
    with _lock:
        number = _numbers.get(name)
        if number is None:
            if len(name) > LONGEST_BYTES or len(_names) > MOST:
                raise ValueError("no name of a host, or too many of them")
            number = _numbers[name] = len(_names)
            _names.append(name)
        return number


def names_of(number: int) -> tuple[bytes, ...]:
    """Return the name of a host; of a row that shows both ends those of both hosts."""
    here, there = number & MOST, number >> _BITS
    return (_names[here], _names[there]) if there else (_names[here],)


def name_of(number: int) -> bytes:
    """Return the same as one text."""
    return TO.join(names_of(number))


def both(here: NDArray[np.uint32], there: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the numbers of rows that show both ends; ``here`` are the calling hosts."""
    return here | (there << _BITS).astype(here.dtype)
