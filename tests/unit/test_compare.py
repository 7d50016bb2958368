"""``--compare`` as a program: JSON Lines, plain tables, two times of one file, and what bad input gets."""

from __future__ import annotations

import io
import json
import os
import re
import select
import shutil
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tcptop_rtt.outputs.progress import Progress
from tcptop_rtt.view import format as fmt
from tests.unit.fake import WALL_NS
from tests.unit.recorded import record, stream_of
from tests.unit.traffic import Traffic
from tests.waiting import ENOUGH_S

ROOT = Path(__file__).parents[2]
SECONDS = 40


def at(second: float) -> str:
    return fmt.moment(WALL_NS / 1e9 + second)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording, a slower one of an hour later, one that becomes slower, and lines that are none."""
    path = tmp_path_factory.mktemp("compare")
    before = list(Traffic(1).snapshots(SECONDS))
    record(path / "before", before).end(0)
    record(path / "after", list(Traffic(2, rtt_ms=30).snapshots(SECONDS, 3600))).end(0)
    traffic = Traffic(3, stays=1.0)
    one = list(traffic.snapshots(SECONDS))
    traffic.change(rtt_ms=26.0)
    one += list(traffic.snapshots(SECONDS, SECONDS))
    record(path / "one", one).end(0)
    (path / "lines").write_bytes(stream_of(one))
    (path / "text").write_text("no recording\n")
    record(path / "short", before[:1]).end(0)
    return path


def _run(there: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-m", "tcptop_rtt", "--no-config", *options],
        cwd=there, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=ENOUGH_S, check=False,
    )  # fmt: skip


def test_two_recordings_as_json(there: Path) -> None:
    ended = _run(there, "--compare", "before", "after", "--json")
    assert ended.stderr == ""
    assert ended.returncode == 0
    assert ended.stdout.isascii()
    header, *groups = map(json.loads, ended.stdout.splitlines())
    assert header["event"] == "comparison"
    assert (header["a"]["file"], header["a"]["host"]) == ("before", "web1")
    assert header["b"]["first_time_ns"] == WALL_NS + 3600 * 10**9
    assert [(one["kind"], one["group"]) for one in groups] == [
        ("service", "→ :5432"),
        ("network", "198.51.100.0/24"),
    ] or [(one["kind"], one["group"]) for one in groups] == [
        ("network", "198.51.100.0/24"),
        ("service", "→ :5432"),
    ]
    for one in groups:
        assert one["p50_us_beyond_chance"] is True
        assert one["p50_us_shift"] == pytest.approx(one["p50_us_b"] / one["p50_us_a"] - 1)
        assert one["p50_us_shift"] == pytest.approx(0.5, abs=0.15)
        assert one["connections_beyond_chance"] is False
    assert _run(there, "--compare", "before", "after", "--json").stdout == ended.stdout


def test_a_file_whose_name_is_no_text_is_compared_too(there: Path) -> None:
    name = os.fsdecode(b"\xff")
    shutil.copy(there / "after", there / name)
    ended = _run(there, "--compare", "before", name, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout.splitlines()[0])["b"]["file"] == name


@pytest.mark.parametrize("name", ["one", "lines"])
def test_two_times_of_one_recording_as_plain_tables(there: Path, name: str) -> None:
    times = [f"{at(start)}..{at(start + SECONDS - 1)}" for start in (0, SECONDS)]
    ended = _run(there, "--compare", name, "--at", times[0], "--with", times[1])
    assert ended.stderr == ""
    lines = ended.stdout.splitlines()
    assert lines[0] == f"A  {at(0)} to {fmt.clock(WALL_NS / 1e9 + SECONDS - 1)}  web1  {name}"
    assert lines[1].startswith(f"B  {at(SECONDS)} to ")
    (service,) = (line for line in lines if ":5432" in line)
    assert re.search(r"p50 \+[23]\d%", service)
    assert "* " in service
    assert any(line.startswith("198.51.100.0/24") for line in lines)


def test_a_time_alone_is_a_minute_and_the_filter_leaves_out_the_rest(there: Path) -> None:
    ended = _run(there, "--compare", "one", "--at", at(0), "--with", at(70), "--filter", "port:1")
    assert ended.returncode == 0
    assert f"A  {at(0)} to {fmt.clock(WALL_NS / 1e9 + 60)}" in ended.stdout
    assert ":5432" not in ended.stdout


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--compare", "after", "before"], 1, f"B ({at(0)} to "),
        (["--compare", "before", "text"], 1, "nothing in text can be compared: line 1: not a JSON object"),
        (["--compare", "before", "nowhere"], 1, "cannot open nowhere: No such file or directory"),
        (["--compare", "before", "short"], 1, "nothing in short can be compared: it takes two updates"),
        (["--compare", "one"], 2, "takes two times, such as --at 14:00..14:10 --with 15:00..15:10"),
        (["--compare", "a", "b", "c"], 2, "takes two recordings at most"),
        (["--compare", "one", "--at", f"{at(9)}..{at(5)}", "--with", "50%"], 1, "it ends before it begins"),
        (["--compare", "one", "--at", "0%..60%", "--with", "50%..100%"], 1, "overlap: name two times"),
        (["--compare", "one", "--at", f"{at(500)}", "--with", "50%"], 1, "there is nothing of "),
        (["--compare", "one", "--at", "soon", "--with", "50%"], 2, "'soon' is not a time such as"),
        (["--compare", "one", "--replay", "one"], 2, "argument --compare: not allowed with --replay"),
        (["--with", "14:00"], 2, "argument --with: only with --compare"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_gets_one_line(
    there: Path, options: list[str], code: int, complaint: str
) -> None:
    ended = _run(there, *options)
    assert complaint in ended.stderr
    assert ended.returncode == code
    assert ended.stdout == ""
    assert code == 2 or ended.stderr.count("\n") == 1


def test_on_a_terminal_a_line_says_how_far_it_is_and_goes() -> None:
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with os.fdopen(ours, "rb", 0) as shown, os.fdopen(theirs, "w") as stream:
        progress = Progress(stream)
        for text in ("reading A: 10%", "reading A: 10%", "reading B: 5%", ""):
            progress.say(text)
        wanted = b"\rreading A: 10%\rreading B: 5% \r             \r"
        said = b""
        # A terminal hands on what is written to it a little later.
        while len(said) < len(wanted) and select.select([shown], [], [], ENOUGH_S)[0]:
            said += shown.read(100)
        assert said == wanted
    with io.StringIO() as file:
        Progress(file).say("reading A: 10%")
        assert file.getvalue() == ""


def test_what_is_cut_off_is_compared_as_far_as_it_goes_and_said(there: Path) -> None:
    data = (there / "after").read_bytes()
    (there / "cut").write_bytes(data[: len(data) * 9 // 10])
    ended = _run(there, "--compare", "before", "cut")
    assert "! " in ended.stdout
    assert "ends in the middle of a frame" in ended.stdout
    assert ":5432" in ended.stdout
