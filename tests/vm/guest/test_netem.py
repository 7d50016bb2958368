"""What is shown of links with a known delay, jitter and loss: what ss prints, and what was configured."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.live.conftest import Recording
from tests.live.program import Line
from tests.vm.guest.ss import ss

TALK_S = 12
QUIET_S = 4
CATCH_UP_S = 90  # a scan that is slow, as on an emulated processor, is followed by a long pause
PORT = 8084

_SERVE = """
import socket, sys
host, port, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
listener = socket.create_server((host, port))
print("ready", flush=True)
connection, _ = listener.accept()
while connection.recv(length, socket.MSG_WAITALL):
    connection.sendall(b"x")
"""
_TALK = """
import socket, sys, time
host, port, length, seconds = sys.argv[1], *map(int, sys.argv[2:])
between = seconds / 60
connection = socket.create_connection((host, port))
end = time.monotonic() + seconds
while time.monotonic() < end:
    begin = time.monotonic()
    connection.sendall(bytes(length))
    connection.recv(1)
    time.sleep(max(0, begin + between - time.monotonic()))
print("done", flush=True)
time.sleep(600)
"""
_SEGMENT = 1448  # bytes


@dataclass(frozen=True)
class _Case:
    number: int
    delay_ms: int
    jitter_ms: int = 0
    loss_percent: int = 0

    @property
    def near(self) -> str:
        return f"10.77.{self.number}.1"

    @property
    def far(self) -> str:
        return f"10.77.{self.number}.2"

    @property
    def netem(self) -> list[str]:
        jitter = [f"{self.jitter_ms}ms"] if self.jitter_ms else []
        loss = ["loss", f"{self.loss_percent}%"] if self.loss_percent else []
        return ["netem", "delay", f"{self.delay_ms}ms", *jitter, *loss]

    @property
    def request(self) -> int:
        """Bytes: losses need some traffic, but much of it takes an emulated processor too long."""
        return 8 * _SEGMENT if self.loss_percent else _SEGMENT

    @property
    def tolerance_us(self) -> float:
        return 1000 * max(2, 0.05 * self.delay_ms)


CASES = [
    _Case(number, *case)
    for number, case in enumerate(
        (delay_ms, *how) for delay_ms in (5, 50, 200) for how in ((0, 0), (max(1, delay_ms // 20), 0), (0, 1))
    )
]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@contextmanager
def _link(case: _Case) -> Iterator[tuple[str, str]]:
    """Two namespaces with the link between them; the delay is all on the way there."""
    near, far = (f"netem-{end}{case.number}" for end in ("near", "far"))
    for name in (near, far):
        _ip("netns", "add", name)
    _ip("-n", near, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", far)
    for name, address in ((near, case.near), (far, case.far)):
        # Eight segments as one packet would be lost together.
        _ip("-n", name, "link", "set", "wire", "up", "gso_max_segs", "1")
        _ip("-n", name, "address", "add", f"{address}/24", "dev", "wire")
        # An ACK that waits for its answer would bring the time of an emulated process, not of the link.
        _ip("-n", name, "route", "replace", f"10.77.{case.number}.0/24", "dev", "wire", "quickack", "1")
    subprocess.run(["tc", "-n", near, "qdisc", "add", "dev", "wire", "root", *case.netem], check=True)
    try:
        yield near, far
    finally:
        for name in (near, far):
            _ip("netns", "delete", name)


def _start(stack: ExitStack, netns: str, script: str, *arguments: object) -> subprocess.Popen[str]:
    command = ["ip", "netns", "exec", netns, sys.executable, "-c", script, *map(str, arguments)]
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    stack.callback(process.kill)
    return process


def _says(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout
    assert process.stdout.readline() == f"{word}\n"


def _ss(netns: str) -> dict[str, int]:
    return ss(within=["ip", "netns", "exec", netns])


def _history(lines: list[Line], end: str) -> list[Line]:
    return [line for line in lines if line.get("laddr") == end and PORT in (line["lport"], line.get("rport"))]


def _told(lines: list[Line], truth: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """The last that we said of the same."""
    last = {end: _history(lines, end)[-1] for end in truth}
    return {end: {name: last[end][name] for name in names} for end, names in truth.items()}


def _check_delay(case: _Case, history: list[Line]) -> None:
    # The first half is handshake and slow start.
    srtts = [line["srtt_us"] for line in history[len(history) // 2 :] if line["srtt_us"]]
    median, configured = statistics.median(srtts), 1000 * case.delay_ms
    print(f"{' '.join(case.netem)}: srtt {median:.0f} us, lowest {history[-1]['min_rtt_us']} us")
    # A busy machine may add to the link's delay any time, and ss tells the same: it takes nothing away.
    assert median >= configured - case.tolerance_us, (case, srtts)
    assert history[-1]["min_rtt_us"] >= configured - 1000 * case.jitter_ms


def test_delay_jitter_and_loss_are_shown_as_configured_and_as_ss_prints_them(
    record: Callable[..., Recording],
) -> None:
    recording = record("--interval", "0.5", "--source", "auto")
    with ExitStack() as stack:
        links = [(case, *stack.enter_context(_link(case))) for case in CASES]
        servers = [_start(stack, far, _SERVE, case.far, PORT, case.request) for case, _, far in links]
        for server in servers:
            _says(server, "ready")
        clients = [
            _start(stack, near, _TALK, case.far, PORT, case.request, TALK_S) for case, near, _ in links
        ]
        for client in clients:
            _says(client, "done")
        time.sleep(QUIET_S)
        truth = {}
        for case, near, far in links:
            truth[case.near], truth[case.far] = _ss(near), _ss(far)
        deadline = time.monotonic() + CATCH_UP_S
        while _told(recording.lines, truth) != truth and time.monotonic() < deadline:
            time.sleep(0.5)
        lines = recording.stop()
    assert _told(lines, truth) == truth
    histories = {end: _history(lines, end) for end in truth}
    for case in CASES:
        _check_delay(case, histories[case.near])
    lossy = sum(truth[case.near]["retrans"] for case in CASES if case.loss_percent)
    calm = sum(truth[case.near]["retrans"] for case in CASES if not (case.loss_percent or case.jitter_ms))
    assert lossy > calm  # which is 0, unless the emulated processor has paused for a timeout's length
