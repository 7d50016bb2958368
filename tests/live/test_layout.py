"""Fields are read from where this kernel has them."""

from __future__ import annotations

import json
import struct
import subprocess

import pytest
from bcc import BPF

from tcptop_rtt.sources.btf import BTF_PATH, kernel_source

_ADD_IMMEDIATE, _CALL = 0x07, 0x85  # include/uapi/linux/bpf.h


def _offsets(kind: str) -> dict[str, int]:
    """Where BTF says that each member of a structure is, in bytes."""
    command = ["bpftool", "--json", "btf", "dump", "file", str(BTF_PATH)]
    types = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["types"]
    (found,) = (one for one in types if (one["kind"], one["name"]) == ("STRUCT", kind))
    return {
        member["name"]: member["bits_offset"] // 8
        for member in found["members"]
        if member["name"] != "(anon)" and not member.get("bitfield_size") and member["bits_offset"]
    }


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
