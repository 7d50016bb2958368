"""Reads the running kernel's type information (BTF): where the members of structures are.

libbpf, which is part of bcc's library, finds and checks the types; its ``struct btf_type`` is read here.
The layout is that of include/uapi/linux/btf.h.
"""

from __future__ import annotations

import ctypes
import re
from contextlib import suppress
from typing import NamedTuple

from bcc import libbcc

from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.sources.bpf_call import TRACE_ITER, TRACE_RAW_TP
from tcptop_rtt.sources.requirements import BTF_PATH

_INT, _PTR, _ARRAY, _STRUCT, _UNION, _ENUM, _TYPEDEF, _FUNC, _ENUM64 = 1, 2, 3, 4, 5, 6, 8, 12, 19
_ALIASES = (_TYPEDEF, 9, 10, 11, 18)  # typedef, volatile, const, restrict, type tag
_DEEPEST = 32


class _Type(ctypes.Structure):
    """``struct btf_type``; an array's or a structure's members follow it."""

    _fields_ = (("name_off", ctypes.c_uint32), ("info", ctypes.c_uint32), ("size_or_type", ctypes.c_uint32))

    @property
    def kind(self) -> int:
        return int(self.info) >> 24 & 0x1F

    @property
    def members(self) -> int:
        return int(self.info) & 0xFFFF


class _Array(ctypes.Structure):
    _fields_ = (("type", ctypes.c_uint32), ("index_type", ctypes.c_uint32), ("nelems", ctypes.c_uint32))


class _Member(ctypes.Structure):
    _fields_ = (("name_off", ctypes.c_uint32), ("type", ctypes.c_uint32), ("offset", ctypes.c_uint32))


class Member(NamedTuple):
    """A member of a structure, or of one inside it."""

    offset_bits: int
    """From the beginning of the outermost structure."""
    size_bits: int
    scalar: bool
    """Whether it is a number, and no structure or array."""
    pointer_to: str | None
    """The name of the structure that it points to, empty for another target; None if it is no pointer."""


class Btf:
    """The kernel's types. Close this object after use, as it holds megabytes.

    :raises TcptopError: the kernel's types cannot be read
    """

    def __init__(self) -> None:
        self._lib = lib = libbcc.lib
        for function, result, arguments in (
            (lib.btf__load_vmlinux_btf, ctypes.c_void_p, []),
            (lib.btf__free, None, [ctypes.c_void_p]),
            (lib.btf__find_by_name_kind, ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint]),
            (lib.btf__type_by_id, ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_uint32]),
            (lib.btf__name_by_offset, ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_uint32]),
            (lib.btf__resolve_size, ctypes.c_int64, [ctypes.c_void_p, ctypes.c_uint32]),
        ):
            function.restype, function.argtypes = result, arguments
        self._btf = lib.btf__load_vmlinux_btf()
        if not self._btf:
            raise TcptopError(f"cannot read {BTF_PATH}: boot a kernel built with CONFIG_DEBUG_INFO_BTF=y")

    def close(self) -> None:
        """Free the types."""
        self._lib.btf__free(self._btf)

    def struct(self, name: str) -> int | None:
        """The number of a structure's type."""
        return self._find(name, _STRUCT)

    def function(self, name: str) -> int | None:
        """The number of a function of the kernel."""
        return self._find(name, _FUNC)

    def attach_target(self, attach_type: int, name: str) -> int | None:
        """The number of the function or type that a program is attached to, found as libbpf does."""
        if attach_type == TRACE_RAW_TP:
            return self._find(f"btf_trace_{name}", _TYPEDEF)
        return self.function(f"bpf_iter_{name}" if attach_type == TRACE_ITER else name)

    def arguments_of_tracepoint(self, name: str) -> int:
        """The number of a tracepoint's arguments, 0 if there is no such tracepoint."""
        number = self.attach_target(TRACE_RAW_TP, name)
        if number is None:
            return 0
        _, pointer = self._resolved(number)
        _, function = self._resolved(pointer.size_or_type)
        return function.members - 1  # the first one is what the probe has registered with

    def size(self, number: int) -> int:
        """The size of a type, in bytes."""
        return int(self._lib.btf__resolve_size(self._btf, number))

    def member(self, struct: int, path: str) -> Member | None:
        """The member at a path as C writes it, such as ``rtt_min.s[0].v``; None if there is none."""
        number, offset_bits, size_bits = struct, 0, 0
        for step in re.findall(r"[^.[\]]+", path):
            number, kind = self._resolved(number)
            if step.isdigit():
                if kind.kind != _ARRAY:
                    return None
                array = _Array.from_address(ctypes.addressof(kind) + ctypes.sizeof(_Type))
                number, size_bits = array.type, 0
                with suppress(ValueError):
                    offset_bits += 8 * self.size(number) * int(step)
                continue
            found = self._member_of(number, step, 0)
            if found is None:
                return None
            number, inside_bits, size_bits = found
            offset_bits += inside_bits
        resolved, kind = self._resolved(number)
        return Member(
            offset_bits,
            size_bits or 8 * self.size(resolved),
            kind.kind in (_INT, _ENUM, _ENUM64),
            self._struct_name(kind.size_or_type) if kind.kind == _PTR else None,
        )

    def _find(self, name: str, kind: int) -> int | None:
        number = self._lib.btf__find_by_name_kind(self._btf, name.encode(), kind)
        return number if number > 0 else None

    def _type(self, number: int) -> _Type:
        return _Type.from_address(self._lib.btf__type_by_id(self._btf, number))

    def _name(self, offset: int) -> str:
        return bytes(self._lib.btf__name_by_offset(self._btf, offset) or b"").decode("utf-8", "replace")

    def _resolved(self, number: int) -> tuple[int, _Type]:
        """The type behind typedefs, const and the like."""
        for _ in range(_DEEPEST):
            kind = self._type(number)
            if kind.kind not in _ALIASES:
                break
            number = kind.size_or_type
        return number, kind

    def _struct_name(self, number: int) -> str:
        if not number:
            return ""  # void *
        _, kind = self._resolved(number)
        return self._name(kind.name_off) if kind.kind == _STRUCT else ""

    def _member_of(self, struct: int, name: str, depth: int) -> tuple[int, int, int] | None:
        """Type, offset and width in bits (0: the type's own) of a member, also inside nameless members."""
        _, kind = self._resolved(struct)
        if kind.kind not in (_STRUCT, _UNION) or depth > _DEEPEST:
            return None
        members = (_Member * kind.members).from_address(ctypes.addressof(kind) + ctypes.sizeof(_Type))
        has_widths = bool(kind.info >> 31)
        for member in members:
            offset, width = member.offset, 0
            if has_widths:
                offset, width = offset & 0xFFFFFF, offset >> 24
            called = self._name(member.name_off)
            if called == name:
                return member.type, offset, width
            if not called:
                inside = self._member_of(member.type, name, depth + 1)
                if inside:
                    return inside[0], offset + inside[1], inside[2]
        return None
