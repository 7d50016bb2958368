"""R: a recording is begun and ended, and the header says into which file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcptop_rtt.outputs.recordings import Recordings
from tcptop_rtt.view.filter import Filter
from tests.tui.conftest import Open
from tests.tui.feed import HandFeed, Stage
from tests.unit.recorded import read
from tests.unit.rows import row


class _Feed(HandFeed):
    """One whose processes are in no control group."""

    def cgroup(self, process: object) -> None:
        """None."""


def _with_recordings(it: Stage, home: Path) -> None:
    it.app.main.recordings = it.app._recordings = Recordings(_Feed(), Filter(), None, str(home))


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    return tmp_path


async def test_what_is_seen_from_then_on_is_in_the_file_that_the_header_names(
    stage: Open, there: Path
) -> None:
    async with stage() as it:
        _with_recordings(it, there)
        await it.show(row(1, srtt_us=1_000))
        assert "REC" not in it.screen_text
        await it.press("R")
        (path,) = there.iterdir()
        assert f"recording into {path}" in it.screen_text
        it.app.main.tell("")
        await it.show(row(1, srtt_us=2_000), step=1)
        await it.show(row(1, srtt_us=3_000), step=2)
        assert f"REC  {path.name}" in it.screen_text
        await it.press("R")
        assert f"recorded: {path}" in it.screen_text
        await it.show(row(1, srtt_us=4_000), step=3)
        assert "REC " not in it.screen_text
    lines, problems, _ = read(path)
    assert problems == []
    rtts = [line.split(b'"srtt_us":')[1].split(b",")[0] for line in lines if b'"rtt_hi_us"' in line]
    assert rtts == [b"2000", b"3000"]


async def test_one_that_has_ended_by_itself_says_why_and_not_that_all_is_recorded(
    stage: Open, there: Path
) -> None:
    async with stage((300, 20)) as it:
        _with_recordings(it, there)
        await it.show(row(1))
        await it.press("R")
        recordings = it.app.main.recordings
        assert recordings is not None
        assert recordings._recording is not None
        assert recordings._file is not None
        (path,) = there.iterdir()
        recordings._file.abandon()
        recordings._recording.failure = "No space left on device"
        await it.press("R")
        assert f"cannot record into {path}: No space left on device " in it.screen_text
        assert "recorded:" not in it.screen_text


async def test_where_no_file_can_be_made_it_says_so_and_goes_on(stage: Open, there: Path) -> None:
    there.chmod(0o777)
    async with stage((300, 20)) as it:  # the path may be long
        _with_recordings(it, there / "nowhere")
        await it.show(row(1))
        await it.press("R")
        assert "cannot record into" in it.screen_text
        assert "No such file or directory" in it.screen_text
        await it.show(row(1, srtt_us=77_000), step=1)
        assert "77.0ms" in it.screen_text
        assert "REC " not in it.screen_text


async def test_where_nothing_can_be_recorded_the_key_is_not_offered(stage: Open) -> None:
    async with stage() as it:
        await it.show(row(1))
        await it.press("R")
        assert "REC" not in it.screen_text
        assert "record" not in it.screen_text.splitlines()[-1].lower()
