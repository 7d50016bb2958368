"""Recordings as files: whole, cut off anywhere, damaged, bounded, and never over something else."""

from __future__ import annotations

import itertools
import os
import resource
import signal
import stat
import subprocess
import sys
import tracemalloc
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace

from tcptop_rtt import environment, front_end
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.prefixes import USUAL_PREFIXES
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.outputs.exporter import Exporter
from tcptop_rtt.outputs.plain import PlainTables
from tcptop_rtt.outputs.recordings import AlsoRecorded, Recordings
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.recording.frames import contents, head_bytes, index_bytes
from tcptop_rtt.recording.place import Owner, directory_of, new_path
from tcptop_rtt.recording.writer import RecordingWriter
from tcptop_rtt.signals import stop_signals
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.preferences import Preferences
from tests.unit.recorded import lines_of, read, record, replayed
from tests.unit.rows import row
from tests.unit.snapshots import S, snapshot_at
from tests.unit.world import ORIGIN, World, told

STEPS = 60


@pytest.fixture(scope="module")
def snapshots() -> list[Snapshot]:
    world = World(11)
    return [world.step() for _ in range(STEPS)]


def test_the_lines_of_a_recording_are_those_of_the_stream(tmp_path: Path, snapshots: list[Snapshot]) -> None:
    record(tmp_path / "it", snapshots).end(3)
    lines, problems, reader = read(tmp_path / "it")
    assert lines == [*lines_of(snapshots), b'{"event":"end","lost":3}']
    assert problems == []
    kinds = [str(frame.head.kind) for frame in reader.frames]
    assert (kinds[0], kinds.count("start")) == ("start", 1)
    assert kinds.count("state") >= 2
    assert reader.moments


def test_however_many_connections_there_are_little_more_than_their_lines_is_in_memory(
    tmp_path: Path,
) -> None:
    crowd = snapshot_at(S, *(row(number, lport=number) for number in range(1, 6001)))
    lines_bytes = sum(map(len, lines_of([crowd])))
    tracemalloc.start()
    try:
        record(tmp_path / "it", [crowd])
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 2 * lines_bytes


def test_what_is_written_can_be_read_before_it_has_ended(tmp_path: Path, snapshots: list[Snapshot]) -> None:
    recording = record(tmp_path / "it", [])
    for count, snapshot in enumerate(snapshots[:20], 1):
        recording.show(snapshot, ())
        assert read(tmp_path / "it")[0] == lines_of(snapshots[:count])


def test_a_recording_that_is_cut_off_anywhere_is_read_up_to_there(
    tmp_path: Path, snapshots: list[Snapshot]
) -> None:
    record(tmp_path / "it", snapshots[:12]).end(0)
    data, whole = (tmp_path / "it").read_bytes(), read(tmp_path / "it")[0]
    counts = []
    for size in range(0, len(data), 997):
        (tmp_path / "cut").write_bytes(data[:size])
        lines, _, _ = read(tmp_path / "cut")
        assert lines == whole[: len(lines)]
        counts.append(len(lines))
    assert counts == sorted(counts)
    assert counts[-1] >= len(whole) - 1


