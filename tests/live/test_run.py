"""``tcptop-rtt run -- COMMAND``: what is told of a command's connections, and what the command notices."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tcptop_rtt.sources.loader.request import READS, Request
from tcptop_rtt.sources.program import Program
from tests.live.held import Open
from tests.live.link import ADDRESSES, Link, inside
from tests.live.program import PROGRAM, START_S, Line, run

ROOT = Path(__file__).parents[2]
LATE_S = 0.2

_LATE_SERVER = f"""
import socket, threading, time
def serve(connection):
    with connection:
        if connection.recv(65536).startswith(b"GET "):
            time.sleep({LATE_S})
            connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + bytes(100_000))
listener = socket.create_server(("{ADDRESSES["b"][0]}", 8080), backlog=64)
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
_URL = f"http://{ADDRESSES['b'][0]}:8080/"
_PAIR = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
"""


def _run(*options: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """``tcptop-rtt run`` until its end."""
    return run("run", *options, **how)


def _lines(text: str) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {"service": [], "connection": [], "run": []}
    for line in text.splitlines():
        one = json.loads(line)
        found[one["event"]].append(one)
    return found


@pytest.fixture
def link() -> Iterator[Link]:
    with Link(25) as link:
        link.start(link.b, _LATE_SERVER)
        yield link


def test_curl_over_a_link_of_50_ms(link: Link) -> None:
    times = "%{time_connect} %{time_starttransfer}\\n"
    script = f"for _ in 1 2 3 4 5 6 7 8; do curl -s -o {os.devnull} -w '{times}' {_URL}; done"
    ended = _run("--json", "--", *inside(link.a.pid), "sh", "-c", script)
    assert ended.returncode == 0
    told = _lines(ended.stderr)
    assert len(told["connection"]) == 8
    for one, line in zip(told["connection"], ended.stdout.splitlines(), strict=True):
        connect_s, first_byte_s = map(float, line.split())
        # curl looks at the clock a little later than the kernel.
        assert 50_000 <= one["connect_us"] <= 1e6 * connect_s
        assert 50_000 + 1e6 * LATE_S <= one["first_byte_us"] <= 1e6 * (first_byte_s - connect_s)
        assert 50_000 <= one["p50_us"] <= one["p99_us"]
        assert one["bytes_received"] in (100_019, 100_020)  # the FIN counts as one
        assert (one["raddr"], one["rport"], one["state"]) == (ADDRESSES["b"][0], 8080, "CLOSED")
        assert one["comm"] == "curl"
    # A busy machine makes all of them longer, never shorter, and may hold some up in other ways.
    assert "answers" in {one["why"] for one in told["connection"]}
    for name, us in (("connect_us", 50_000), ("first_byte_us", 50_000 + 1e6 * LATE_S), ("p50_us", 50_000)):
        assert min(one[name] for one in told["connection"]) <= 1.05 * us
    (service,) = told["service"]
    assert (service["raddr"], service["port"]) == (ADDRESSES["b"][0], 8080)
    assert (service["count"], service["failed"]) == (8, 0)
    for name in ("connect_us", "first_byte_us"):
        assert service[name] == sorted(one[name] for one in told["connection"])[3]
    (whole,) = told["run"]
    assert (whole["exit_status"], whole["connections"], whole["not_kept"]) == (0, 8, 0)


def test_the_tables_say_the_same_to_people(link: Link) -> None:
    ended = _run("--", *inside(link.a.pid), "curl", "-s", "-o", os.devnull, _URL)
    assert (ended.returncode, ended.stdout) == (0, "")
    first, services, service, connections, connection = filter(None, ended.stderr.splitlines())
    assert re.fullmatch(r"tcptop-rtt: nsenter .*: exit status 0 after \S+, 1 connection", first)
    assert services.split("  ")[0] == "SERVICE"
    times = r"( +[\d.]+m?s)"
    rest = rf"{times}{{4}} +\d+ +8\dB +100kB  \S+"
    assert re.fullmatch(rf"10\.199\.0\.2:8080 +1 +0{rest}", service)
    assert connections.split()[:5] == ["PROCESS", "PID", "REMOTE", "STATE", "LASTED"]
    assert re.fullmatch(rf"curl +\d+  10\.199\.0\.2:8080  CLOSED{times}{rest}", connection)


def test_children_count_also_short_lived_ones_and_those_that_lose_their_parent(
    link: Link, tmp_path: Path
) -> None:
    script = f"""
        cd {tmp_path}
        curl -s -o {os.devnull} {_URL}1
        (curl -s -o {os.devnull} {_URL}2 && touch 2 &)
        setsid sh -c '(curl -s -o {os.devnull} {_URL}3 && touch 3; exit) & exit'
        until [ -e 2 ] && [ -e 3 ]; do sleep 0.1; done
    """
    ended = _run("--json", "--", *inside(link.a.pid), "sh", "-c", script)
    told = _lines(ended.stderr)
    assert [one["comm"] for one in told["connection"]] == 3 * ["curl"]
    assert len({one["pid"] for one in told["connection"]}) == 3
    assert [one["bytes_received"] // 1000 for one in told["connection"]] == 3 * [100]
    assert min(one["connect_us"] for one in told["connection"]) >= 50_000
    assert min(one["first_byte_us"] for one in told["connection"]) >= 50_000 + 1e6 * LATE_S
    assert told["service"][0]["count"] == 3


def test_thousands_of_short_connections_are_all_counted_and_the_slowest_listed() -> None:
    script = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
for _ in range(2000):
    with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as server:
        client.send(b"question")
        server.recv(8)
        server.send(b"answer")
        client.recv(6)
print(listener.getsockname()[1])
"""
    ended = _run("--", sys.executable, "-c", script)
    port = ended.stdout.strip()
    # Where others have very many connections, records may find no room; the report says how many.
    missed = re.search(r"([\d,]+) records were lost", ended.stderr)
    lost = int(missed[1].replace(",", "")) if missed else 0
    counted = re.search(r"(\d+) connections", ended.stderr)
    assert counted
    assert 4000 - lost <= int(counted[1]) <= 4000
    # SYN and FIN count as a byte each.
    for where, sizes in (
        (rf"127\.0\.0\.1:{port}", "(18|20)kB +1[24]kB"),
        (f"our port {port}", "1[246]kB +1[68]kB"),
    ):
        line = re.search(rf"^{where} +(\d+) +0 .*$", ended.stderr, re.MULTILINE)
        assert line
        assert 2000 - lost <= int(line[1]) <= 2000
        assert lost or re.search(sizes, line[0])
    assert f"and {int(counted[1]) - 20:,} more connections, with lower RTTs: --json has all" in ended.stderr
    assert len(re.findall(r"^python", ended.stderr, re.MULTILINE)) == 20


