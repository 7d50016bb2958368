"""What goes out: to readers that stall, odd descriptors, full disks, terminals that go away."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import socket
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.live.pairs import connected, port_of, talking
from tests.live.program import END_S, NOBODY, PROGRAM, START_S
from tests.waiting import becomes

_F_SETPIPE_SZ = 1031
_SMALL_PIPE = 1 << 12
_LINES_NOT_WRITTEN = (
    r"tcptop-rtt: cannot write to standard output: .+; (\d[\d,]*) lines? (?:is|are) not written\n"
)
_OUTPUTS = pytest.mark.parametrize("options", [["--json"], ["--count", "1000000"]], ids=["json", "plain"])


@contextmanager
def _started(
    stdout: int, *options: str, stderr: int = subprocess.PIPE, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [PROGRAM, "--interval", "0.1", *options],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=os.environ | (environment or {}),
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _pipe(capacity: int = _SMALL_PIPE) -> Iterator[tuple[int, int]]:
    """A pipe's reading and writing end."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, _F_SETPIPE_SZ, capacity)
    try:
        yield reader, writer
    finally:
        for fd in (reader, writer):
            os.close(fd)


def _is_full(fd: int) -> bool:
    """Whether the file stays the same: its writer waits."""
    seen = []
    for _ in range(6):
        seen.append(int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), "little"))
        time.sleep(0.1)
    return seen[0] > 0 and len(set(seen)) == 1


def _wait_until_full(fd: int) -> None:
    deadline = time.monotonic() + START_S
    while not _is_full(fd):
        assert time.monotonic() < deadline


def _talking(stack: ExitStack, pairs: int = 20) -> int:
    """Connections that bring news in every interval; a port of theirs."""
    for _ in range(pairs):
        pair = stack.enter_context(connected())
        stack.enter_context(talking(pair))
    return port_of(pair[0])


@pytest.mark.parametrize("user", [{}, {"SUDO_UID": str(NOBODY)}], ids=["root", "sudo"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda it: it.name)
@_OUTPUTS
def test_a_signal_ends_it_while_its_reader_stalls_and_what_is_not_written_is_told(
    options: list[str], number: signal.Signals, user: dict[str, str]
) -> None:
    with ExitStack() as stack:
        _talking(stack)
        reader, writer = stack.enter_context(_pipe())
        process = stack.enter_context(_started(writer, *options, environment=user))
        _wait_until_full(reader)
        process.send_signal(number)
        _, complaint = process.communicate(timeout=END_S)
    assert process.returncode == 1
    told = re.fullmatch(_LINES_NOT_WRITTEN, complaint.decode())
    assert told, complaint
    assert int(told[1].replace(",", "")) > 0


def test_so_does_one_where_its_terminal_takes_nothing_and_is_another_users() -> None:
    ours, theirs = pty.openpty()
    with ExitStack() as stack:
        for fd in (ours, theirs):
            stack.callback(os.close, fd)
        _talking(stack)
        process = stack.enter_context(
            _started(theirs, "--count", "1000000", environment={"SUDO_UID": str(NOBODY)})
        )
        _wait_until_full(ours)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=END_S)
    assert re.fullmatch(_LINES_NOT_WRITTEN, complaint.decode())


def test_a_reader_that_goes_on_reading_gets_all_lines_to_the_end_after_a_signal() -> None:
    with ExitStack() as stack:
        _talking(stack)
        reader, writer = stack.enter_context(_pipe())
        process = stack.enter_context(_started(writer, "--json"))
        _wait_until_full(reader)
        process.send_signal(signal.SIGTERM)
        os.set_blocking(reader, False)
        out = bytearray()
        deadline = time.monotonic() + START_S
        while process.poll() is None:
            assert time.monotonic() < deadline
            try:
                out += os.read(reader, 1 << 16)
            except BlockingIOError:
                time.sleep(0.001)
        with suppress(BlockingIOError):  # nothing is left
            out += os.read(reader, 1 << 16)
        complaint = process.stderr.read() if process.stderr else b""
    assert (process.returncode, complaint) == (0, b"")
    lines = [json.loads(line) for line in out.decode().splitlines()]
    assert lines[-1] == {"event": "end", "lost": lines[-1]["lost"]}


