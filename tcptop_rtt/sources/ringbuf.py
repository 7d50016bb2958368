"""Reading a BPF ring buffer as one strided array, without a call per record.

The layout is the kernel's (kernel/bpf/ringbuf.c): a page with the consumer's position, a page with
the producer's, then the data, mapped twice in a row so that a record that wraps is contiguous. Each
record has an 8-byte header; all records here have one size, so header and body repeat at one stride.
"""

from __future__ import annotations

import mmap
import threading

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.sources.bpf_call import map_info

_BUSY = np.uint32(1 << 31)  # BPF_RINGBUF_BUSY_BIT: reserved, not yet submitted
_DISCARDED = np.uint32(1 << 30)  # BPF_RINGBUF_DISCARD_BIT


class RingBuffer:
    """The consuming end of a ring buffer whose records all have one size.

    :param map_fd: the map, of type BPF_MAP_TYPE_RINGBUF; only needed until this returns
    :param dtype: of one record; its size must be a multiple of 8
    """

    def __init__(self, map_fd: int, dtype: np.dtype[np.void]) -> None:
        self._size = size = map_info(map_fd).max_entries  # in bytes, for this type of map
        self._dtype = dtype
        self._slot = np.dtype([("length", "<u4"), ("page", "<u4"), ("record", f"V{dtype.itemsize}")])
        page = mmap.PAGESIZE
        self._consumer_page = mmap.mmap(map_fd, page)
        self._producer_pages = mmap.mmap(map_fd, page + 2 * size, prot=mmap.PROT_READ, offset=page)
        self._consumer: NDArray[np.uint64] = np.frombuffer(self._consumer_page, np.uint64, 1)
        self._producer: NDArray[np.uint64] = np.frombuffer(self._producer_pages, np.uint64, 1)
        self._fence = threading.Lock()
        self._fence.acquire()

    def read(self) -> NDArray[np.void]:
        """Take all finished records, oldest first, as a new array of shape (N,)."""
        start = int(self._consumer[0])
        count = (int(self._producer[0]) - start) // self._slot.itemsize
        self._order_loads()
        offset = mmap.PAGESIZE + start % self._size
        slots = np.frombuffer(self._producer_pages, self._slot, count, offset)
        lengths = slots["length"].copy()
        self._order_loads()
        unfinished = np.flatnonzero(lengths & _BUSY)
        if len(unfinished):
            slots, lengths = slots[: unfinished[0]], lengths[: unfinished[0]]
        # Copied as plain bytes, because numpy would copy structures field by field.
        records: NDArray[np.void] = slots["record"][lengths & _DISCARDED == 0].view(self._dtype)
        self._consumer[0] = start + len(slots) * self._slot.itemsize
        return records

    def _order_loads(self) -> None:
        """Keep the loads before and after this call in order, as the kernel's smp_store_release() requires.

        Processors such as arm64's may load in another order; releasing and acquiring a lock prevents this.
        """
        self._fence.release()
        self._fence.acquire()

    def close(self) -> None:
        """Unmap; the kernel frees the buffer once the map's last descriptor is closed too."""
        del self._consumer, self._producer
        self._consumer_page.close()
        self._producer_pages.close()