def test_connections_of_others_do_not_count_and_a_server_counts_what_it_accepts() -> None:
    talk = _PAIR + "client.sendall(b'x'); server.recv(1); server.sendall(b'y'); client.recv(1)\n"
    with subprocess.Popen(
        [sys.executable, "-c", f"import time\nwhile True:\n exec({talk!r}); time.sleep(0.01)"]
    ) as other:
        try:
            ended = _run("--json", "--", sys.executable, "-c", talk + "client.close()")
        finally:
            other.kill()
    told = _lines(ended.stderr)
    client, server = sorted(told["connection"], key=lambda one: one["connect_us"] is None)
    assert (client["lport"], client["rport"]) == (server["rport"], server["lport"])
    assert {client["pid"], server["pid"]} != {other.pid}
    assert {service["direction"] for service in told["service"]} == {"out", "in"}


def test_a_peer_that_speaks_first_counts_from_when_it_was_established() -> None:
    script = f"""
import time
began = time.monotonic()
{_PAIR}
time.sleep(0.3)
server.send(b"x")
client.recv(1)
print(time.monotonic() - began)
"""
    ended = _run("--json", "--", sys.executable, "-c", script)
    (client,) = [one for one in _lines(ended.stderr)["connection"] if one["connect_us"]]
    assert 300_000 <= client["first_byte_us"] <= 1e6 * float(ended.stdout)


def test_connects_that_fail_and_connections_that_stay_open_are_told() -> None:
    script = """
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
client.set_inheritable(True)
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
print(subprocess.Popen(["sleep", "600"], close_fds=False, **quiet).pid)
closed = socket.socket()
closed.bind(("127.0.0.1", 0))
socket.socket().connect_ex(closed.getsockname())
"""
    ended = _run("--", sys.executable, "-c", script)  # it does not wait for what goes on in the background
    os.kill(int(ended.stdout), signal.SIGTERM)  # init has adopted it by now
    assert ended.returncode == 0
    assert "1 still open: their numbers are those at this moment" in ended.stderr
    assert re.search(r"^127\.0\.0\.1:\d+ +1 +1 .* refused$", ended.stderr, re.MULTILINE)


