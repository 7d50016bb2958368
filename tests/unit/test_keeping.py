"""What is kept on disk: recordings that follow each other, of which the oldest go, and any time of them."""

from __future__ import annotations

import dataclasses
import os
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tcptop_rtt.feeds.replay.feed import ReplayFeed
from tcptop_rtt.feeds.replay.opening import footage_of
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.snapshot import Origin, Snapshot
from tcptop_rtt.outputs.keeping import Keeping
from tcptop_rtt.outputs.recordings import AlsoRecorded, Recordings
from tcptop_rtt.past.moments import Moment, MomentFinder
from tcptop_rtt.recording import ring as rings
from tcptop_rtt.recording.opened import open_file, open_kept
from tcptop_rtt.recording.reader import RecordingReader
from tcptop_rtt.recording.ring import Ring, kept
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.times import duration_ns, time_ns
from tests.tui.feed import HandFeed
from tests.tui.feed import snapshot as made
from tests.unit.rows import row
from tests.unit.world import ORIGIN, World, told

STALLED = {"stalled": True, "retransmits": 2, "last_ack_ms": 3000}
HOUR_NS = 3_600_000_000_000


class Wall:
    """A wall clock that goes by the snapshots."""

    now_ns = 0

    strftime, localtime = staticmethod(time.strftime), staticmethod(time.localtime)

    def time_ns(self) -> int:
        return self.now_ns


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    clock = Wall()
    monkeypatch.setattr(rings, "time", clock)
    return clock


