"""Link-local addresses mean nothing without their interface."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.live.conftest import Recording
from tests.live.link import Link, inside
from tests.live.program import PROGRAM, START_S

_TALK = """
import socket, sys
listener = socket.create_server(("fe80::1:1", 0, 0, socket.if_nametoindex("wire")), family=socket.AF_INET6)
client = socket.socket(socket.AF_INET6)
client.connect(listener.getsockname())
server, _ = listener.accept()
print("ready", flush=True)
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def _talking() -> Iterator[int]:
    """A connection between link-local addresses in another network namespace; the port of its server."""
    with Link(delay_ms=1) as link:
        command = "ip address add fe80::1:1/64 dev wire nodad"
        subprocess.run([*inside(link.a.pid), *command.split()], check=True)
        holder = link.start(link.a, _TALK)
        assert holder.stdout
        yield int(holder.stdout.readline())
        holder.kill()
        holder.communicate()


def test_a_link_local_connection_has_the_interface_of_its_own_namespace(
    record: Callable[..., Recording],
) -> None:
    with _talking() as port:
        recording = record("--interval", "0.2", "--rport", str(port))
        line = recording.wait_for(lambda line: line.get("raddr") == "fe80::1:1")
        table = subprocess.run(
            [PROGRAM, "--count", "1", "--rport", str(port)],
            capture_output=True,
            text=True,
            timeout=START_S,
            check=True,
        ).stdout
    assert (line["laddr"], line["interface"]) == ("fe80::1:1", "wire")
    assert f"[fe80::1:1%wire]:{port} " in table


def test_a_link_local_listener_has_the_interface_of_its_own_namespace(
    record: Callable[..., Recording],
) -> None:
    with _talking() as port:
        recording = record("--interval", "0.2", "--lport", str(port))
        line = recording.wait_for(
            lambda line: line.get("listen_port") == port and line.get("interface") is not None
        )
    assert (line["listen_address"], line["interface"]) == ("fe80::1:1", "wire")