def test_a_connection_that_outlives_the_command_is_told_with_what_it_had_moved() -> None:
    script = f"""
import os
{_PAIR}
reads, writes = os.pipe()
if child := os.fork():
    print(child, os.read(reads, 1))
else:
    os.closerange(1, 3)
    for _ in range(100):
        server.sendall(bytes(1000))
        client.recv(1000, socket.MSG_WAITALL)
    os.write(writes, b"x")
    time.sleep(600)
"""
    ended = _run("--json", "--", sys.executable, "-c", script)
    os.kill(int(ended.stdout.split()[0]), signal.SIGTERM)
    moved = [(one["bytes_acked"], one["bytes_received"]) for one in _lines(ended.stderr)["connection"]]
    assert sorted(moved) == [(1, 100_000), (100_000, 0)]  # the SYN counts as one


# What the command is like


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (["sh", "-c", "exit 7"], 7, ": exit status 7 after "),
        (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM, f": exit status {128 + signal.SIGTERM} after "),
        (["/no such\x1b[31m"], 127, "tcptop-rtt: cannot run /no such\ufffd[31m: No such file or directory\n"),
        (["/etc/passwd"], 126, "tcptop-rtt: cannot run /etc/passwd: Permission denied\n"),
        (["/proc"], 126, "tcptop-rtt: cannot run /proc: Permission denied\n"),
    ],
    ids=lambda it: it[0] if isinstance(it, list) else "",
)
def test_its_exit_status_is_passed_on(command: list[str], status: int, said: str) -> None:
    ended = _run("--", *command)
    assert ended.returncode == status
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_its_exit_status_is_passed_on_where_nothing_takes_the_report() -> None:
    command = [PROGRAM, "run", "--", "sh", "-c", "exit 7"]
    with open("/dev/full", "wb") as full:
        assert subprocess.run(command, stderr=full, timeout=START_S, check=False).returncode == 7


def test_options_of_the_command_are_its_own_with_and_without_the_dashes() -> None:
    for dashes in ([], ["--"]):
        ended = _run(*dashes, "echo", "--json", "--", "-x")
        assert (ended.returncode, ended.stdout) == (0, "--json -- -x\n")


def test_it_has_our_input_and_output_descriptors_signals_and_environment() -> None:
    script = """
import os, signal, sys
print(sys.stdin.read(), os.environ["LD_TEST"], os.environ["PATH"], sorted(os.listdir("/proc/self/fd"))[:-1])
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.getsignal(signal.SIGTERM).name)
"""
    env = os.environ | {"LD_TEST": "all of it", "PATH": "/usr/bin:/bin:/nowhere"}
    ended = _run("--", sys.executable, "-c", script, given="typed", env=env)
    assert ended.stdout == ("typed all of it /usr/bin:/bin:/nowhere ['0', '1', '2']\nset() SIG_DFL\n")