@_OUTPUTS
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_pause_of_the_reader_costs_no_line_where_standard_output_does_not_block(
    kind: str, options: list[str]
) -> None:
    with ExitStack() as stack:
        _talking(stack)
        if kind == "pipe":
            reader, writer = stack.enter_context(_pipe())
        else:
            ends = socket.socketpair()
            reader, writer = (stack.enter_context(end).fileno() for end in ends)
            ends[1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        os.set_blocking(writer, False)
        command = [*(["--json"] if options == ["--json"] else []), "--count", "10"]
        process = stack.enter_context(_started(writer, *command))
        _wait_until_full(reader)
        assert process.poll() is None
        assert not os.get_blocking(writer)
        out = bytearray()
        drained = threading.Thread(target=_drain, args=(reader, out), daemon=True)
        drained.start()
        _, complaint = process.communicate(timeout=START_S)
        os.set_blocking(writer, True)
        os.write(writer, b"\0")
        drained.join(END_S)
    assert (process.returncode, complaint) == (0, b"")
    text = out.decode()
    if options == ["--json"]:
        events = [json.loads(line)["event"] for line in text.splitlines()]
        assert (events[0], events[-1]) == ("header", "end")
        assert events.count("open") >= 40
    else:
        assert text.count("PROCESS") == text.count(" connections ") == 10
        assert text.endswith("\n\n")


def _drain(fd: int, into: bytearray) -> None:
    """All until a zero byte."""
    while not into.endswith(b"\0"):
        into += os.read(fd, 1 << 16)
    into.pop()


@_OUTPUTS
def test_a_disk_that_fills_up_is_told_with_the_lines_that_it_has_not(
    options: list[str], tmp_path: Path
) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=True)
    try:
        with ExitStack() as stack:
            _talking(stack)
            file = stack.enter_context((tmp_path / "out").open("wb"))
            process = stack.enter_context(_started(file.fileno(), *options))
            _, complaint = process.communicate(timeout=START_S)
        assert process.returncode == 1
        assert (tmp_path / "out").stat().st_size == 64 << 10
        told = re.fullmatch(_LINES_NOT_WRITTEN, complaint.decode())
        assert told, complaint
        assert "No space left on device" in told[0]
        assert int(told[1].replace(",", "")) > 0
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_every_line_that_a_full_device_did_not_take_is_counted() -> None:
    with Path("/dev/full").open("wb") as full, _started(full.fileno(), "--json", "--count", "1") as process:
        _, complaint = process.communicate(timeout=START_S)
    # The header and the end: between them nothing was begun.
    assert complaint.decode() == (
        "tcptop-rtt: cannot write to standard output: No space left on device; 2 lines are not written\n"
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("--bogus",), 2), (("--pid", "4194303", "--once"), 1), (("--replay", "/dev/null"), 1)],
)
def test_errors_that_cannot_be_written_change_no_exit_status(arguments: tuple[str, ...], status: int) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run([PROGRAM, *arguments], stderr=full, check=False, timeout=START_S)
    assert ended.returncode == status


def test_what_is_appended_to_a_file_that_others_write_to_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    with path.open("ab") as file, _started(file.fileno(), "--json", "--count", "1") as process:
        assert process.wait(START_S) == 0
    first, *lines = path.read_text().splitlines()
    assert first == "before"
    assert [json.loads(line)["event"] for line in lines][-1] == "end"


# Terminals


@contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    """A terminal that controls nobody: the side of its emulator, and the program's."""
    near, far = pty.openpty()
    with ExitStack() as stack:
        for fd in (near, far):
            stack.callback(_close, fd)
        yield near, far


def _close(fd: int) -> None:
    with suppress(OSError):  # the test has closed it
        os.close(fd)


@_OUTPUTS
def test_a_signal_ends_it_on_a_terminal_that_takes_nothing(options: list[str]) -> None:
    with ExitStack() as stack:
        _talking(stack)
        near, far = stack.enter_context(_terminal())
        process = stack.enter_context(_started(far, *options, stderr=far))
        assert os.read(near, 1)
        _wait_until_full(near)
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_S) == 1


@_OUTPUTS
def test_it_ends_when_its_terminal_goes_away_however_long_the_interval(options: list[str]) -> None:
    with _terminal() as (near, far), _started(far, *options, "--interval", "3600", stderr=far) as process:
        assert os.read(near, 1)
        os.close(far)
        os.close(near)
        assert process.wait(END_S) == 0


@contextmanager
def _with_nohup(log: Path, terminal: int | None) -> Iterator[subprocess.Popen[bytes]]:
    """In the background of a session that somebody else leads, or as all that there is on a terminal."""

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    with (
        log.open("wb") as output,
        subprocess.Popen(
            ["nohup", PROGRAM, "--json", "--interval", "3600"],
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=output,
            stderr=output,
            start_new_session=terminal is not None,
            preexec_fn=None if terminal is None else take_terminal,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def test_with_nohup_it_goes_on_without_its_session(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with _with_nohup(log, None) as process:
        assert becomes(lambda: b'"header"' in log.read_bytes(), START_S)
        process.send_signal(signal.SIGHUP)
        status = Path(f"/proc/{process.pid}/status").read_text()
        ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
        assert ignored >> (signal.SIGHUP - 1) & 1
        process.send_signal(signal.SIGINT)
        assert process.wait(END_S) == 0
    assert log.read_text().splitlines()[-1].startswith('{"event":"end"')


def test_with_nohup_it_ends_with_a_terminal_that_was_opened_for_it_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with _terminal() as (near, far), _with_nohup(log, far) as process:
        assert becomes(lambda: b'"header"' in log.read_bytes(), START_S)
        os.close(far)
        os.close(near)
        assert process.wait(END_S) == 0
