"""What crosses from C has the same names, places and numbers in Python."""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag
from pathlib import Path

import numpy as np
import pytest

import tcptop_rtt
from tcptop_rtt.model.records import CONTROL, ENTRY, RECORD, UNTRACKED_ID, Direction, Hold, Kind
from tcptop_rtt.model.waited import SLOW_WAIT_US
from tcptop_rtt.sources.loader.compiler import compile_program

_ABI = (Path(tcptop_rtt.__file__).parent / "bpf/abi.h").read_text()
_INSTRUCTION = struct.Struct("=BBhi")  # struct bpf_insn in include/uapi/linux/bpf.h
_MOVE_TO_RESULT = (0xB7, 0, 0)


def _numbers(expressions: dict[str, str], more: str = "", *flags: str) -> dict[str, int]:
    """What bcc's compiler makes of constant expressions, after abi.h: each is what a function returns."""
    functions = [
        f"int return_{place}(void *ctx) {{ return {expression}; }}"
        for place, expression in enumerate(expressions.values())
    ]
    text = "\n".join([_ABI, more, *functions])
    module = compile_program(text.encode(), "-g0", *flags)
    numbers = {}
    for place, name in enumerate(expressions):
        *operation, numbers[name] = _INSTRUCTION.unpack_from(module.dump_func(b"return_%d" % place))
        assert tuple(operation) == _MOVE_TO_RESULT
    return numbers


@pytest.mark.parametrize(("kind", "dtype"), [("record", RECORD), ("entry", ENTRY), ("control", CONTROL)])
def test_every_byte_of_a_structure_is_in_the_same_field(kind: str, dtype: np.dtype[np.void]) -> None:
    fields = {name: (place[1], place[0].itemsize) for name, place in (dtype.fields or {}).items()}
    expressions = {"total": f"sizeof(struct {kind})"}
    for name in fields:
        member = f"record.{name}" if kind == "entry" and name in (RECORD.names or ()) else name
        expressions[f"place of {name}"] = f"offsetof(struct {kind}, {member})"
        expressions[f"size of {name}"] = f"sizeof(((struct {kind} *)0)->{member})"
    in_c = _numbers(expressions)
    assert {name: (in_c[f"place of {name}"], in_c[f"size of {name}"]) for name in fields} == fields
    # Python's fields leave no byte out, so C has none that Python does not know.
    assert in_c["total"] == dtype.itemsize == sum(size for _, size in fields.values())


def test_both_sides_mean_the_same_by_slow() -> None:
    assert _numbers({"slow": "SLOW_WAIT_US"}) == {"slow": SLOW_WAIT_US}


def test_both_sides_mean_the_same_by_untracked() -> None:
    assert _numbers({"untracked": "UNTRACKED_ID >> 40"}) == {"untracked": int(UNTRACKED_ID) >> 40}


@pytest.mark.parametrize("numbers", [Kind, Direction, Hold])
def test_every_number_has_the_same_name(numbers: type[IntEnum] | type[IntFlag]) -> None:
    kind = numbers.__name__.lower()
    cases = " ".join(f"case {number.value}:" for number in numbers)
    # The compiler refuses this if a number of C's has no case here, or the other way round.
    complete = f"int all(void *ctx) {{ switch ((enum {kind})(u64)ctx) {{ {cases} return 1; }} return 0; }}"
    named = {f"{kind}_{number.name}".upper(): number.value for number in numbers}
    assert _numbers({name: name for name in named}, complete, "-Werror=switch") == named