def test_a_signal_that_we_are_sent_goes_to_the_command() -> None:
    # A handler may not print(): it may have come in the middle of another one.
    script = f"""
import os, signal, sys, time
signal.alarm({2 * START_S:.0f})  # one that does not come ends the test, not only a line of its output
for number, name in (
    (signal.SIGUSR1, b"usr1"),
    (signal.SIGINT, b"int"),
    (signal.SIGWINCH, b"winch"),
    (signal.SIGPWR, b"pwr"),
    (signal.SIGRTMIN + 3, b"rt3"),
):
    signal.signal(number, lambda *_, name=name: os.write(1, name + b"\\n"))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
os.write(1, b"ready\\n")
while True:
    time.sleep(0.05)
"""
    with subprocess.Popen(
        [PROGRAM, "run", "--", sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        for number, said in (
            (signal.SIGUSR1, "usr1\n"),
            (signal.SIGINT, "int\n"),
            (signal.SIGWINCH, "winch\n"),
            (signal.SIGPWR, "pwr\n"),
            (signal.SIGRTMIN + 3, "rt3\n"),
        ):
            process.send_signal(number)
            assert process.stdout.readline() == said
        process.send_signal(signal.SIGTERM)
        _, report = process.communicate(timeout=START_S)
    assert process.returncode == 5
    assert "exit status 5 after" in report


def test_a_signal_that_we_may_not_send_does_not_lose_its_exit_status() -> None:
    script = """
import os, signal, threading, time
from tcptop_rtt.command.process import Command, hold_signals
reads, writes = os.pipe()
os.dup2(reads, 0)
held, ended = hold_signals(), threading.Event()
command = Command(["sh", "-c", "read line; exit 7"], os.environ, held, None, ended.set)
command.start()
os.setresuid(65534, 65534, 65534)  # the command is root's still
os.kill(os.getpid(), signal.SIGUSR1)
while signal.SIGUSR1 in signal.sigpending():
    time.sleep(0.01)
os.write(writes, b"\\n")
print(ended.wait(60) and command.status)
"""
    command = [sys.executable, "-c", script]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=2 * START_S, check=False
    )
    assert (ended.stdout, ended.stderr) == ("7\n", "")


def test_ctrl_c_at_the_terminal_comes_once_and_the_report_is_still_written(terminal: Open) -> None:
    script = """
import os, signal
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # one has to be taken before another can come
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
print("ready", flush=True)
count = 0
while signal.sigtimedwait({signal.SIGINT}, 1 if count else 600):
    count += 1
print(f"{count} interrupts", flush=True)
"""
    one_cpu = ("taskset", "--cpu-list", str(min(os.sched_getaffinity(0))))
    it = terminal(*one_cpu, PROGRAM, "run", "--", sys.executable, "-c", script)
    it.wait_for(b"ready")
    it.type(b"\x03")
    assert it.ended() == 0
    it.wait_for(b"exit status 0 after")
    assert b"1 interrupts" in it.output


def test_the_command_ends_with_the_terminal_of_its_session(terminal: Open) -> None:
    it = terminal(
        PROGRAM, "run", "--", "sh", "-c", "trap 'exit 5' HUP; echo ready; while :; do sleep 0.1; done"
    )
    it.wait_for(b"ready")
    it.hang_up()
    assert it.ended() == 5


def test_it_runs_as_the_user_that_is_asked_for() -> None:
    ended = _run("--user", "nobody", "--", "sh", "-c", "id -un; id -Gn; echo $HOME $USER $LOGNAME")
    home = Path("/etc/passwd").read_text().partition("\nnobody:")[2].split(":")[4]
    assert ended.stdout == f"nobody\nnogroup\n{home} nobody nobody\n"


# The report


def test_the_report_goes_to_a_file_of_its_own_and_through_no_link(tmp_path: Path) -> None:
    report, link, other = tmp_path / "report", tmp_path / "link", tmp_path / "other"
    ended = _run("--output", str(report), "--", "sh", "-c", "echo done >&2")
    assert (ended.returncode, ended.stderr) == (0, "done\n")
    assert "exit status 0 after" in report.read_text()
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    theirs = tmp_path / "theirs"
    ended = _run("--output", str(theirs), "--", "true", env=os.environ | {"SUDO_UID": "65534"})
    assert (ended.returncode, ended.stderr) == (0, "")
    status = theirs.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (65534, 65534, 0o600)
    other.write_text("precious")
    link.symlink_to(other)
    (tmp_path / "same").hardlink_to(other)
    for place, why in (
        (link, "Too many levels of symbolic links"),
        (tmp_path, "Is a directory"),
        (tmp_path / "same", "it is not a regular file of one name"),
    ):
        refused = _run("--output", str(place), "--", "touch", str(tmp_path / "ran"))
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == f"tcptop-rtt: cannot write to {place}: {why}: choose another --output\n"
    assert other.read_text() == "precious"
    assert not (tmp_path / "ran").exists()


def test_the_report_is_for_its_owner_alone_also_where_a_file_was_there(tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.write_text("of an earlier run")
    report.chmod(0o644)
    ended = _run("--output", str(report), "--", "true")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert report.read_text().startswith("\ntcptop-rtt: true: exit status 0 after")
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    os.chown(report, 65534, 65534)
    before = report.read_text()
    refused = _run("--output", str(report), "--", "true")
    assert refused.returncode == 1
    assert refused.stderr == (
        f"tcptop-rtt: cannot write to {report}: it is another user's file: choose another --output\n"
    )
    assert report.read_text() == before
    invoked = _run("--output", str(report), "--", "true", env=os.environ | {"SUDO_UID": "65534"})
    assert (invoked.returncode, invoked.stderr) == (0, "")


def test_a_filter_chooses_connections() -> None:
    script = _PAIR + "client.send(b'x'); server.recv(1)"
    ended = _run("--json", "--filter", "dir:out", "--", sys.executable, "-c", script)
    assert [one["connect_us"] is None for one in _lines(ended.stderr)["connection"]] == [False]


def test_the_kernel_takes_the_program_that_follows_either_way() -> None:
    for flags in READS:
        with closing(Program.loaded(Request(reads=(flags,), follow=True))):
            pass
