"""Fields are read from where this kernel has them."""

from __future__ import annotations

import ctypes
import struct

import pytest
from bcc import BPF, libbcc

from tcptop_rtt.sources.btf import kernel_source

_ADD_IMMEDIATE, _CALL = 0x07, 0x85  # include/uapi/linux/bpf.h
_KIND_STRUCT = 4  # include/uapi/linux/btf.h


def _offsets(kind: str) -> dict[str, int]:
    """Where BTF says that each member of a structure is, in bytes (struct btf_member)."""
    lib = libbcc.lib
    lib.btf__load_vmlinux_btf.restype = lib.btf__type_by_id.restype = ctypes.c_void_p
    lib.btf__name_by_offset.restype = ctypes.c_char_p
    btf = ctypes.c_void_p(lib.btf__load_vmlinux_btf())
    number = lib.btf__find_by_name_kind(btf, kind.encode(), _KIND_STRUCT)
    address = lib.btf__type_by_id(btf, number)
    _, info, _ = struct.unpack("<III", ctypes.string_at(address, 12))
    members = ctypes.string_at(address + 12, 12 * (info & 0xFFFF))
    offsets = {}
    for name, _, offset in struct.iter_unpack("<III", members):
        bits, bitfield_size = (offset & 0xFFFFFF, offset >> 24) if info >> 31 else (offset, 0)
        text = lib.btf__name_by_offset(btf, name).decode()
        if text and bits and not bitfield_size:
            offsets[text] = bits // 8
    lib.btf__free(btf)
    return offsets


def _compiled_offset(module: BPF, function: str) -> int:
    """What is added to the pointer before the first call."""
    code = module.dump_func(function.encode())
    added = 0
    for operation, _, _, immediate in struct.iter_unpack("<BBhi", code):
        if operation == _ADD_IMMEDIATE and immediate > 0:
            added = immediate
        if operation == _CALL:
            return added
    raise AssertionError(f"{function} calls nothing")


@pytest.mark.parametrize("kind", ["task_struct", "tcp_sock", "inet_connection_sock", "sock", "net"])
def test_the_compiler_and_the_kernel_agree_on_every_field(kind: str) -> None:
    offsets = _offsets(kind)
    assert len(offsets) > 20
    functions = "".join(
        f"""
static __always_inline int read_{name}(struct {kind} *it)
{{
	char byte;

	return bpf_probe_read_kernel(&byte, 1, &it->{name});
}}
int on_{name}(struct bpf_raw_tracepoint_args *ctx)
{{
	return read_{name}((struct {kind} *)ctx->args[0]);
}}"""
        for name in offsets
    )
    with kernel_source():
        module = BPF(text=f"#include <kernel_types.h>\n{functions}".encode(), cflags=["-g0"])
    assert {name: _compiled_offset(module, f"on_{name}") for name in offsets} == offsets
