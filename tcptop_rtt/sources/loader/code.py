"""The compiled program as bytes, which a kernel with the same types can load without the compiler."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from tcptop_rtt.sources.bpf_call import MapInfo

KERNEL_FUNCTION = 1 << 30
"""Added to the number of a kernel function that is called; numbers without it are those of BPF helpers."""

_INSTRUCTION = struct.Struct("=BBhi")  # struct bpf_insn in include/uapi/linux/bpf.h
_CALL, _PSEUDO_KFUNC_CALL = 0x85, 2
_LOAD_64, _PSEUDO_MAP_FD = 0x18, 1


class Code(NamedTuple):
    """Maps, programs, and what is known of the kernel that they were made for."""

    maps: Mapping[str, MapInfo]
    programs: Mapping[str, bytes]
    """Their instructions, with a map's index in ``maps`` instead of its descriptor."""
    targets: Mapping[str, int]
    """By name of a place, its number in the kernel's BTF; places that the kernel lacks are missing."""
    lacking: frozenset[str]
    """The fields of a row that this kernel does not have."""

    def to_bytes(self) -> bytes:
        """The code as bytes for the cache."""
        parts = {
            "maps": self.maps,
            "programs": {name: base64.b64encode(code).decode() for name, code in self.programs.items()},
            "targets": self.targets,
            "lacking": sorted(self.lacking),
        }
        return json.dumps(parts).encode()

    @classmethod
    def from_bytes(cls, text: bytes) -> Code:
        """The code that :meth:`to_bytes` has made bytes of.

        :raises ValueError: the text is something else
        """
        try:
            parts = json.loads(text)
            return cls(
                {name: MapInfo(*map(int, info)) for name, info in parts["maps"].items()},
                {name: base64.b64decode(code) for name, code in parts["programs"].items()},
                {name: int(number) for name, number in parts["targets"].items()},
                frozenset(parts["lacking"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("no code") from error


def with_places(code: bytes, places: Mapping[int, int]) -> bytes:
    """Instructions with indices of maps instead of descriptors."""
    return _with_maps(code, places.__getitem__)


def with_descriptors(code: bytes, descriptors: list[int]) -> bytes:
    """Instructions with descriptors of maps instead of indices, as the kernel takes them."""
    return _with_maps(code, descriptors.__getitem__)


def with_kernel_calls(code: bytes) -> bytes:
    """Mark the calls of kernel functions as such, which bcc's compiler cannot do."""
    marked = bytearray(code)
    for place, (operation, registers, offset, target) in _instructions(code):
        if operation == _CALL and target & KERNEL_FUNCTION:
            registers |= _PSEUDO_KFUNC_CALL << 4
            _INSTRUCTION.pack_into(marked, place, operation, registers, offset, target ^ KERNEL_FUNCTION)
    return bytes(marked)


def _with_maps(code: bytes, other: Callable[[int], int]) -> bytes:
    changed = bytearray(code)
    for place, (operation, registers, offset, number) in _instructions(code):
        if operation == _LOAD_64 and registers >> 4 == _PSEUDO_MAP_FD:
            _INSTRUCTION.pack_into(changed, place, operation, registers, offset, other(number))
    return bytes(changed)


def _instructions(code: bytes) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """Offset and fields of each instruction, without the second half of 64-bit loads, which is data."""
    second = False
    for place in range(0, len(code), _INSTRUCTION.size):
        fields = _INSTRUCTION.unpack_from(code, place)
        if not second:
            yield place, fields
        second = not second and fields[0] == _LOAD_64
