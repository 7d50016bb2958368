"""What is read of real processes."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tcptop_rtt.feeds.namespaces import OURS, namespace_name
from tcptop_rtt.feeds.processes import MOST_PARENTS, Processes, UserNames
from tcptop_rtt.model.outside import CUT, TEXT_BYTES
from tcptop_rtt.model.snapshot import ProcessKey
from tests.live.conftest import Recording
from tests.live.control_groups import in_cgroup
from tests.live.program import START_S, as_nobody, children
from tests.unit.recorded import read
from tests.waiting import becomes


def _key(pid: int) -> ProcessKey:
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except FileNotFoundError:
        ticks = 0
    return ProcessKey(pid, ticks * 10**9 // os.sysconf("SC_CLK_TCK"))


_REST = """
import socket, sys
from tests.ports import bind, serve
listener, client = serve(), socket.socket()
bind(client)
client.connect(listener.getsockname())
print(client.getsockname()[1], flush=True)
sys.stdin.read()
"""
_WAIT = "import sys; print(flush=True); sys.stdin.read()"


@contextmanager
def _running(command: list[str]) -> Iterator[int]:
    """Its PID, once it runs: in the middle of exec() it has no command line."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield process.pid
        process.communicate()


@pytest.mark.parametrize(
    "argument", ["x" * 100_000, "日" * 40_000, "-Da=b " * 15_000], ids=["letters", "wide", "words"]
)
def test_of_a_long_command_line_the_beginning_is_read(argument: str) -> None:
    command = [sys.executable, "-c", _WAIT, argument]
    with _running(command) as pid:
        told = Processes().describe(_key(pid))
    assert told
    whole = " ".join(command)
    assert told.cmdline.endswith(CUT)
    assert whole.startswith(told.cmdline.removesuffix(CUT))
    assert TEXT_BYTES - 4 < len(told.cmdline.removesuffix(CUT).encode()) <= TEXT_BYTES


_ONLY_ANOTHER_THREAD = """
import ctypes, threading, sys
threading.Thread(target=lambda: (print(flush=True), sys.stdin.read(), __import__("os")._exit(0))).start()
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.mark.parametrize("script", [_WAIT, _ONLY_ANOTHER_THREAD], ids=["first", "other"])
def test_a_process_is_gone_once_all_its_threads_have_ended(script: str) -> None:
    processes = Processes()
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdin
        process.stdout.readline()
        key = _key(process.pid)
        assert not becomes(lambda: processes.is_gone(key), 0.5)
        assert processes.is_gone(ProcessKey(key.pid, key.started_ns + 10**9))  # its PID was another's before
        process.stdin.close()
        # Its exit status is not asked for, so that it stays as a zombie.
        assert becomes(lambda: processes.is_gone(key), START_S)
        assert Path(f"/proc/{key.pid}").exists()
    assert processes.is_gone(key)


def test_where_processes_are_hidden_none_is_gone() -> None:
    script = """
