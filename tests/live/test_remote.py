"""Other hosts by a real ssh server in network namespaces, and the real program on each of them."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tcptop_rtt.feeds.remote.ssh import remote_command
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.view.waits import PARTS
from tests.live.conftest import Recording
from tests.live.link import ADDRESSES, Link, asking, echoing
from tests.live.program import PROGRAM, START_S, Line, complaint, lines_of, run
from tests.live.sshd import Hosts
from tests.live.terminal import Terminals
from tests.waiting import becomes

DELAY_MS = 25.0
ANSWER_MS = 20.0
PORT = 5432


@pytest.fixture
def link() -> Iterator[Link]:
    """Two namespaces, between which one asks and one answers."""
    with Link(DELAY_MS) as link:
        link.start(link.b, echoing(PORT, ANSWER_MS / 1000))
        link.start(link.a, asking(PORT, 20, 0.05))
        yield link


@pytest.fixture
def hosts(link: Link, tmp_path: Path) -> Iterator[Hosts]:
    with closing(Hosts(link, tmp_path)) as hosts:
        yield hosts


@pytest.fixture
def recordings() -> Iterator[list[Recording]]:
    """Those that end with the test."""
    running: list[Recording] = []
    yield running
    for recording in running:
        recording.process.kill()
        recording.process.wait()


def asked(hosts: Hosts, ssh: str, *arguments: str, command: str = "") -> subprocess.CompletedProcess[str]:
    """The program, where it reaches the hosts."""
    there = ("--ssh", ssh, "--remote-command", command or hosts.command)
    return run(*there, *arguments, before=hosts.inside())


def is_of(line: Line, host: str) -> bool:
    return (
        line["event"] in ("open", "sample")
        and line["host"] == host
        and PORT in (line["lport"], line["rport"])
    )


def test_two_hosts_are_one_table_and_one_that_drops_out_is_marked_until_it_is_back(
    hosts: Hosts, recordings: list[Recording]
) -> None:
    options = ("--ssh", hosts.ssh(), "--remote-command", hosts.command, "web1", "db1")
    recording = Recording(*options, before=hosts.inside())
    recordings.append(recording)
    asks = recording.wait_for(lambda line: is_of(line, "web1") and bool(line["rtt_samples"]))
    answers = recording.wait_for(lambda line: is_of(line, "db1") and bool(line["rtt_samples"]))
    assert (asks["laddr"], asks["raddr"], asks["rport"]) == (ADDRESSES["a"][0], ADDRESSES["b"][0], PORT)
    assert (asks["lport"], asks["raddr"]) == (answers["rport"], answers["laddr"])
    assert asks["id"] != answers["id"]
    assert min(asks["min_rtt_us"], answers["min_rtt_us"]) >= 2 * DELAY_MS * 1000
    header = recording.wait_for(lambda line: line["event"] == "header")
    assert header["host"] == "web1, db1"

    hosts.stop("db1")
    marked = recording.wait_for(lambda line: "db1: " in line.get("health", {}).get("problem", ""))
    assert answers["id"] in {id_ for line in recording.lines for id_ in line.get("gone", [])}
    assert "web1" not in marked["health"]["problem"]
    at = len(recording.lines)
    recording.wait_for(lambda line: line in recording.lines[at:] and is_of(line, "web1"))

    hosts.start("db1")
    again = recording.wait_for(
        lambda line: is_of(line, "db1") and line["event"] == "open" and line["id"] != answers["id"]
    )
    assert again["lport"] == PORT
    assert recording.stop()[-1]["event"] == "end"


def test_tables_have_a_column_of_hosts_only_if_there_are_several(hosts: Hosts) -> None:
    rows: list[str] = []

    def have_both() -> bool:
        """Of a host that is long in starting there is nothing yet."""
        both = asked(hosts, hosts.ssh(), "--count", "1", "--filter", f"port:{PORT}", "web1", "db1")
        assert (both.returncode, both.stderr) == (0, "")
        _, titles, *rows[:] = both.stdout.strip().splitlines()
        assert titles.split()[:3] == ["HOST", "PROCESS", "PID"]
        return {row.partition(" python")[0].strip() for row in rows} == {
            "web1 > db1"
        }  # one row for both ends

    assert becomes(have_both, START_S), rows
    one = asked(hosts, hosts.ssh(), "--count", "1", "web1")
    assert (one.returncode, one.stderr) == (0, "")
    assert one.stdout.splitlines()[1].split()[:2] == ["PROCESS", "PID"]


def test_the_dashboard_shows_both_hosts_and_tells_the_path_from_the_process_that_answers(
    hosts: Hosts, terminals: Terminals
) -> None:
    terminal = terminals((160, 48))
    command = shlex.join([*hosts.inside(), PROGRAM, "--ssh", hosts.ssh(), "--remote-command", hosts.command])
    terminal.run(f"{command} --filter port:{PORT} web1 db1")
    terminal.wait_for("HOST", "PROCESS", timeout_s=START_S)
    terminal.wait_for("web1 > db1", f":{PORT}", "python", timeout_s=START_S)

    def ends() -> list[str]:
        return [line for line in terminal.text.splitlines() if f":{PORT} " in line and "filter" not in line]

    terminal.expect(lambda: len(ends()) == 1 and terminal.line_with("1 of ") != "", "one row for both ends")
    terminal.press("Enter")
    terminal.wait_for("THE OTHER END")

    def part_ms(name: str) -> float:
        found = re.search(rf" {name} +(\d+\.\d+)ms", terminal.text)
        return float(found[1]) if found else 0.0

    terminal.expect(lambda: part_ms(" path") >= 2 * DELAY_MS, "the path's part of an answer")
    terminal.wait_for("process", "db1")
    answers = UNICODE.waits[PARTS.index("peer")]
    terminal.expect(
        lambda: ANSWER_MS <= part_ms(f"{answers} db1") < 2 * DELAY_MS, "the part of db1 in a wait"
    )
    terminal.press("Escape")
    hosts.stop("db1")
    terminal.wait_for("! db1: ", timeout_s=START_S)
    terminal.expect(lambda: not terminal.line_with("> db1 ", f":{PORT}"), "db1 gone from the rows")
    terminal.wait_for("web1 ", f":{PORT}")
    terminal.press("q")
    terminal.check_restored()


@pytest.mark.parametrize(
    ("changed", "command", "told"),
    [
        ({"user": "stranger"}, "", "Permission denied .*: .*: try ssh-copy-id web1"),
        ({"known": False}, "", "Host key verification failed: its key is not known here"),
        ({}, "sh -c 'exec tcptop-rtt-that-is-not-there'", "tcptop-rtt is not installed there"),
        (
            {},
            "env -i PATH=/nowhere /bin/sh -c 'exec tcptop-rtt'",
            "not found: tcptop-rtt is not installed there",
        ),
        ({}, "echo hello", "it does not send a tcptop-rtt stream: hello"),
        # Neither the host's banner nor that its key is new is a reason.
        ({}, "true", "web1: it sends nothing$"),
        ({}, "exit 7", "web1: ssh has ended, with exit status 7$"),
        (
            {"known": False, "takes_new": True},
            "echo hello",
            "web1: it does not send a tcptop-rtt stream: hello$",
        ),
    ],
)
def test_a_host_that_cannot_be_looked_at_is_told_in_one_line(
    hosts: Hosts, changed: dict[str, Any], command: str, told: str
) -> None:
    ended = asked(hosts, hosts.ssh(**changed), "--json", "web1", command=command)
    line = complaint(ended)
    assert line.startswith("tcptop-rtt: web1: ")
    assert re.search(told, line)


def test_a_host_whose_stream_ends_and_one_that_falls_silent_are_marked_with_that(
    hosts: Hosts, recordings: list[Recording]
) -> None:
    def looking(command: str) -> Recording:
        options = ("--ssh", hosts.ssh(), "--remote-command", command, "web1")
        recordings.append(Recording(*options, before=hosts.inside()))
        recordings[-1].wait_for(lambda line: line["event"] == "refresh")
        return recordings[-1]

    def problem(line: Line) -> str:
        return str(line.get("health", {}).get("problem", ""))

    marked = looking(f"{PROGRAM} --json --count 2").wait_for(lambda line: bool(problem(line)))
    assert problem(marked) == "web1: its stream has ended; trying again"
    frozen = looking(hosts.command)
    hosts.freeze("web1")
    frozen.wait_for(lambda line: problem(line).startswith("web1: silent since "))
    frozen.wait_for(lambda line: "255: the host answers no more, or what ran" in problem(line))


def test_one_of_two_hosts_that_fails_holds_up_no_other(hosts: Hosts) -> None:
    hosts.stop("db1")
    ended = asked(hosts, hosts.ssh(), "--json", "--count", "1", "web1", "db1")
    lines = lines_of(ended)
    assert {line["host"] for line in lines if line["event"] == "open"} == {"web1"}
    (refresh,) = (line for line in lines if line["event"] == "refresh")
    assert "db1: ssh: connect to host" in refresh["health"]["problem"]


def test_the_stream_there_is_that_of_the_command_without_any_option(hosts: Hosts) -> None:
    """What is run by default, where the program is in the path of the host's shell."""
    path = f"PATH={Path(PROGRAM).parent}:$PATH; "
    ended = asked(hosts, hosts.ssh(), "--json", "--count", "1", "web1", command=path + remote_command(0.5))
    lines = lines_of(ended)
    assert lines[0]["event"] == "header"
    assert lines[0]["kernel"]
    assert any(line["event"] == "open" for line in lines)
