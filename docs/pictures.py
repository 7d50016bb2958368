"""Make the pictures in docs/pictures: the program itself, by its keys, over real traffic on this machine.

    sudo .venv/bin/python -m docs.pictures [NAME...]

The traffic crosses loopback and a link of its own, 25 ms long each way, which loses a segment now and then.
It takes tmux, and a machine without much other traffic.
"""

from __future__ import annotations

import os
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

from tests.live.link import ADDRESSES, Link
from tests.live.program import PROGRAM
from tests.live.prometheus import exporting, prometheus
from tests.live.sshd import Hosts

PICTURES = Path(__file__).with_name("pictures")
SIZE = 150, 26
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
_PUSH = """
connection = socket.create_connection(("{host}", {port}))
print("ready", flush=True)
while True:
    connection.sendall(bytes({size}))
    time.sleep(0.1)
"""
_TAKE = """
listener = socket.create_server(("{host}", {port}))
print("ready", flush=True)
connection, _ = listener.accept()
while connection.recv(65536):
    pass
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
        (link.b, "rsync", _TAKE, {"host": _FAR, "port": 873}),
        (link.a, "redis-server", _SERVE, {"host": _HERE, "port": 6379, "takes_s": 0}),
        (link.a, "api", _TALK, {"host": _FAR, "port": 5432, "pause_s": 0.2, "times": 3}),
        (link.a, "api", _TALK, {"host": _HERE, "port": 6379, "pause_s": 0.1, "times": 2}),
        (link.a, "worker", _TALK, {"host": _FAR, "port": 8080, "pause_s": 0.1, "times": 1}),
        (link.a, "backup", _PUSH, {"host": _FAR, "port": 9000, "size": 65536}),
        (link.a, "rsync", _PUSH, {"host": _FAR, "port": 873, "size": 20000}),
        (link.a, "cron", _KNOCK, {"host": _FAR, "port": 9100}),
    ):
        link.start(end, _NAMED.format(name=name) + code.format(**values))


class Terminal:
    """A terminal of tmux in which one command runs."""

    def __init__(self, directory: Path, command: str) -> None:
        self._tmux = ["tmux", "-S", str(directory / "tmux"), "-f", "/dev/null"]
        width, height = map(str, SIZE)
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "COLORTERM": "truecolor"}
        self._run("new-session", "-d", "-x", width, "-y", height, command, environment=environment)

    def _run(self, *arguments: str, environment: dict[str, str] | None = None) -> str:
        command = [*self._tmux, *arguments]
        ended = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return ended.stdout

    def wait_for(self, text: str, timeout_s: float = 120) -> None:
        """Until it shows a text."""
        deadline = time.monotonic() + timeout_s
        while text not in self._run("capture-pane", "-p"):
            if time.monotonic() > deadline:
                sys.exit(f"no {text!r} in\n{self._run('capture-pane', '-p')}")
            time.sleep(0.2)

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        for key in keys:
            self._run("send-keys", key)
            time.sleep(1)

    def save(self, name: str, title: str) -> None:
        """Write what it shows as a picture."""
        shown = Text.from_ansi(self._run("capture-pane", "-e", "-p"), no_wrap=True)
        with open(os.devnull, "w") as nowhere:
            console = Console(
                record=True, width=SIZE[0], file=nowhere, color_system="truecolor", force_terminal=True
            )
            console.print(shown)
        (PICTURES / f"{name}.svg").write_text(console.export_svg(title=title, theme=MONOKAI))

    def close(self) -> None:
        """End it, and what runs in it."""
        self._run("kill-server")


@contextmanager
def _terminal(command: str) -> Iterator[Terminal]:
    with tempfile.TemporaryDirectory() as directory:
        terminal = Terminal(Path(directory), command)
        try:
            yield terminal
        finally:
            terminal.close()


def _dashboard() -> None:
    with Link(25, LESS_LOSS_EACH) as link:
        _start_traffic(link)
        with _terminal(f"{PROGRAM} --no-config --theme dark") as terminal:
            terminal.wait_for("worker")
            time.sleep(TALK_S)
            terminal.press("w", "Home")
            terminal.save("dashboard", "sudo tcptop-rtt")
            terminal.press("/")
            terminal.press(*"worker", "Enter", "Enter")
            time.sleep(TALK_S)
            terminal.save("details", "sudo tcptop-rtt, w, Enter")


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
        with _terminal(f"{PROGRAM} --no-config --theme dark --replay {monday}") as terminal:
            terminal.wait_for("worker")
            time.sleep(TALK_S)
            terminal.press("Space", "w", "Home")
            terminal.save("replay", "tcptop-rtt --replay monday.zst")
        command = f"cd {directory}; {PROGRAM} --no-config --theme dark --compare monday.zst tuesday.zst"
        with _terminal(command) as terminal:
            terminal.wait_for(":5432")
            time.sleep(2)
            terminal.save("compare", "tcptop-rtt --compare monday.zst tuesday.zst")


def _hosts() -> None:
    with tempfile.TemporaryDirectory() as directory, Link(25, LESS_LOSS_EACH) as link:
        hosts = Hosts(link, Path(directory))
        try:
            _start_traffic(link)
            inside = " ".join(hosts.inside())
            how = f"--ssh '{hosts.ssh()}' --remote-command {hosts.command}"
            with _terminal(f"{inside} {PROGRAM} --no-config --theme dark {how} web1 db1") as terminal:
                terminal.wait_for("worker")
                time.sleep(TALK_S)
                terminal.press("w", "Home")
                terminal.save("hosts", "tcptop-rtt web1 db1")
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
        with _terminal(f"{PROGRAM} --no-config --theme dark --fleet {url} {options}") as terminal:
            terminal.wait_for("5432")
            time.sleep(2)
            terminal.save("fleet", "tcptop-rtt --fleet http://prometheus:9090 --fleet-by services")


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