import sys
from tcptop_rtt.feeds.processes import Processes
from tcptop_rtt.model.snapshot import ProcessKey
print([Processes().is_gone(ProcessKey(pid, 1)) for pid in (1, 2**22)])
"""
    remount = 'mount --make-private /proc && mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    hidden = ("unshare", "--mount", "--propagation", "unchanged", "sh", "-c", remount, "sh")
    for before, expected in (((), "[True, True]"), ((*hidden, *as_nobody()), "[False, False]")):
        command = [*before, sys.executable, "-c", script]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        assert ended.stdout.strip() == expected


def test_a_short_command_line_is_told_as_it_is() -> None:
    command = [sys.executable, "-c", _WAIT, "", "a b"]
    with _running(command) as pid:
        told = Processes().describe(_key(pid))
    assert told
    assert told.cmdline == " ".join(command)
    assert Processes().describe(_key(pid)) is None


def test_an_own_cgroup_is_found() -> None:
    raw = Path("/proc/self/cgroup").read_bytes()
    told = Processes().cgroup(_key(os.getpid()))
    assert told is not None
    assert re.search(rb"(?m)^\d+:[^:]*:" + re.escape(told.encode()) + b"$", raw)
    assert told != "/" or not re.search(rb"(?m)^\d+:[^:]*:/.", raw)


def test_the_cgroup_in_the_stream_and_in_recordings_follows_a_process_that_is_moved(
    record: Callable[..., Recording], tmp_path: Path
) -> None:
    """Though the connection rests."""
    path = tmp_path / "it"
    with subprocess.Popen(
        [sys.executable, "-c", _REST], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        recording = record("--lport", str(port), "--record", str(path))
        first = recording.wait_for(lambda line: line.get("lport") == port)
        assert first["cgroup"] == Processes().cgroup(_key(process.pid))
        name = f"tcptop-moved-{process.pid}.service"
        with in_cgroup(name, process.pid):
            moved = recording.wait_for(lambda line: line.get("unit") == name)
            recording.stop()
        assert moved["cgroup"].endswith(f"/{name}")
        process.communicate()
    lines, problems, _ = read(path)
    assert problems == []
    paths = [line["cgroup"] for line in map(json.loads, lines) if line.get("lport") == port]
    assert (paths[0], paths[-1]) == (first["cgroup"], moved["cgroup"])


def test_nobody_waits_for_the_name_of_a_user() -> None:
    answer = threading.Event()

    def slow(uid: int) -> str:
        answer.wait()
        return pwd.getpwuid(uid).pw_name

    users = UserNames(slow)
    assert users.get(0) == ""
    answer.set()
    assert becomes(lambda: users.get(0) == "root")


def test_a_user_without_a_name_has_none() -> None:
    users = UserNames()
    assert becomes(lambda: users.get(os.getuid()) == pwd.getpwuid(os.getuid()).pw_name)
    assert users.get(4_000_000_000) == ""


_IN_A_SHELL = "import ctypes, sys; ctypes.CDLL(None).prctl(15, b'a) (b', 0, 0, 0); " + _WAIT


def test_the_parents_of_a_process_go_up_to_the_first_one() -> None:
    script = f'{sys.executable} -c "$0"; true'
    with _running(["sh", "-c", script, _IN_A_SHELL]) as shell:
        (pid,) = children(shell)
        assert Path(f"/proc/{pid}/comm").read_text() == "a) (b\n"
        parents = Processes().parents(_key(pid))
        found = Path(f"/proc/{os.getpid()}/comm").read_bytes().rstrip()
    assert [parent.pid for parent in parents[:2]] == [shell, os.getpid()]
    assert [parent.comm for parent in parents[:2]] == [b"sh", found]
    expected, number = [shell], os.getpid()
    while number and len(expected) < MOST_PARENTS:
        expected.append(number)
        number = int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])
    assert [parent.pid for parent in parents] == expected


def test_of_a_process_that_has_ended_or_has_anothers_number_no_parents_are_known() -> None:
    with _running([sys.executable, "-c", _WAIT]) as pid:
        key = _key(pid)
        assert Processes().parents(key)
        assert Processes().parents(key._replace(started_ns=key.started_ns + 10**9)) == ()
    assert Processes().parents(key) == ()
    assert Processes().parents(ProcessKey(0, 0)) == ()


def test_generations_are_bounded() -> None:
    nested = 'n=$1; if [ $n -gt 0 ]; then sh -c "$0" "$0" $((n - 1)); true; else echo $$; read x; fi'
    with subprocess.Popen(
        ["sh", "-c", nested, nested, str(MOST_PARENTS + 3)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        innermost = int(process.stdout.readline())
        assert len(Processes().parents(_key(innermost))) == MOST_PARENTS
        process.communicate(b"\n")


def test_network_namespaces_have_the_names_that_ip_gives_them(tmp_path: Path) -> None:
    """As ``ip netns`` does it, in another directory."""
    held = tmp_path / "blue"
    held.touch()
    with subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", _WAIT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        subprocess.run(["mount", "--bind", f"/proc/{process.pid}/ns/net", held], check=True)
        try:
            inode = os.stat(f"/proc/{process.pid}/ns/net").st_ino
            assert namespace_name(inode, str(tmp_path)) == "blue"
            assert namespace_name(inode + 10**6, str(tmp_path)) == ""
            assert namespace_name(inode, str(tmp_path / "none")) == ""
        finally:
            subprocess.run(["umount", held], check=True)
            process.communicate()
    assert namespace_name(os.stat("/proc/self/ns/net").st_ino) == OURS