def test_after_what_is_damaged_it_goes_on_at_the_next_frame_and_says_where(
    tmp_path: Path, snapshots: list[Snapshot]
) -> None:
    record(tmp_path / "it", snapshots).end(0)
    _, _, reader = read(tmp_path / "it")
    whole = read(tmp_path / "it")[0]
    data = bytearray((tmp_path / "it").read_bytes())
    frame = reader.frames[1]
    assert frame.head.kind == "more"
    middle = frame.at + frame.size // 2
    data[middle : middle + 20] = b"\xff" * 20
    (tmp_path / "damaged").write_bytes(data)
    lines, problems, _ = read(tmp_path / "damaged")
    assert set(whole) - set(lines)
    assert lines[-1] == whole[-1]
    assert problems == [f"the frame at byte {frame.at:,} is damaged: the rest of it is left out"]
    data[frame.at : frame.at + 40] = bytes(40)
    (tmp_path / "damaged").write_bytes(data[: -len(data) // 50])  # and without its index
    lines, problems, _ = read(tmp_path / "damaged")
    assert set(lines) & set(whole[-len(whole) // 4 :])
    assert any(" at byte " in problem for problem in problems)


@pytest.mark.parametrize("first_is_killed", [False, True])
def test_files_that_were_joined_are_read_one_after_the_other(
    tmp_path: Path, snapshots: list[Snapshot], first_is_killed: bool
) -> None:
    half = len(snapshots) // 2
    killed = record(tmp_path / "first", snapshots[:half])
    if not first_is_killed:
        killed.end(0)
    record(tmp_path / "whole", snapshots).end(0)
    size = (tmp_path / "whole").stat().st_size
    record(tmp_path / "second", snapshots[half:], size // 2).end(0)  # begins with a whole state
    parts = [(tmp_path / name).read_bytes() for name in ("first", "second", "first")]
    (tmp_path / "it").write_bytes(b"".join(parts))
    joined, problems, reader = read(tmp_path / "it")
    first, second = (read(tmp_path / name) for name in ("first", "second"))
    assert second[2].frames[0].head.kind == "state"
    assert joined == [*first[0], *second[0], *first[0]]
    assert list(reader.moments) == [*first[2].moments, *second[2].moments, *first[2].moments]
    assert len(problems) == first_is_killed
    assert all(f" breaks off at byte {len(parts[0]):,} of " in problem for problem in problems)
    alone = [
        told(one) for name in ("first", "second", "first") for one in replayed(tmp_path / name).snapshots()
    ]
    assert list(map(told, replayed(tmp_path / "it").snapshots())) == alone


def test_an_index_that_is_cut_off_takes_nothing_of_the_file_behind_it(
    tmp_path: Path, snapshots: list[Snapshot]
) -> None:
    record(tmp_path / "it", snapshots[:20]).end(0)
    data, (lines, _, reader) = (tmp_path / "it").read_bytes(), read(tmp_path / "it")
    for cut in (reader.end + 4, reader.end + 30, len(data) - 1):
        (tmp_path / "joined").write_bytes(data[:cut] + data)
        again, problems, _ = read(tmp_path / "joined")
        assert again == [*lines, *lines]
        assert len(problems) == 1
        assert f" at byte {reader.end:,} of " in problems[0]


def test_zstdcat_gives_the_lines(tmp_path: Path, snapshots: list[Snapshot]) -> None:
    from tcptop_rtt.recording.zstd import ZstdDecompressor

    record(tmp_path / "it", snapshots[:5]).end(0)
    data, lines = (tmp_path / "it").read_bytes(), b""
    while data:
        decompressor = ZstdDecompressor()
        lines += decompressor.decompress(data)
        data = decompressor.unused_data
    assert lines.splitlines()[:-1] == lines_of(snapshots[:5])


def test_within_its_limit_the_newest_is_kept_and_can_be_read_by_itself(
    tmp_path: Path, snapshots: list[Snapshot]
) -> None:
    record(tmp_path / "whole", snapshots).end(0)
    limit = (tmp_path / "whole").stat().st_size // 2
    recording = record(tmp_path / "it", [], limit)
    sizes = []
    for snapshot in snapshots:
        recording.show(snapshot, ())
        sizes.append((tmp_path / "it").stat().st_size)
    recording.end(0)
    assert recording.failure == ""
    assert max(*sizes, (tmp_path / "it").stat().st_size) <= limit
    assert any(later < earlier for earlier, later in itertools.pairwise(sizes))
    lines, problems, reader = read(tmp_path / "it")
    assert problems == []
    assert reader.frames[0].head.kind == "state"
    assert lines[-40:] == [*lines_of(snapshots)[-39:], b'{"event":"end","lost":0}']
    assert sorted(os.listdir(tmp_path)) == ["it", "whole"]


@pytest.mark.parametrize("each", [1, 30, 100])
def test_the_limit_holds_at_the_end_too_however_many_moments_the_index_repeats(
    tmp_path: Path, each: int
) -> None:
    limit, line = 1_000_000, b'{"event":"moment"}\n'
    moments = tuple({"words": f"{number} connections to 192.0.2.7 stall"} for number in range(each))
    for count in (110, 150, 190, 230, 400, 777):
        file = RecordingWriter(str(tmp_path / str(count)), None, limit)
        for second in range(1, count):
            file.add(
                [line, os.urandom(100).hex().encode()], second, second * S, lambda: [line * 100], moments
            )
        file.close([line])
        size = (tmp_path / str(count)).stat().st_size
        assert size <= limit
        _, problems, reader = read(tmp_path / str(count))
        assert problems == []
        assert len(reader.frames) > min(count // 6, 10)
        assert len(reader.moments) > 10 * each


def test_a_file_is_its_owners_alone_and_new(tmp_path: Path) -> None:
    path = tmp_path / "it"
    before = os.umask(0)
    try:
        recording = record(path, [World(1).step()])
    finally:
        os.umask(before)
    recording.end(0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    data = path.read_bytes()
    for name in ("it", "link", "dangling"):
        if name != "it":
            (tmp_path / name).symlink_to("it" if name == "link" else "nothing")
        with pytest.raises(FileExistsError):
            RecordingWriter(str(tmp_path / name))
    assert path.read_bytes() == data
    assert not (tmp_path / "nothing").exists()


def test_a_file_with_nothing_in_it_is_removed(tmp_path: Path) -> None:
    RecordingWriter(str(tmp_path / "it")).abandon()
    assert os.listdir(tmp_path) == []


def test_a_name_tells_of_host_and_time_and_leads_nowhere_else() -> None:
    assert Path(new_path("/a", "web1.example", 0)).name.startswith("tcptop-rtt_web1.example_19")
    name = new_path("/a", "../../etc/x\n", 0)
    assert Path(name).parent == Path("/a")
    assert "\n" not in name


def test_where_others_can_write_it_goes_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    assert directory_of(None, "/home/me") == str(tmp_path)
    assert directory_of(Owner(os.getuid() + 1, 1), "/home/me") == "/home/me"
    tmp_path.chmod(0o777)
    assert directory_of(None, "/home/me") == "/home/me"


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory with room for little: as with a quota, a file may grow up to a size and no further."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def _leave_no_room(path: Path) -> None:
    """Let no file grow beyond this one."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, most))


def test_that_its_end_finds_no_room_is_told(full_disk: Path, snapshots: list[Snapshot]) -> None:
    record(full_disk / "other", snapshots[:1]).end(0)
    recordings = Recordings(replayed(full_disk / "other"), Filter(), None, "")
    path, told = Path(recordings.open(str(full_disk / "it"))), list[str]()
    with open(os.devnull, "wb") as nowhere:
        writer = Writer(nowhere.fileno(), lambda: True)
        output = AlsoRecorded(PlainTables(writer, Filter(), str), recordings, told.append)
        output.begin(ORIGIN)
        output.show(snapshots[0])
        _leave_no_room(path)
        assert output.is_whole
        output.end(0)
    assert not output.is_whole
    assert told == [f"cannot record into {path}: File too large; the part already written is kept"]
    assert read(path)[0] == lines_of(snapshots[:1])


def test_where_nothing_could_be_written_nothing_is_said_to_be_kept(
    full_disk: Path, snapshots: list[Snapshot]
) -> None:
    record(full_disk / "other", snapshots[:1]).end(0)
    feed = replayed(full_disk / "other")
    feed.open()
    recordings = Recordings(feed, Filter(), None, "")
    path = Path(recordings.open(str(full_disk / "it")))
    _leave_no_room(path)
    recordings.start()
    recordings.show(snapshots[0], ())
    assert recordings.stop() == f"cannot record into {path}: File too large"
    assert not path.exists()


def test_that_its_end_finds_no_room_is_told_after_the_dashboard(
    full_disk: Path,
    snapshots: list[Snapshot],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record(full_disk / "other", snapshots[:1]).end(0)
    feed = replayed(full_disk / "other")
    feed.open()
    options = Namespace(interval=1.0, names=False, preferences=Preferences())
    codes = []
    for name in ("it", "fits"):
        recordings = Recordings(feed, Filter(), None, "")
        path = Path(recordings.open(str(full_disk / name)))

        def shown(
            _: object, name: str = name, path: Path = path, recordings: Recordings = recordings
        ) -> None:
            recordings.start()
            recordings.show(snapshots[0], ())
            if name == "it":
                _leave_no_room(path)

        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        monkeypatch.setattr(front_end, "run_app", shown)
        codes.append(front_end.show(feed, options, Filter(), screen=True, recordings=recordings))
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    feed.close()
    assert codes == [1, 0]
    why = f"cannot record into {full_disk / 'it'}: File too large; the part already written is kept"
    assert capsys.readouterr().err == f"tcptop-rtt: {why}\n"


def test_a_file_is_not_left_behind_where_nothing_can_be_kept(
    tmp_path: Path, snapshots: list[Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "other", snapshots[:1]).end(0)
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state").chmod(0o777)
    monkeypatch.setattr(environment, "state_directory", lambda: str(tmp_path / "state"))
    invoker = Namespace(uid=os.getuid())
    options = Namespace(invoker=invoker, record=str(tmp_path / "it"), keep=3600 * S, record_limit=None)
    for _ in range(2):
        with pytest.raises(TcptopError, match=r"cannot keep anything in .*: others can write to it"):
            Recordings.wanted(options, replayed(tmp_path / "other"), Filter())
        assert not (tmp_path / "it").exists()


def test_that_its_end_finds_no_room_is_told_where_metrics_are_counted(
    full_disk: Path, snapshots: list[Snapshot], capsys: pytest.CaptureFixture[str]
) -> None:
    record(full_disk / "other", snapshots[:3]).end(0)
    feed = replayed(full_disk / "other")
    feed.open()
    recordings = Recordings(feed, Filter(), None, "")
    path = Path(recordings.open(str(full_disk / "it")))
    counted = feed.snapshots

    def last() -> Iterator[Snapshot]:
        yield from counted()
        _leave_no_room(path)

    feed.snapshots = last  # type: ignore[method-assign]
    options = Namespace(
        prometheus=None, otlp=None, count=None, prometheus_prefix=USUAL_PREFIXES, prometheus_series=9
    )
    before = [signal.getsignal(number) for number in stop_signals()]
    with ExitStack() as cleanup:
        assert Exporter(options, cleanup).run(feed, Filter(), recordings) == 1
    for number, handler in zip(stop_signals(), before, strict=True):
        signal.signal(number, handler)
    assert capsys.readouterr().err == (
        f"tcptop-rtt: cannot record into {path}: File too large; the part already written is kept\n"
    )


def test_a_full_disk_ends_it_and_what_is_in_it_can_be_read(
    full_disk: Path, snapshots: list[Snapshot]
) -> None:
    recording = record(full_disk / "it", snapshots)
    assert recording.failure == "File too large"
    lines, _, _ = read(full_disk / "it")
    whole = lines_of(snapshots)
    assert len(lines) > 40
    assert lines == whole[: len(lines)]


def test_a_process_that_is_killed_leaves_what_it_has_written(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from tests.unit.recorded import record
from tests.unit.world import World
world = World(11)
record(Path({str(tmp_path / "it")!r}), [world.step() for _ in range(9)])
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False, timeout=120
    )
    assert ended.returncode == -9
    world = World(11)
    assert read(tmp_path / "it")[0] == lines_of([world.step() for _ in range(9)])


def test_one_of_a_later_version_is_read_as_far_as_it_is_known_and_says_so(
    tmp_path: Path, snapshots: list[Snapshot]
) -> None:
    record(tmp_path / "it", snapshots[:5]).end(0)
    data = (tmp_path / "it").read_bytes()
    whole = contents(data)
    assert whole.problem == ""
    first = whole.frames[0]
    head = head_bytes(replace(first.head, version=2, moments=()))
    later = contents(head + data[first.at : first.at + first.size])
    assert later.problem == "version 2 of recordings: its new features are not shown"
    assert [(frame.size, frame.whole) for frame in later.frames] == [(first.size, True)]
    index = index_bytes([frame._replace(head=replace(frame.head, version=3)) for frame in later.frames], ())
    indexed = contents(head + data[first.at : first.at + first.size] + index)
    assert indexed.problem == "version 3 of recordings: its new features are not shown"
