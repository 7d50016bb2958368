"""Fields are read from where this kernel has them; what it lacks is unknown, or told in one line."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from bcc import BPF

from tcptop_rtt.model.records import CONNECTION
from tcptop_rtt.sources.loader.btf import Btf
from tcptop_rtt.sources.loader.compiler import compile_program, instructions_of
from tcptop_rtt.sources.loader.compiling import compiler_flags
from tcptop_rtt.sources.loader.files import program_text
from tcptop_rtt.sources.loader.kernel_types import STRUCTS, Field, kernel_types
from tcptop_rtt.sources.loader.request import READS, Request
from tcptop_rtt.sources.requirements import BTF_PATH
from tests.live.pairs import connected, port_of, talking
from tests.live.program import complaint, lines_of, run
from tests.live.renamed import renamed

_KNOWN = {
    "pid",
    "srtt_us",
    "rttvar_us",
    "min_rtt_us",
    "cwnd",
    "mss",
    "rto_us",
    "retrans",
    "congestion_control",
}
"""Of every connection that talks."""
_ADD_IMMEDIATE, _CALL = 0x07, 0x85  # include/uapi/linux/bpf.h


_AFTER = {1: 4, 3: 12, 14: 4, 17: 4}
"""Bytes that follow an integer, an array, a variable, a declaration tag."""
_PER_MEMBER = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
_ALIASES = (8, 9, 10, 11, 18)


class _Types:
    """BTF as include/uapi/linux/btf.h has it, read without any library."""

    def __init__(self, raw: bytes) -> None:
        _, _, _, header, types_at, types_length, strings_at, _ = struct.unpack_from("<HBBIIIII", raw)
        self._raw, self._strings = raw, header + strings_at
        self._places = [0]
        self.structs: dict[str, int] = {}
        at, end = header + types_at, header + types_at + types_length
        while at < end:
            name, info, _ = struct.unpack_from("<III", raw, at)
            kind, members = info >> 24 & 0x1F, info & 0xFFFF
            if kind == 4 and name:
                self.structs.setdefault(self._text(name), len(self._places))
            self._places.append(at)
            at += 12 + _AFTER.get(kind, 0) + members * _PER_MEMBER.get(kind, 0)

    def _text(self, offset: int) -> str:
        start = self._strings + offset
        return self._raw[start : self._raw.index(0, start)].decode()

    def _size(self, number: int) -> int:
        number = self._behind_aliases(number)
        _, info, size = struct.unpack_from("<III", self._raw, self._places[number])
        return 8 if info >> 24 & 0x1F == 2 else size

    def _behind_aliases(self, number: int) -> int:
        while True:
            _, info, refers_to = struct.unpack_from("<III", self._raw, self._places[number])
            if info >> 24 & 0x1F not in _ALIASES:
                return number
            number = refers_to

    def _members(self, number: int) -> Iterator[tuple[str, int, int]]:
        """Name, type and offset in bits of all members, those of nameless ones included."""
        at = self._places[self._behind_aliases(number)]
        _, info, _ = struct.unpack_from("<III", self._raw, at)
        if info >> 24 & 0x1F not in (4, 5):
            return
        for member in range(info & 0xFFFF):
            name, kind, offset = struct.unpack_from("<III", self._raw, at + 12 + 12 * member)
            bits = offset & 0xFFFFFF if info >> 31 else offset
            if name:
                yield self._text(name), kind, bits
            else:
                yield from ((inner, its, bits + more) for inner, its, more in self._members(kind))

    def offset(self, kind: str, path: str) -> int:
        """Of the member that this path leads to, in bytes."""
        number, bits = self.structs[kind], 0
        for step in path.replace("[", ".").replace("]", "").split("."):
            if step.isdigit():
                place = self._places[self._behind_aliases(number)]
                number = struct.unpack_from("<I", self._raw, place + 12)[0]
                bits += int(step) * 8 * self._size(number)
                continue
            number, more = next((its, more) for name, its, more in self._members(number) if name == step)
            bits += more
        return bits // 8


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


def _path(name: str, field: Field) -> str:
    return field.paths[0] if field.paths else name


@pytest.fixture(scope="module")
def types() -> _Types:
    return _Types(BTF_PATH.read_bytes())


@pytest.mark.parametrize("kind", STRUCTS)
def test_the_compiler_and_the_kernel_agree_on_every_field(kind: str, types: _Types) -> None:
    fields = STRUCTS[kind]
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
        for name in fields
    )
    with closing(Btf()) as btf:
        text = kernel_types(btf).text
    module = compile_program((text + functions).encode(), "-g0")
    compiled = {name: _compiled_offset(module, f"on_{name}") for name in fields}
    assert compiled == {name: types.offset(kind, _path(name, field)) for name, field in fields.items()}


@pytest.mark.parametrize(
    ("member", "fields"),
    [
        ("icsk_rto", {"rto_us"}),
        ("rate_interval_us", {"delivery_rate_bps"}),
        ("mss_cache", {"mss", "delivery_rate_bps"}),
        ("snd_ssthresh", {"ssthresh"}),
        ("icsk_ca_ops", {"congestion_control"}),
        ("mdev_us", {"rttvar_us"}),
    ],
)
def test_a_field_that_the_kernel_has_renamed_is_unknown_and_all_others_are_told(
    member: str, fields: set[str], tmp_path: Path
) -> None:
    with connected() as pair, talking(pair):
        options = ("--json", "--count", "2", "--interval", "0.5", "--lport", str(port_of(pair[0])))
        ended = run(*options, before=renamed(member, tmp_path))
    told = lines_of(ended)
    lines = [line for line in told if line["event"] in ("open", "sample", "close")]
    assert lines
    for line in lines:
        assert {name for name in fields if line[name] is not None} == set()
        assert {name for name in _KNOWN - fields if line[name] is None} == set()


@pytest.mark.parametrize("member", ["srtt_us", "total_retrans", "skc_num"])
def test_a_field_that_it_cannot_do_without_is_named_with_the_kernel(member: str, tmp_path: Path) -> None:
    ended = run("--json", "--count", "1", "--source", "fentry", before=renamed(member, tmp_path))
    line = complaint(ended)
    assert re.match(
        rf"tcptop-rtt: Linux {re.escape(os.uname().release)} has no '\w+\.(\w+\.)*{member}'", line
    )


def test_what_user_space_looks_at_of_a_connection_is_where_the_compiler_puts_it() -> None:
    structure = "struct connection"
    functions = "".join(
        f"int {what}_of_{name}(void *ctx) {{ return {expression}; }}\n"
        for name in CONNECTION.names or ()
        for what, expression in (
            ("place", f"offsetof({structure}, {name})"),
            ("size", f"sizeof((({structure} *)0)->{name})"),
        )
    )
    with closing(Btf()) as btf:
        text = kernel_types(btf).text.encode() + program_text()
    module = compile_program(text + functions.encode(), *compiler_flags(Request(), READS[0]))

    def number(function: str) -> int:
        *_, returned = struct.unpack("=BBhi", instructions_of(module, function)[:8])
        return int(returned)

    fields = {name: (place[1], place[0].itemsize) for name, place in (CONNECTION.fields or {}).items()}
    assert fields == {name: (number(f"place_of_{name}"), number(f"size_of_{name}")) for name in fields}
