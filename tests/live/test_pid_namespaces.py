"""PIDs are those of the PID namespace that the program runs in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import Recording
from tests.live.pairs import connected, port_of
from tests.live.program import START_S
from tests.live.renamed import renamed

_WITH_ITS_PROC = 'mount --make-private /proc && mount -t proc proc /proc && exec "$@"'
INSIDE = (
    # Not --mount-proc: it needs a root directory that is a mount point, which that of a chroot may not be.
    *("unshare", "--pid", "--fork", "--kill-child", "--mount", "--propagation", "unchanged"),
    *("sh", "-c", _WITH_ITS_PROC, "sh"),
)

_HOLD = """
import os, socket, sys
from tests.ports import bind, serve
listener, client = serve(), socket.socket()
bind(client)
client.connect(listener.getsockname())
server, _ = listener.accept()
listener.close()
print(os.getpid(), client.getsockname()[1], flush=True)
sys.stdin.read()
"""

_LOOK = f"""
import json, os, subprocess, sys
from tests.live.program import PROGRAM
hold = {_HOLD!r}

def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

def rows(*options):
    lines = map(json.loads, run(PROGRAM, "--json", "--count", "1", *options).splitlines())
    return [line for line in lines if line["event"] == "open"]

def look(*before):
    command = [*before, sys.executable, "-c", hold]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        own, port = holder.stdout.readline().split()
        found = rows("--lport", port)
        pid = found[0]["pid"]
        return {{
            "own": int(own),
            "found": found,
            "ss": run("ss", "-tnpHO", "sport", "=", ":" + port),
            "comm": open(f"/proc/{{pid}}/comm").read().strip(),
            "inner": open(f"/proc/{{pid}}/status").read().partition("NSpid:")[2].splitlines()[0].split(),
            "by_pid": rows("--pid", str(pid)),
        }}

print(json.dumps([look(), look("unshare", "--pid", "--fork", "--kill-child")]))
"""

_FOUND = f"""
import json, subprocess, sys
from tests.live.program import PROGRAM
with subprocess.Popen([sys.executable, "-c", {_HOLD!r}], stdin=-1, stdout=-1, text=True) as holder:
    own, port = holder.stdout.readline().split()
    told = subprocess.check_output([PROGRAM, "--json", "--count", "1", "--lport", port], text=True)
    print(json.dumps([int(own), json.loads(told.splitlines()[1])]))
"""

_DRILL_IN = """
import json, sys
from contextlib import closing
from tests.live.conftest import Watch
from tcptop_rtt.screens import details_blocks
from tcptop_rtt.view.shown import shown
from tcptop_rtt.view.diagnosis import diagnose
from tcptop_rtt.view.glyphs import UNICODE
with closing(Watch()) as watch:
    print(flush=True)
    port = int(sys.stdin.readline())
    rows = watch.look().rows
    chosen = rows[rows["lport"] == port]
    (row,) = chosen
    watch.probe.trace(watch.connections.set_trace(int(row["id"])))
    trace = watch.look().trace
    (one,) = shown(chosen)
    facts = details_blocks.blocks(one, trace, diagnose(one), UNICODE)
    print(json.dumps([[fact.label, fact.value] for block in facts for fact in block.facts]))
"""


def _run(*command: str) -> Any:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=2 * START_S, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.fixture(scope="module")
def looks() -> list[dict[str, Any]]:
    """What the program, and what ss and /proc say in a PID namespace of its own."""
    looks: list[dict[str, Any]] = json.loads(_run(*INSIDE, sys.executable, "-c", _LOOK))
    return looks


@pytest.mark.parametrize("which", [0, 1], ids=["of the same namespace", "of one inside it"])
def test_a_process_has_the_pid_that_ss_and_proc_know_it_by(which: int, looks: list[dict[str, Any]]) -> None:
    look = looks[which]
    (line,) = look["found"]
    assert re.findall(r"pid=(\d+)", look["ss"]) == [str(line["pid"])]
    assert line["comm"] == look["comm"]
    # What it calls itself is the last of its numbers, by which it is known in the innermost namespace.
    assert look["inner"][-1] == str(look["own"])
    assert len(look["inner"]) == which + 1
    assert look["inner"][0] == str(line["pid"])


@pytest.mark.parametrize("which", [0, 1], ids=["of the same namespace", "of one inside it"])
def test_an_option_takes_the_pid_that_is_shown(which: int, looks: list[dict[str, Any]]) -> None:
    (line,) = looks[which]["found"]
    assert line["lport"] in {other["lport"] for other in looks[which]["by_pid"]}
    assert {other["pid"] for other in looks[which]["by_pid"]} == {line["pid"]}


def _comm() -> str:
    return Path("/proc/self/comm").read_text().strip()


def test_a_process_of_an_outer_namespace_has_a_name_and_no_pid(record: Callable[..., Recording]) -> None:
    recording = record("--interval", "0.2", before=INSIDE)
    with connected() as (client, server):
        ports = port_of(client), port_of(server)
        line = recording.wait_for(lambda line: (line.get("lport"), line.get("rport")) == ports)
    assert (line["holder"], line["comm"], line["pid"]) == ("process", _comm(), None)
    assert line["uid"] == os.geteuid()
    assert recording.wait_for_close(*ports)["comm"] == _comm()


def test_the_drill_down_says_where_such_a_process_is() -> None:
    command = [*INSIDE, sys.executable, "-c", _DRILL_IN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as inside:
        assert inside.stdin
        assert inside.stdout
        inside.stdout.readline()
        with connected() as (client, _):
            print(port_of(client), file=inside.stdin, flush=True)
            facts = json.loads(inside.stdout.readline())
    assert ["", "its process is in another PID namespace"] in facts
    assert [value for label, value in facts if label in ("process", "PID")] == [_comm(), "?"]


def _found(*before: str) -> tuple[int, dict[str, Any]]:
    """A connection's process as it sees itself, and as the program tells of it there."""
    own, line = json.loads(_run(*before, sys.executable, "-c", _FOUND))
    return own, line


def test_where_proc_counts_otherwise_nothing_is_read_from_it() -> None:
    # Without --mount-proc /proc is that of the outer namespace: a PID means somebody else there.
    own, line = _found("unshare", "--pid", "--fork", "--kill-child")
    assert (line["pid"], line["cgroup"]) == (own, None)
    own, line = _found()
    assert line["pid"] == own
    assert line["cgroup"] is not None


@pytest.mark.parametrize("member", ["thread_pid", "numbers"])
def test_a_kernel_that_does_not_tell_of_namespaces_has_the_pids_of_the_initial_one_only(
    member: str, tmp_path: Path
) -> None:
    before = renamed(member, tmp_path)
    own, line = _found(*before)
    assert line["pid"] == own
    _, line = _found(*before, *INSIDE)
    assert (line["holder"], line["pid"]) == ("process", None)
    assert line["comm"].startswith("python")
