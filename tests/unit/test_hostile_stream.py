"""Streams that somebody has made to do harm: what they say reaches no terminal, and ends nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from tcptop_rtt.feeds.stream.decoder import StreamDecoder
from tcptop_rtt.model.snapshot import Health, Origin, Snapshot
from tcptop_rtt.view.glyphs import ASCII
from tcptop_rtt.view.own_health import everything, what_is_missed
from tests.unit.test_replay import _run

ESCAPE = "\x1b]0;x\x07"
REFRESH = {"event": "refresh", "time_ns": 5, "clock_ns": 5, "gone": [], "health": {}}


def read(*lines: dict[str, Any] | bytes) -> tuple[StreamDecoder, list[Snapshot], list[str]]:
    """The snapshots of some lines, and what is said of them."""
    problems: list[str] = []
    decoder = StreamDecoder(problems.append)
    told = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return decoder, [one for one in map(decoder.take, told) if one is not None], problems


def _texts(kind: type[Health] | type[Origin]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind) if field.type == "str"]


def test_no_text_of_health_or_origin_has_a_control_character() -> None:
    header = {"event": "header", "version": 1, "boot_time_ns": 1, **dict.fromkeys(_texts(Origin), ESCAPE)}
    refresh = {**REFRESH, "health": dict.fromkeys(_texts(Health), ESCAPE)}
    decoder, (snapshot,), problems = read(header, refresh)
    assert problems == []
    assert decoder.origin is not None
    for found in (snapshot.health, decoder.origin):
        for name in _texts(type(found)):
            assert getattr(found, name) == "\ufffd]0;x\ufffd", name


def test_a_plain_table_of_it_has_none_either(tmp_path: Path) -> None:
    (tmp_path / "it").write_text(json.dumps({**REFRESH, "health": {"missed": ESCAPE}}) + "\n")
    ended = _run("--replay", str(tmp_path / "it"), "--count", "1")
    assert ended.returncode == 0
    assert b"no BPF" in ended.stdout
    assert b"\x1b" not in ended.stdout
    assert b"\x07" not in ended.stdout


def test_the_screen_has_no_character_that_the_terminal_has_not() -> None:
    health = Health(missed="\u65e5\x1b")
    told = {one.label: one.value for one in everything(health, ASCII)}
    assert told["not seen"] == "??"
    assert what_is_missed(health, ASCII) == "no BPF: ??"
