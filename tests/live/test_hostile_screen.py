"""Hostile text in every way out of the program, down to the bytes that a terminal gets."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.corpus import HOSTILE, raw
from tests.escapes import Written, taken_apart
from tests.live.control_groups import in_cgroup
from tests.live.held import Open, Pty
from tests.live.program import PROGRAM, START_S
from tests.live.terminal import talker
from tests.unit.answering import answering, result, sample, saying
from tests.unit.recorded import lines_of
from tests.unit.rows import listener, listeners_of, row, target, targets_of
from tests.unit.snapshots import snapshot_at

_TEXTS = frozenset(
    {"comm", "was_comm", "unit", "interface", "congestion_control", "host", "cgroup", "kernel", "hook"}
)
_LITERAL = "[bold re"
"""As much as the narrowest column has of it: it is text and no markup."""
_ESC = b"\x1b[27u"
"""As Kitty's protocol has it: what follows is a key of its own, however late it is read."""


def _spoilt(line: bytes) -> bytes:
    """With text of the corpus in each place that has text of others."""
    told = json.loads(line)
    texts = list(HOSTILE.values())
    at = next((told[name] for name in ("id", "listener", "target") if name in told), 0) % len(texts)
    told |= dict.fromkeys(_TEXTS & told.keys(), texts[at])
    if told["event"] == "refresh":
        told["health"] |= dict.fromkeys(("hook", "hook_note", "problem", "missed"), "".join(texts)[:200])
    return json.dumps(told).encode() + b"\n"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stream in which every name is hostile."""
    numbers = range(1, len(HOSTILE) + 1)
    snapshots = [
        snapshot_at(
            second * 10**9,
            *(row(number, srtt_us=1000 * (100 - number), holder=2, scanned=True) for number in numbers),
            listeners=listeners_of(*map(listener, numbers)),
            targets=targets_of(*map(target, numbers)),
        )
        for second in range(1, 5)
    ]
    path = tmp_path_factory.mktemp("hostile") / "stream"
    path.write_bytes(b"".join(map(_spoilt, lines_of(snapshots))))
    return path


def _left(it: Pty) -> Written:
    """Leave it; what it has written until then."""
    it.type(b"\x03")  # which leaves from everywhere
    assert it.ended() == 0, bytes(it.output[-1000:])
    it.check_restored()
    before, opened, rest = bytes(it.output).partition(b"\x1b[?1049h")
    assert re.fullmatch(rb"[\r -~]*", before), before  # what it waits for
    return taken_apart(opened + rest)


def _visited(it: Pty, *keys: bytes, opens: bool = False) -> None:
    """Press each key, and look at the help.

    :param opens: what it opens has no help, and Esc closes it
    """
    for key in keys:
        since = len(it.output)
        it.type(key)
        if opens:
            it.expect(lambda: len(it.output) > since, f"an answer to {key!r}")  # noqa: B023 - called at once
            it.type(_ESC)
        it.check_keys()


# A recording


def test_no_view_of_a_hostile_recording_writes_anything_but_text(terminal: Open, recorded: Path) -> None:
    it = terminal(PROGRAM, "--replay", str(recorded), "--at", "100%").started()
    _visited(it, *[b"\t"] * 7, b"w", b"d")
    _visited(it, b"o", b"c", b"m", b"i", opens=True)
    _visited(it, *[b"\x1b[B" * 8] * 3, b"y", b"Y", b"d", b"\r", *[b"]" * 12] * 4, _ESC)
    written = _left(it)
    assert _LITERAL in written.text
    assert "\ufffd]0;owned\ufffd" in written.text
    assert len(written.copied) == 2


def test_what_is_typed_or_pasted_is_shown_as_text(terminal: Open, recorded: Path) -> None:
    it = terminal(PROGRAM, "--replay", str(recorded)).started()
    for number, text in enumerate(HOSTILE.values()):
        pasted = text.encode("utf-8", "replace")[:4000]
        typed = re.sub(rb"[\x00-\x1f\x7f]", b"", pasted)[:16]
        opened = (b"/", b"T", b"\x10")[number % 3]  # the filter, a time, the palette
        it.type(opened + b"\x1b[200~" + pasted + b"\x1b[201~" + typed + b"\x1b[F\x7f")
        it.type(_ESC)
        if number % 8 == 0:
            it.check_keys()
    assert _LITERAL in _left(it).text


@pytest.mark.parametrize("options", [["--count", "4"], ["--once"], ["--compare"], ["--filter", "proc:x"]])
def test_no_table_or_line_has_anything_but_text(recorded: Path, options: list[str]) -> None:
    compared = options == ["--compare"]
    chosen = (
        ["--compare", str(recorded), str(recorded)] if compared else ["--replay", str(recorded), *options]
    )
    for more in ([], ["--json"]):
        ended = _ended(*chosen, *more)
        assert taken_apart(ended.stdout.replace(b"\n", b"\r\n")).text.strip()
        assert ended.stdout.isascii() or not more


# What others answer


def test_a_servers_answers_are_text(terminal: Open) -> None:
    texts = [text for name, text in HOSTILE.items() if name != "lone surrogate"]
    series = [
        sample(100 - number, instance=text, field=field, why=text, process=text)
        for number, text in enumerate(texts, 1)
        for field in ("connections", "held_up", "scrapes", "p99_us")
    ]
    answer = saying(result("vector", sample(90, field="scrapes"), *series))
    with answering(answer) as url:
        it = terminal(PROGRAM, "--fleet", url)
        it.wait_for(b"HOST")
        _visited(it, b"\t", b"\t", b"\x1b[B\r", _ESC, b"\x1b[B\x1b[B\r", _ESC)
        assert _LITERAL in _left(it).text
        ended = _ended("--fleet", url, "--count", "1")
        assert _LITERAL in taken_apart(ended.stdout.replace(b"\n", b"\r\n")).text
    refusal = json.dumps({"status": "error", "error": "".join(texts)[:3000]}).encode()
    with answering(
        saying(b"HTTP/1.1 400 X\r\nContent-Length: %d\r\n\r\n%s" % (len(refusal), refusal))
    ) as url:
        _complaint("--fleet", url, "--count", "1")


def test_a_hosts_stream_and_complaints_are_text(terminal: Open, recorded: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    noise.write_bytes(b"\n".join(raw().values()))
    there, gone = tmp_path / "there", tmp_path / "gone"
    there.write_text(f"#!/bin/sh\ncat {recorded}\nsleep 600\n")
    gone.write_text(f"#!/bin/sh\ncat {noise}\ncat {noise} >&2\nexit 1\n")
    for path in (there, gone):
        path.chmod(0o755)
    it = terminal(PROGRAM, "--ssh", str(there), "web1").started()
    _visited(it, b"\t", b"\t")
    _visited(it, b"i", opens=True)
    assert _LITERAL in _left(it).text
    _complaint("--ssh", str(gone), "web1", "--count", "1")


# What is said of files and arguments


_NAME = os.fsdecode(re.sub(rb"[\0/]", b"", b"".join(text[:40] for text in raw().values())))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--replay", _NAME],
        ["--record", _NAME, "--json", "--source", "sock_diag"],
        ["--compare", _NAME, _NAME],
        ["--filter", f"rport:{_NAME}"],
        ["--pid", _NAME],
        [f"--{_NAME}"],
        ["--fleet", _NAME],
        ["run", "--", _NAME],
        ["run", "--output", f"{_NAME}/", "--", "true"],
    ],
    ids=lambda arguments: arguments[0][:9],
)
def test_names_of_files_and_arguments_are_one_line_of_text(arguments: list[str]) -> None:
    _complaint(*arguments)


def _ended(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([PROGRAM, *arguments], capture_output=True, timeout=START_S, check=False)


def _complaint(*arguments: str) -> None:
    """It says what is wrong in one line of text, behind how it is used if that was wrong."""
    ended = _ended(*arguments)
    assert (ended.returncode in (1, 2, 126, 127), ended.stdout) == (True, b""), ended
    lines = ended.stderr.splitlines(keepends=True)
    assert lines[-1].startswith(b"tcptop-rtt: "), ended
    assert len(lines) == 1 or lines[0].startswith(b"usage: "), ended
    taken_apart(ended.stderr.replace(b"\n", b"\r\n"))


# A process of this machine


def test_a_process_with_a_hostile_name_group_and_command_line_of_120_kb_stops_no_screen(
    terminal: Open,
) -> None:
    text = "\u202e\x1b]0;group\x07\u200b[red]a\u0301\u0316\x9b31m\U000e0041\ufe0f" + "語" * 40
    command = "[bold]\u202e\x1b[2J\u0301\x9b31m" + "語" * 40_000
    with (
        talker("\x1b[31m[red]\u202e".encode(), "fast", command) as it_talks,
        in_cgroup(f"{text}{it_talks.pid}", it_talks.pid),
    ):
        it = terminal(PROGRAM, "--pid", str(it_talks.pid), lines=300).started()  # all that is told finds room
        it.wait_for_shown("[31m[red")
        it.type(b"\x1b[B\r")
        it.wait_for_shown("]0;group")
        it.wait_for_shown("[bold]\ufffd\ufffd[2J\ufffd\ufffd31m語")
        _visited(it, b"z", b"\x1b", b"\t", b"\t", b"\t", b"\t")
        _left(it)
