"""Without root, and across the borders of containers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.live.conftest import Recording
from tests.live.program import PROGRAM, Line

# The user whose checkout it is, so that the files can be read; not root in any case.
USER = Path(__file__).stat().st_uid or 65534

_HOLD = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname(), source_address=("127.0.0.1", 0))
server, _ = listener.accept()
client.sendall(b"x")
server.recv(1)
netns = os.stat("/proc/self/ns/net").st_ino
print(client.getsockname()[1], server.getsockname()[1], os.getpid(), netns, flush=True)
sys.stdin.read()
"""


@contextmanager
def _container() -> Iterator[tuple[psutil.Process, list[int]]]:
    """A process in PID and network namespaces of its own; what it knows: its ports, PID and namespace."""
    script = 'ip link set lo up && exec "$@"'
    command = ["unshare", "--pid", "--net", "--fork", "--mount-proc", "sh", "-c", script, "sh"]
    with subprocess.Popen(
        [*command, sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        knows = [int(word) for word in process.stdout.readline().split()]
        (inside,) = psutil.Process(process.pid).children()
        try:
            yield inside, knows
        finally:
            inside.kill()


def _check(lines: list[Line], inside: psutil.Process, knows: list[int]) -> None:
    client, server, own_pid, netns = knows
    ends = [line for line in lines if line.get("netns") == netns and {"lport", "rport"} <= line.keys()]
    # Seen just before connect() has chosen its port, after SYN-SENT: where that takes long, as in a guest.
    portless = [line for line in ends if line["lport"] is None]
    assert all(
        (line["event"], line["state"], line["rport"]) == ("open", "SYN-SENT", server) for line in portless
    )
    ends = [line for line in ends if line["lport"] is not None]
    assert {(line["lport"], line["rport"]) for line in ends} == {(client, server), (server, client)}
    assert {line["pid"] for line in ends} == {inside.pid} != {own_pid}
    assert {line["comm"] for line in ends} == {inside.name()}


def test_a_process_in_a_container_has_the_hosts_pid_and_its_namespace_is_named(
    record: Callable[..., Recording],
) -> None:
    recording = record("--interval", "0.5")
    with _container() as (inside, knows):
        recording.wait_for(lambda line: line.get("lport") == knows[0])
        recording.wait_for(lambda line: line.get("lport") == knows[1] and "rport" in line and line["pid"])
        assert knows[3] != os.stat("/proc/self/ns/net").st_ino
        _check([line for line in recording.stop() if line.get("pid")], inside, knows)


def test_two_capabilities_show_every_users_connections() -> None:
    only = "-all,+bpf,+perfmon"
    as_user = [
        *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"),
        *(f"--bounding-set={only}", f"--inh-caps={only}", f"--ambient-caps={only}"),
    ]
    for directory in (*Path(__file__).parents, *Path(sys.prefix).parents):
        directory.chmod(directory.stat().st_mode | 0o055)  # this guest's only: nothing of it stays
    with _container() as (inside, knows):
        ended = subprocess.run(
            [*as_user, PROGRAM, "--json", "--count", "1"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        assert lines[0]["hook"] == "fentry"
        _check(lines, inside, knows)
