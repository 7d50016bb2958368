"""What the compiler says of the BPF program leads to the place in its files."""

from __future__ import annotations

from pathlib import Path

import pytest

import tcptop_rtt
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.sources.loader.request import Request
from tcptop_rtt.sources.program import Program


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("bpf/abi.h", "KIND_OPEN"),
        ("bpf/details.h", "ms_since"),
        ("bpf/maps.h", "count_dropped"),
        ("bpf/changes.h", "kind_of_change"),
        ("probe.bpf.c", "on_segment"),
    ],
)
def test_a_mistake_is_reported_with_its_file_and_line(part: str, name: str) -> None:
    lines = (Path(tcptop_rtt.__file__).parent / part).read_text().splitlines()
    line = next(number for number, line in enumerate(lines, 1) if name in line)
    with pytest.raises(TcptopError, match=rf": {part}:{line}:\d+: error: "):
        Program.loaded(Request(reads=((f"-D{name}=1",),)))  # its definition is none any more