def _hours(count: int, minutes: int) -> list[Snapshot]:
    """So many hours, with a snapshot every so many minutes."""
    world, step_ns = World(2), minutes * 60_000_000_000
    first = world.step()
    found = []
    for number in range(count * 60 // minutes):
        times = first.time_ns + number * step_ns, first.clock_ns + number * step_ns
        found.append(dataclasses.replace(world.step(), time_ns=times[0], clock_ns=times[1]))
    return found


class _Feed(HandFeed):
    """One whose processes are in no control group."""

    def cgroup(self, process: object) -> None:
        """None."""


def _keep(ring: Ring, wall: Wall, snapshots: list[Snapshot], ends: bool = True) -> Keeping:
    keeping = Keeping(ring, Filter(), lambda _: None)
    keeping.begin(ORIGIN)
    finder = MomentFinder()
    for snapshot in snapshots:
        wall.now_ns = snapshot.time_ns
        keeping.show(snapshot, finder.look(snapshot))
    if ends:
        keeping.end(0)
    return keeping


def _feed(directory: Path, at: str | None = None) -> ReplayFeed:
    return ReplayFeed(str(directory), partial(footage_of, open_kept(str(directory))), False, at)


def test_what_is_older_goes_and_the_rest_is_all_there(tmp_path: Path, wall: Wall) -> None:
    snapshots = _hours(30, 5)
    _keep(Ring(str(tmp_path), 24 * HOUR_NS), wall, snapshots)
    again = list(_feed(tmp_path).snapshots())
    oldest_ns = again[0].time_ns
    assert snapshots[-1].time_ns - 26 * HOUR_NS <= oldest_ns <= snapshots[-1].time_ns - 24 * HOUR_NS
    left = [one for one in snapshots if one.time_ns >= oldest_ns]
    assert [told(one) for one in again] == [told(one) for one in left]
    assert 24 <= len(kept(str(tmp_path))) <= 27
    for one in kept(str(tmp_path)):
        assert stat.S_IMODE(os.stat(one.path).st_mode) == 0o600


def test_any_time_of_it_is_found_also_while_it_is_written(tmp_path: Path, wall: Wall) -> None:
    snapshots = _hours(5, 5)
    keeping = _keep(Ring(str(tmp_path), 24 * HOUR_NS), wall, snapshots, ends=False)
    for at in (0, 7, 30, 59):
        feed = _feed(tmp_path, fmt.moment(snapshots[at].time_ns / 1e9 + 1))
        feed.open()
        assert told(next(feed.snapshots())) == told(snapshots[at])
        assert feed.problem == ""
        feed.close()
    feed = _feed(tmp_path, "20m")
    assert told(next(feed.snapshots())) == told(snapshots[-5])
    feed.close()
    keeping.end(0)


def test_a_time_of_which_there_is_nothing_is_told_with_those_that_there_are(
    tmp_path: Path, wall: Wall
) -> None:
    snapshots = _hours(2, 5)
    _keep(Ring(str(tmp_path), HOUR_NS), wall, snapshots)
    with pytest.raises(
        TcptopError, match=r"there is nothing of 1999-01-01 00:00 in .*: it goes from 2023-11-1"
    ):
        _feed(tmp_path, "1999-01-01 00:00").open()
    with pytest.raises(TcptopError, match=r"nothing is kept in .*: run tcptop-rtt --keep 24h before"):
        _feed(tmp_path / "no").open()


def _opened_with(directory: Path, soft: int, hard: int) -> subprocess.CompletedProcess[str]:
    script = (
        "import resource, sys; from tcptop_rtt.recording.opened import open_kept;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
        "print(len(open_kept(sys.argv[1]).fds))"
    )
    return subprocess.run(
        [sys.executable, "-c", script, str(directory)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_more_files_are_opened_than_a_process_may_open_at_first(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"kept_{number:020}.jsonl.zst").touch()
    assert _opened_with(tmp_path, 30, 100).stdout == "60\n"
    assert "the 40 files that may be open at once: raise ulimit -Hn" in _opened_with(tmp_path, 30, 40).stderr


def test_it_stays_within_its_size(tmp_path: Path, wall: Wall) -> None:
    snapshots = _hours(20, 1)
    limit = 300_000
    _keep(Ring(str(tmp_path), 24 * HOUR_NS, limit), wall, snapshots)
    sizes = [os.stat(one.path).st_size for one in kept(str(tmp_path))]
    assert len(sizes) >= 5
    assert sum(sizes) <= limit * 1.1
    assert list(_feed(tmp_path).snapshots())[-1].time_ns == snapshots[-1].time_ns


def test_only_one_keeps_there_and_only_where_nobody_else_can_write(tmp_path: Path) -> None:
    ring = Ring(str(tmp_path / "it"), HOUR_NS)
    assert stat.S_IMODE((tmp_path / "it").stat().st_mode) == 0o700
    with pytest.raises(OSError, match="another tcptop-rtt already records there"):
        Ring(str(tmp_path / "it"), HOUR_NS)
    ring.close()
    Ring(str(tmp_path / "it"), HOUR_NS).close()
    (tmp_path / "it").chmod(0o777)
    with pytest.raises(OSError, match="others can write to it"):
        Ring(str(tmp_path / "it"), HOUR_NS)
    (tmp_path / "link").symlink_to("it")
    with pytest.raises(OSError, match="not a directory"):
        Ring(str(tmp_path / "link"), HOUR_NS)


def test_a_full_disk_is_told_and_it_goes_on_when_there_is_room(
    tmp_path: Path, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = _hours(1, 1)
    keeping = _keep(Ring(str(tmp_path), HOUR_NS), wall, snapshots[:10], ends=False)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        for snapshot in snapshots[10:13]:
            wall.now_ns = snapshot.time_ns
            keeping.show(snapshot, ())
        assert keeping.failure == "No space left on device"
        assert keeping.problem == "cannot keep anything at the moment: No space left on device"
    for snapshot in snapshots[13:20]:
        wall.now_ns = snapshot.time_ns
        keeping.show(snapshot, ())
    assert keeping.failure == keeping.problem == ""
    keeping.end(0)
    times = [one.time_ns for one in _feed(tmp_path).snapshots()]
    assert times == [one.time_ns for one in (*snapshots[:10], *snapshots[13:20])]


def test_what_is_recorded_and_kept_at_once_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Snapshot] = []
    look = MomentFinder.look

    def counted(self: MomentFinder, snapshot: Snapshot) -> tuple[Moment, ...]:
        looked.append(snapshot)
        return look(self, snapshot)

    monkeypatch.setattr(MomentFinder, "look", counted)
    recordings = Recordings(_Feed(), Filter(), None, str(tmp_path))
    recordings.open(str(tmp_path / "it"))
    recordings.keep(str(tmp_path / "ring"), HOUR_NS)
    recordings.start(ORIGIN)
    snapshots = [made(row(1, **(STALLED if step == 2 else {})), step=step) for step in range(4)]
    for snapshot in snapshots:
        recordings.show(snapshot)
    assert recordings.stop() == f"recorded: {tmp_path / 'it'}"
    recordings.close()
    assert looked == snapshots
    (one,) = kept(str(tmp_path / "ring"))
    for path in (one.path, str(tmp_path / "it")):
        reader = RecordingReader(os.open(path, os.O_RDONLY))
        assert [moment["words"] for moment in reader.moments] == ["silent 3.0s"]
        reader.close()


def test_that_minutes_could_not_be_saved_is_told_until_others_are(
    tmp_path: Path,
    wall: Wall,
    monkeypatch: pytest.MonkeyPatch,
    in_utc: None,  # noqa: ARG001
) -> None:
    ring, finder = Ring(str(tmp_path), 600_000_000_000), MomentFinder()
    keeping = _keep(ring, wall, [], ends=False)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    said = {}
    save = ring.save
    monkeypatch.setattr(ring, "save", full)
    for step in range(900):
        stalls = STALLED if step in (10, 700) else {}
        one = made(row(1), row(2, comm=b"stalls", **stalls), step=step)
        wall.now_ns = one.time_ns
        keeping.show(one, finder.look(one))
        said[step] = keeping.problem
        if step == 600:
            monkeypatch.setattr(ring, "save", save)
    keeping.end(0)
    problem = "cannot save the minutes around 22:13:30: No space left on device"
    assert list(dict.fromkeys(said.values())) == ["", problem]
    assert (said[69], said[70], said[759], said[760]) == ("", problem, problem, "")
    assert keeping.failure == ""


def test_the_minutes_around_a_moment_are_saved_under_its_name_and_stay(
    tmp_path: Path,
    wall: Wall,
    in_utc: None,  # noqa: ARG001
) -> None:
    first_ns, snapshots = 1_700_000_000_000_000_000, []
    for step in range(1100):
        stalls = STALLED if step in (300, 310, 420) else {}
        one = made(row(1), row(2, comm=b"stalls", **stalls), step=step)
        snapshots.append(dataclasses.replace(one, time_ns=first_ns + step * 1_000_000_000))
    # A new recording each minute: what is saved is in several of them.
    _keep(Ring(str(tmp_path), 600_000_000_000), wall, snapshots)
    saved = sorted(tmp_path.glob("saved_*"))
    # At 22:18:20; the next two come too soon after it.
    assert [path.name for path in saved] == ["saved_2023-11-14_221820_silent-3-0s.jsonl.zst"]
    assert stat.S_IMODE(saved[0].stat().st_mode) == 0o600
    feed = ReplayFeed("it", partial(footage_of, open_file(str(saved[0]))), False)
    seconds = [(one.time_ns - first_ns) // 1_000_000_000 for one in feed.snapshots()]
    assert 100 < seconds[0] <= 180
    assert seconds == list(range(seconds[0], 361))
    assert feed.problem == ""
    assert oldest(tmp_path) > first_ns + 200 * 1_000_000_000  # of the ring it has gone
    feed.close()


def test_they_are_saved_though_the_program_was_killed_before_and_ends_soon_after(
    tmp_path: Path, wall: Wall
) -> None:
    first_ns, snapshots = 1_700_000_000_000_000_000, []
    for step in range(130):
        one = made(row(1), row(2, comm=b"stalls", **(STALLED if step == 110 else {})), step=step)
        snapshots.append(dataclasses.replace(one, time_ns=first_ns + step * 1_000_000_000))
    killed = Ring(str(tmp_path), HOUR_NS)
    _keep(killed, wall, snapshots[:58], ends=False)
    killed.close()  # as the kernel unlocks it; the last frame stays as it is
    _keep(Ring(str(tmp_path), HOUR_NS), wall, snapshots[90:])
    (saved,) = tmp_path.glob("saved_*")
    feed = ReplayFeed("it", partial(footage_of, open_file(str(saved))), False)
    seconds = [(one.time_ns - first_ns) // 1_000_000_000 for one in feed.snapshots()]
    assert feed.problem == ""
    assert seconds[0] == 0
    assert seconds[-40:] == list(range(90, 130))
    assert 52 <= len(seconds) - 40 <= 58  # up to the last whole frame
    feed.close()


def oldest(directory: Path) -> int:
    return next(iter(_feed(directory).snapshots())).time_ns


def test_so_many_saved_ones_are_kept(tmp_path: Path) -> None:
    ring = Ring(str(tmp_path), HOUR_NS)
    for number in range(rings.MOST_SAVED + 3):
        ring.save(0, f"../[x] {number}", number * 1_000_000_000)
    names = sorted(path.name for path in tmp_path.glob("saved_*"))
    assert len(names) == rings.MOST_SAVED
    assert names[0].endswith("_x-3.jsonl.zst")
    ring.close()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10:30", 10.5 * 3600),
        ("10:30:15", 10.5 * 3600 + 15),
        ("23:00", -3600),  # of the day before
        ("1970-01-01 10:00", 36000),
        ("-30m", 9.5 * 3600),
        ("+90s", 10 * 3600 + 90),
        ("-1.5h", 8.5 * 3600),
        ("10m", 9 * 3600 + 50 * 60),
        ("0%", -7200),
        ("50%", (11 * 3600 - 7200) / 2),
        ("25:00", None),
        ("noon", None),
        ("", None),
        ("120%", None),
    ],
)
def test_times_as_they_are_written(in_utc: None, text: str, seconds: float | None) -> None:  # noqa: ARG001
    found = time_ns(text, 10 * HOUR_NS, -7200 * 10**9, 11 * HOUR_NS)
    assert found == (None if seconds is None else round(seconds * 1e9))


def test_durations_as_they_are_written() -> None:
    found = [duration_ns(text) for text in ("24h", "90m", "7d", "1.5h", "0s", "soon", "-1h", "")]
    assert found == [24 * HOUR_NS, 1.5 * HOUR_NS, 168 * HOUR_NS, 1.5 * HOUR_NS, None, None, None, None]


def test_what_is_wrong_in_the_options_is_told() -> None:
    root = Path(__file__).parents[2]
    for option, value, complaint in (
        ("--keep", "soon", "'soon' is not a time such as 30s or 5m"),
        ("--at", "noon", "'noon' is not a time such as 14:03"),
        ("--record-limit", "5k", "'5k' is not a size from 1MB on"),
    ):
        command = [sys.executable, "-B", "-m", "tcptop_rtt", option, value]
        ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)
        assert ended.returncode == 2
        assert complaint in ended.stderr


def test_the_clock_of_the_machine_names_the_files(tmp_path: Path) -> None:
    ring = Ring(str(tmp_path), HOUR_NS)
    before = time.time_ns()
    name = Path(ring.next_path()).name
    assert before <= int(name.removeprefix("kept_").partition(".")[0]) <= time.time_ns()
    ring.close()


class _Nowhere:
    """An output that writes nothing."""

    def begin(self, origin: Origin) -> None:
        """Nothing."""

    def show(self, snapshot: Snapshot) -> None:
        """Nothing."""

    def end(self, dropped_records: int) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("gone", "problem"), [("directory", "No such file or directory"), ("file", "it has been removed")]
)
def test_what_cannot_be_kept_is_told_once_while_the_output_goes_on(
    tmp_path: Path, wall: Wall, gone: str, problem: str
) -> None:
    directory, told = tmp_path / "ring", list[str]()
    recordings = Recordings(_Feed(), Filter(), None, str(tmp_path))
    recordings.keep(str(directory), 24 * HOUR_NS)
    output = AlsoRecorded(_Nowhere(), recordings, told.append)
    output.begin(ORIGIN)
    for number, snapshot in enumerate(_hours(1, 1)):
        wall.now_ns = snapshot.time_ns
        if number == 20:
            for one in directory.iterdir():
                one.unlink()
            if gone == "directory":
                directory.rmdir()
        output.show(snapshot)
    output.end(0)
    recordings.close()
    expected = [f"cannot keep anything at the moment: {problem}"]
    assert told[-1:] == expected
    assert len(told) == 1 + (gone == "directory")  # the file is gone first
    assert output.is_whole  # it is of the file that was asked for
    if gone == "file":
        assert len(kept(str(directory))) == 1


@pytest.mark.parametrize(
    ("text", "from_beginning_s"),
    [
        ("02:46", 0.0),
        ("02:46:40", 0.0),
        ("1970-01-01 02:46:40", 0.0),
        ("02:46:40.9", 0.4),
        ("02:46:41", 0.5),
    ],
)
def test_a_second_in_which_it_begins_is_the_beginning(
    in_utc: None,  # noqa: ARG001
    text: str,
    from_beginning_s: float,
) -> None:
    """As the program itself names it: without a fraction."""
    first_ns = 10_000_500_000_000
    found = time_ns(text, 11 * HOUR_NS, first_ns, 11 * HOUR_NS)
    assert found == first_ns + round(from_beginning_s * 1e9)
