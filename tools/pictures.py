"""Make the pictures in docs/pictures: the program itself, by its keys, over real traffic on this machine.

    sudo .venv/bin/python -m tools.pictures [NAME...]

The traffic crosses loopback and a link of its own, 25 ms long each way, which loses a segment now and then.
It takes tmux, and a machine without much other traffic.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.live.link import ADDRESSES, Link, sending, taking
from tests.live.program import PROGRAM, START_S
from tests.live.prometheus import exporting, prometheus
from tests.live.sshd import Hosts
from tests.live.terminal import Terminal

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
SIZE = 150, 26
DASHBOARD = f"{PROGRAM} --no-config --theme dark"
_ANSWER_S = 1.0
TALK_S = 26
"""Until sparklines are full."""
MORE_LOSS_EACH, LESS_LOSS_EACH = 15, 60
_FAR, _HERE = ADDRESSES["b"][0], "127.0.0.1"

_NAMED = "import ctypes, random, socket, threading, time\nctypes.CDLL(None).prctl(15, b'{name}')\n"
_SERVE = """
def answer(connection):
    while connection.recv(65536):
        time.sleep({takes_s})
        connection.sendall(bytes(20000))
listener = socket.create_server(("{host}", {port}), backlog=64)
print("ready", flush=True)
while True:
    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()
"""
_STAND_STILL = """
listener = socket.create_server(("{host}", {port}))
print("ready", flush=True)
held = listener.accept()
time.sleep(3600)
"""
_TALK = """
def talk():
    connection = socket.create_connection(("{host}", {port}))
    while True:
        connection.sendall(bytes(random.choice([200, 1000])))
        left = 20000
        while left:
            left -= len(connection.recv(left))
        time.sleep(random.choice([0.01, 0.05, {pause_s}]))
for _ in range({times}):
    threading.Thread(target=talk).start()
print("ready", flush=True)
"""
_KNOCK = """
print("ready", flush=True)
while True:
    with socket.socket() as one:
        one.connect_ex(("{host}", {port}))
    time.sleep(0.4)
