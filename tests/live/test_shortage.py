"""What a running program does when the machine has nothing left to give for a while."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.live.conftest import Recording
from tests.live.pairs import connected, port_of
from tests.live.program import PROGRAM
from tests.ports import serve
from tests.waiting import ENOUGH_S


def _take_descriptors_away(pid: int) -> tuple[int, int]:
    """Let a process open nothing more; what it was allowed before."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    standard_ones = 3
    return resource.prlimit(pid, resource.RLIMIT_NOFILE, (standard_ones, hard))


def _give_back(pid: int, limits: tuple[int, int]) -> None:
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def _wait_for(path: Path, condition: Callable[[list[str]], bool], process: subprocess.Popen[bytes]) -> None:
    """Until it holds for the first lines of the tables so far."""
    deadline = time.monotonic() + ENOUGH_S
    while not condition([line for line in path.read_text().splitlines() if " samples/s " in line]):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_tables_go_on_without_a_free_descriptor_and_say_so_until_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "tables"
    command = [PROGRAM, "--count", "100000", "--interval", "0.1"]
    with path.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=subprocess.PIPE) as process:
        try:
            _wait_for(path, lambda firsts: len(firsts) > 2, process)
            limits = _take_descriptors_away(process.pid)
            _wait_for(path, lambda firsts: "! cannot list the sockets: Too many open" in firsts[-1], process)
            _give_back(process.pid, limits)
            _wait_for(path, lambda firsts: "!" not in firsts[-1], process)
        finally:
            process.kill()


def test_connections_that_begin_and_end_without_a_free_descriptor_are_told_of(
    record: Callable[..., Recording],
) -> None:
    recording = record("--interval", "0.1")
    pid = recording.process.pid
    time.sleep(2.5)  # the readers of accepted connections are watched from the next one on
    limits = _take_descriptors_away(pid)
    with serve() as listener:
        client = socket.create_connection(listener.getsockname(), source_address=("127.0.0.1", 0))
        server, _ = listener.accept()
    port = port_of(client)
    recording.wait_for(lambda line: line["event"] == "open" and line["lport"] == port)
    client.sendall(b"x")
    server.recv(1)
    client.close()
    server.close()
    recording.wait_for(lambda line: line["event"] == "close" and line["lport"] == port)
    _give_back(pid, limits)
    with connected() as pair:
        port = port_of(pair[0])
        recording.wait_for(lambda line: line.get("lport") == port and line["pid"] == os.getpid())
    assert recording.stop()[-1]["event"] == "end"
