"""Recordings of real traffic by the real probe: all there after SIGKILL, and the same screens again."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

from tcptop_rtt.model.snapshot import Origin
from tcptop_rtt.outputs.recording import Recording
from tcptop_rtt.past.moments import MomentFinder
from tcptop_rtt.recording.writer import RecordingWriter
from tcptop_rtt.view import causes
from tcptop_rtt.view.filter import Filter
from tests.live.conftest import Watch
from tests.live.pairs import connected, fill, overflowing, port_of, talking
from tests.live.program import NOBODY, PROGRAM, START_S, as_nobody, run
from tests.live.terminal import Terminals, talker
from tests.ports import serve
from tests.unit.recorded import replayed
from tests.unit.world import told
from tests.waiting import becomes

STEPS = 12
FILTER = "proc:talker or proc:other or why:peer-not-reading"


def test_each_snapshot_of_real_traffic_comes_again_as_it_was(watch: Watch, tmp_path: Path) -> None:
    """With a talk, a peer that does not read, connects that fail, a full queue, and what opens and closes."""
    recording = Recording(RecordingWriter(str(tmp_path / "it")), Filter(), lambda _: None)
    recording.begin(Origin("here", "", "", 0))
    live, finder = [], MomentFinder()
    with contextlib.ExitStack() as stack:
        pair = stack.enter_context(connected())
        stack.enter_context(talking(pair))
        port = port_of(pair[0])
        unread = stack.enter_context(connected())
        fill(unread[0])
        full = stack.enter_context(serve(backlog=1))
        stack.enter_context(overflowing(full, 6))
        for step in range(STEPS):
            time.sleep(0.7)
            short = stack.enter_context(connected()) if step % 3 else None
            with contextlib.suppress(ConnectionRefusedError), socket.socket() as refused:
                refused.connect(("127.0.0.1", 1))
            live.append(watch.look())
            recording.show(live[-1], finder.look(live[-1]))
            if short:
                short[0].close()
    recording.end(0)
    assert recording.failure == ""
    again = list(replayed(tmp_path / "it").snapshots())
    assert len(again) == STEPS
    for one, other in zip(again, live, strict=True):
        assert told(one) == told(other)
    for snapshots in (live, again):
        whys = {
            causes.NAMES[number]
            for one in snapshots
            for number in causes.verdicts(one.rows.__getitem__, one.health.lacking).tolist()
        }
        assert whys & {"peer-not-reading", "window-closed"}
        assert any(len(one.targets) for one in snapshots)
        assert any((one.listeners["drops"] > 0).any() for one in snapshots)
        assert any(one.rows["closed"].any() for one in snapshots)
        assert any(port in one.rows["lport"] for one in snapshots)


def test_after_sigkill_all_lines_are_there_and_anybody_who_owns_it_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "it"
    with (
        talker(b"talker"),
        (tmp_path / "lines").open("wb") as lines,
        subprocess.Popen([PROGRAM, "--json", "--record", str(path)], stdout=lines) as process,
    ):
        assert becomes(lambda: _refreshes(tmp_path / "lines") >= 7, START_S)
        process.kill()
        process.wait()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ended = subprocess.run(
        [PROGRAM, "--replay", str(path), "--json"], capture_output=True, check=True, timeout=START_S
    )
    written = (tmp_path / "lines").read_bytes()
    # The recording is written first, so it may have a refresh more.
    assert ended.stdout.startswith(written[: written.rfind(b"\n") + 1])
    assert b'"comm":"talker"' in ended.stdout
    # Root is needed to record, and not to replay.
    with tempfile.TemporaryDirectory() as directory:  # of pytest's own only root sees anything
        os.chmod(directory, 0o755)  # noqa: S103
        theirs = shutil.copy(path, directory)
        os.chown(theirs, NOBODY, NOBODY)
        shown = subprocess.run(
            [*as_nobody(), PROGRAM, "--replay", theirs, "--count", "2"],
            capture_output=True, text=True, check=True, timeout=START_S,
        )  # fmt: skip
    assert shown.stdout.count("connections") == 2
    assert "talker" in shown.stdout


def _refreshes(path: Path) -> int:
    return path.read_bytes().count(b'{"event":"refresh"')


def test_the_screen_is_text_for_text_what_it_was_live(terminals: Terminals, tmp_path: Path) -> None:
    terminal = terminals()
    with talker(b"talker", "slow"), talker(b"other"), connected() as unread:
        fill(unread[0])
        # Others' connections, once in view, could have made the columns of addresses wider on one side.
        chosen = f"--filter {shlex.quote(FILTER)}"
        terminal.start(f"{chosen} --record {tmp_path / 'it'}")
        terminal.wait_for("REC", "it")
        terminal.wait_for("peer not reading")
        time.sleep(4)
        terminal.press("w")
        terminal.wait_for("WHY ▼")
        terminal.press("h")
        time_of = re.search(r"PAST (\S+),", terminal.wait_for(" PAST "))
        assert time_of
        live = terminal.text.splitlines()
        terminal.press("h")
        terminal.press("q")
        terminal.wait_for("code=0")
    terminal.start(f"{chosen} --replay {tmp_path / 'it'} --at {time_of[1]}")
    terminal.wait_for("REPLAY", "PAUSED")
    terminal.press("w")
    terminal.wait_for("WHY ▼")

    def is_the_same() -> bool:
        """There may be another snapshot in that second."""
        if terminal.text.splitlines()[2:-4] == live[2:-4]:
            return True
        terminal.press("Right")
        return False

    assert any("talker" in line and "ms" in line for line in live)
    terminal.expect(is_the_same, f"this:\n{os.linesep.join(live)}")
    terminal.press("q")
    terminal.wait_for("code=0")


def test_a_signal_ends_a_recording_in_order(tmp_path: Path) -> None:
    path = tmp_path / "it"
    with subprocess.Popen(
        [PROGRAM, "--record", str(path), "--interval", "0.2"], stdout=subprocess.DEVNULL
    ) as process:
        assert becomes(lambda: path.exists() and path.stat().st_size > 1000, START_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_S) == 0
    feed = replayed(path)
    assert list(feed.snapshots())
    assert feed.problem == ""


def test_where_nothing_more_can_be_recorded_that_is_told_once_and_the_stream_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "it"
    # Without any connection a recording grows slowly, so that the limit comes long after its beginning.
    options = ("--json", "--interval", "0.2", "--count", "60", "--record", str(path), "--lport", "1")
    ended = run(*options, before=("prlimit", "--fsize=5000"))
    assert (
        ended.stderr
        == f"tcptop-rtt: cannot record into {path}: File too large; the part already written is kept\n"
    )
    assert ended.returncode == 1
    assert sum('"event":"refresh"' in line for line in ended.stdout.splitlines()) == 60
    assert ended.stdout.splitlines()[-1].startswith('{"event":"end"')