"""


def _start_traffic(link: Link) -> None:
    """Let servers and clients begin; they end with the link."""
    for end, name, code, values in (
        (link.b, "postgres", _SERVE, {"host": _FAR, "port": 5432, "takes_s": 0.002}),
        (link.b, "reports", _SERVE, {"host": _FAR, "port": 8080, "takes_s": 0.18}),
        (link.b, "archive", _STAND_STILL, {"host": _FAR, "port": 9000}),
        (link.b, "rsync", taking(873), {}),
        (link.a, "redis-server", _SERVE, {"host": _HERE, "port": 6379, "takes_s": 0}),
        (link.a, "api", _TALK, {"host": _FAR, "port": 5432, "pause_s": 0.2, "times": 3}),
        (link.a, "api", _TALK, {"host": _HERE, "port": 6379, "pause_s": 0.1, "times": 2}),
        (link.a, "worker", _TALK, {"host": _FAR, "port": 8080, "pause_s": 0.1, "times": 1}),
        (link.a, "backup", sending(9000, 65_536, 0.1), {}),
        (link.a, "rsync", sending(873, 20_000, 0.1), {}),
        (link.a, "cron", _KNOCK, {"host": _FAR, "port": 9100}),
    ):
        link.start(end, _NAMED.format(name=name) + code.format(**values))


def _save(terminal: Terminal, name: str, title: str) -> None:
    """Write what a terminal shows as a picture."""
    shown = Text.from_ansi(terminal.text_with_escapes, no_wrap=True)
    with open(os.devnull, "w") as nowhere:
        console = Console(
            record=True, width=SIZE[0], file=nowhere, color_system="truecolor", force_terminal=True
        )
        console.print(shown)
    (PICTURES / f"{name}.svg").write_text(console.export_svg(title=title, theme=MONOKAI))


@contextmanager
def _showing(command: str, text: str) -> Iterator[Terminal]:
    """A terminal in which this runs, once it shows a text."""
    with tempfile.TemporaryDirectory() as directory:
        terminal = Terminal(Path(directory), SIZE, {"COLORTERM": "truecolor"})
        try:
            terminal.run(command)
            terminal.wait_for(text, timeout_s=START_S)
            yield terminal
        finally:
            terminal.close()


def _press(terminal: Terminal, *keys: str) -> None:
    """Press keys, and let each be answered."""
    for key in keys:
        terminal.press(key)
        time.sleep(_ANSWER_S)


def _dashboard() -> None:
    with Link(25, LESS_LOSS_EACH) as link:
        _start_traffic(link)
        with _showing(DASHBOARD, "worker") as terminal:
            time.sleep(TALK_S)
            _press(terminal, "w", "Home")
            _save(terminal, "dashboard", "sudo tcptop-rtt")
            _press(terminal, "/")
            _press(terminal, *"worker", "Enter", "Enter")
            time.sleep(TALK_S)
            _save(terminal, "details", "sudo tcptop-rtt, w, Enter")


def _record(path: Path, delay_ms: float, lose_each: int) -> None:
    with Link(delay_ms, lose_each) as link:
        _start_traffic(link)
        command = [PROGRAM, "--no-config", "--json", "-i", "0.5", "-n", "120", "--record", str(path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _recordings() -> None:
    with tempfile.TemporaryDirectory() as directory:
        monday, tuesday = Path(directory, "monday.zst"), Path(directory, "tuesday.zst")
        _record(monday, 25, LESS_LOSS_EACH)
        _record(tuesday, 40, MORE_LOSS_EACH)
        with _showing(f"{DASHBOARD} --replay {monday}", "worker") as terminal:
            time.sleep(TALK_S)
            _press(terminal, "Space", "w", "Home")
            _save(terminal, "replay", "tcptop-rtt --replay monday.zst")
        command = f"cd {directory}; {DASHBOARD} --compare monday.zst tuesday.zst"
        with _showing(command, ":5432") as terminal:
            time.sleep(2)
            _save(terminal, "compare", "tcptop-rtt --compare monday.zst tuesday.zst")


def _hosts() -> None:
    with tempfile.TemporaryDirectory() as directory, Link(25, LESS_LOSS_EACH) as link:
        hosts = Hosts(link, Path(directory))
        try:
            _start_traffic(link)
            inside = shlex.join(hosts.inside())
            how = f"--ssh '{hosts.ssh()}' --remote-command {hosts.command}"
            with _showing(f"{inside} {DASHBOARD} {how} web1 db1", "worker") as terminal:
                time.sleep(TALK_S)
                _press(terminal, "w", "Home")
                _save(terminal, "hosts", "tcptop-rtt web1 db1")
        finally:
            hosts.close()


def _fleet() -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        Link(25, LESS_LOSS_EACH) as link,
        exporting("--filter", "!dir:in") as one,
        exporting("--filter", "dir:in") as other,
        prometheus(Path(directory), one, others=(other,)) as server,
    ):
        _start_traffic(link)
        time.sleep(90)
        url = f"http://127.0.0.1:{server.port}"
        options = "--fleet-range 1m --fleet-by services"
        with _showing(f"{DASHBOARD} --fleet {url} {options}", "5432") as terminal:
            time.sleep(2)
            _save(terminal, "fleet", "tcptop-rtt --fleet http://prometheus:9090 --fleet-by services")


_MAKERS: dict[str, Callable[[], None]] = {
    "dashboard": _dashboard, "recordings": _recordings, "hosts": _hosts, "fleet": _fleet,
}  # fmt: skip


def main() -> None:
    """Make those that are named, or all."""
    PICTURES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or _MAKERS:
        _MAKERS[name]()


if __name__ == "__main__":
    main()
