"""2,000 connections a second, each opened and closed at once: none is missed, and memory stays flat."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
import time

from bench.results import Result
from bench.traffic import cpu_s, resident_mib

PER_S, SECONDS = 2000, 60.0
_RESET = struct.pack("ii", 1, 0)  # no TIME_WAIT: there are not ports enough for a minute of it


def _churn(listener: socket.socket, seconds: float) -> int:
    """How many were opened."""
    start, opened = time.monotonic(), 0
    while (elapsed := time.monotonic() - start) < seconds:
        while opened < elapsed * PER_S:
            with socket.create_connection(listener.getsockname()) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                listener.accept()[0].close()
            opened += 1
        time.sleep(0.005)
    return opened


def measure() -> list[Result]:
    """Connections reported, of those that were; memory after and before."""
    command = [sys.executable, "-m", "tcptop_rtt", "--json", "--interval", "1"]
    closed = {"client": 0, "server": 0}
    end: dict[str, int] = {}
    with (
        socket.create_server(("127.0.0.1", 0), backlog=128) as listener,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
    ):
        port = listener.getsockname()[1]
        assert process.stdout
        process.stdout.readline()

        def count() -> None:
            assert process.stdout
            for text in process.stdout:
                line = json.loads(text)
                if line["event"] == "close" and port in (line["lport"], line["rport"]):
                    closed["client" if line["rport"] == port else "server"] += 1
                end.update(line if line["event"] == "end" else {})

        counter = threading.Thread(target=count)
        counter.start()
        opened = _churn(listener, SECONDS / 3)
        early_mib = resident_mib(process.pid)
        opened += _churn(listener, 2 * SECONDS / 3)
        late_mib, share = resident_mib(process.pid), 100 * cpu_s(process.pid) / SECONDS
        time.sleep(2)
        process.terminate()
        counter.join()
    return [
        Result("connections per second", opened / SECONDS, at_least=0.95 * PER_S),
        Result("clients missed", opened - closed["client"], at_most=0, detail=f"of {opened:,}"),
        Result("servers missed", opened - closed["server"], at_most=0, detail=f"of {opened:,}"),
        Result("records lost", end["lost"], at_most=0),
        Result("memory at the end / after a third", late_mib / early_mib, at_most=1.05),
        Result("processor time", share, "% of a core", detail=f"{late_mib:.0f} MiB resident"),
    ]
