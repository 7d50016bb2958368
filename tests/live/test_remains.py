"""What is left of the program once it is over, however it has ended and however often it was started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.held import Open
from tests.live.kernel_objects import kernel_objects, remaining
from tests.live.pairs import connected, talking
from tests.live.program import PROGRAM, START_S, complaint, lines_of_a_part, run
from tests.waiting import becomes

STARTS = int(os.environ.get("TCPTOP_STARTS", "24"))
"""As many as take half a minute; the variable asks for more."""
AT_ONCE = 2
_PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/var/lib")  # noqa: S108
"""Where programs leave files that nobody has asked for."""


class Room:
    """A mount namespace whose directories for such files are its own, and empty."""

    def __init__(self) -> None:
        mounts = "; ".join(f"mount -t tmpfs none {place}" for place in _PLACES)
        script = f"{mounts}; exec setpriv --pdeathsig KILL sleep infinity"
        self._holder = subprocess.Popen(["unshare", "--mount", "sh", "-ec", script])
        comm = Path(f"/proc/{self._holder.pid}/comm")
        assert becomes(lambda: comm.read_text() == "sleep\n")

    @property
    def before(self) -> tuple[str, ...]:
        """Starts a command in it."""
        # The root of a mount namespace is another one where all this runs in a chroot.
        return ("nsenter", "--target", str(self._holder.pid), "--mount", "--root")

    def path(self, place: str) -> Path:
        """Of what is there, from outside."""
        return Path(f"/proc/{self._holder.pid}/root{place}")

    @property
    def left(self) -> set[str]:
        """All that is in it."""
        found = (path for place in _PLACES for path in self.path(place).rglob("*"))
        return {f"/{path.relative_to(self.path('/'))}" for path in found}

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room()
    yield room
    room.close()


def _kill(pid: int) -> set[tuple[str, int]]:
    """End it where it stands; what it had in the kernel at that moment."""
    os.kill(pid, signal.SIGSTOP)
    # Each thread stops at its next return to user space.
    assert becomes(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "TtZ")
    objects = kernel_objects(pid)
    os.kill(pid, signal.SIGKILL)
    return objects


@pytest.mark.parametrize(
    ("keys", "delay_s"),
    [(b"", 0.2), (b"", 0.7), (b"", 1.2), (b"", 2.0), (b"", 3.1), (b"\r", 0.1), (b"\r", 1.5), (b"G/x", 0.3)],
)
def test_killed_while_the_screen_is_up_or_comes_up_it_leaves_nothing(
    terminal: Open, room: Room, keys: bytes, delay_s: float
) -> None:
    it = terminal(*room.before, PROGRAM, "--interval", "0.1")
    if keys:
        it.started().type(keys)
    time.sleep(delay_s)
    objects = _kill(it.pid)
    it.ended()
    assert becomes(lambda: not remaining(objects))
    assert room.left == set()


@pytest.mark.parametrize("least_bytes", [0, 100, 1500, 8000])
@pytest.mark.parametrize("screen", [False, True], ids=["json", "screen"])
def test_killed_while_it_records_all_that_was_recorded_can_be_read(
    terminal: Open, room: Room, screen: bool, least_bytes: int
) -> None:
    file = room.path("/var/lib/it")
    options = () if screen else ("--json",)
    it = terminal(*room.before, PROGRAM, *options, "--interval", "0.1", "--record", "/var/lib/it")
    with connected() as pair, talking(pair):
        it.expect(lambda: file.exists() and file.stat().st_size >= least_bytes, "a recording of that size")
        objects = _kill(it.pid)
        it.ended()
    assert becomes(lambda: not remaining(objects))
    assert room.left == {"/var/lib/it"}
    again = run("--replay", str(file), "--json")
    if not least_bytes and again.returncode:
        assert complaint(again).endswith("can be shown: --record writes what can")  # nothing was in it yet
        return
    events = [line["event"] for line in lines_of_a_part(again)]
    assert events[0] == "header"
    assert "refresh" in events or least_bytes < 1500


def test_however_often_it_is_started_nothing_gathers(room: Room) -> None:
    objects: set[tuple[str, int]] = set()
    running: list[subprocess.Popen[bytes]] = []
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGHUP)
    for start in range(STARTS + AT_ONCE):
        if start >= AT_ONCE:
            process = running.pop(0)
            assert process.stdout
            assert process.stdout.readline(), "it has not started"
            mine = kernel_objects(process.pid)
            assert {kind for kind, _ in mine} == {"prog", "map", "link"}
            objects |= mine
            process.send_signal(numbers[start % len(numbers)])
            process.stdout.close()
            assert process.wait(START_S) in (0, -signal.SIGKILL)
        if start < STARTS:
            command = [*room.before, PROGRAM, "--json", "--lport", "1"]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE))
    assert len(objects) >= 3 * STARTS
    assert becomes(lambda: not remaining(objects))
    assert room.left == set()
