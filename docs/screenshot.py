"""Make docs/screenshot.svg: the dashboard as it is, over real traffic on this machine.

    sudo .venv/bin/python -m docs.screenshot

The traffic crosses loopback and a link of its own, 25 ms long each way.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tcptop_rtt.app import TcptopApp
from tcptop_rtt.feeds.live import LiveFeed, ready
from tcptop_rtt.model.snapshot import SPARK_S
from tcptop_rtt.sources.probe import Probe
from tcptop_rtt.sources.program import Program
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import UNICODE
from tests.live.link import Link

_SERVE = """
import socket, threading
def answer(connection):
    while data := connection.recv(65536):
        connection.sendall(data[: len(data) // 8 + 1])
for family, host in ((socket.AF_INET, "{v4}"), (socket.AF_INET6, "{v6}")):
    listener = socket.create_server((host, {port}), family=family)
    def accept(listener=listener):
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=accept).start()
print("ready", flush=True)
"""
_TALK = """
import ctypes, random, socket, threading, time
ctypes.CDLL(None).prctl(15, b"{name}")
def talk(host):
    connection = socket.create_connection((host, {port}))
    while True:
        connection.sendall(bytes(random.choice([200, 2000, 40000])))
        connection.recv(65536)
        time.sleep(random.choice([0.01, 0.05, {pause}]))
for host in {hosts}:
    threading.Thread(target=talk, args=(host,)).start()
"""
_LOOPBACK = ("127.0.0.1", "::1")
_WIRE = ("10.199.0.2", "fd99::2")


def _server(addresses: tuple[str, str], port: int, name: str) -> str:
    naming = f"import ctypes; ctypes.CDLL(None).prctl(15, b'{name}')\n"
    return naming + _SERVE.format(v4=addresses[0], v6=addresses[1], port=port)


async def _picture(feed: LiveFeed) -> str:
    app = TcptopApp(feed, Filter(), 1.0, UNICODE)
    async with app.run_test(size=(150, 26)) as pilot:
        await asyncio.sleep(SPARK_S)
        await pilot.press("down", "down")
        await asyncio.sleep(1)
        return app.export_screenshot(title="sudo tcptop-rtt")


def main() -> None:
    """Start the traffic and the dashboard, and write the picture."""
    with Link(delay_ms=25) as link:
        started = []
        for netns, code in (
            (link.b, _server(_WIRE, 5432, "database")),
            (link.a, _server(_LOOPBACK, 6379, "cache")),
        ):
            process = link.run(netns, sys.executable, "-c", code)
            if process.stdout:
                process.stdout.readline()
            started.append(process)
        for name, port, hosts, pause in (
            ("api", 5432, _WIRE, 0.2),
            ("worker", 5432, _WIRE[:1], 1),
            ("api", 6379, _LOOPBACK, 0.1),
            ("cron", 6379, _LOOPBACK[:1], 2),
        ):
            code = _TALK.format(name=name, port=port, hosts=hosts, pause=pause)
            started.append(link.run(link.a, sys.executable, "-c", code))
        probe = Probe(Program())
        try:
            picture = asyncio.run(_picture(LiveFeed(ready(probe), 1.0)))
        finally:
            probe.close()
            for process in started:
                process.kill()
                process.wait()
    Path(__file__).with_name("screenshot.svg").write_text(picture)


if __name__ == "__main__":
    main()
