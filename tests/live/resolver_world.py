"""A network and mount namespace with a name server, a hosts file and connections of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType

_SETUP = """
ip link set lo up
for address in "$@"; do
    ip address add "$address" dev lo nodad 2>/dev/null || ip address add "$address" dev lo
done
for file in resolv.conf hosts nsswitch.conf; do
    mount --bind "$DIRECTORY/$file" "/etc/$file"
done
exec "$PYTHON" -c "$SERVER"
"""

_SERVER = """
import ipaddress, json, os, socket, struct, sys, threading, time
told = json.loads(os.environ["ANSWERS"])
answers = {ipaddress.ip_address(address).reverse_pointer: answer for address, answer in told.items()}
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
asked = []

def encoded(name):
    labels = [part.encode("latin-1") for part in name.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\\0"

def answer(query, peer):
    end = query.index(b"\\0", 12) + 5
    question = query[12:end]
    labels, at = [], 0
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode("latin-1"))
        at += question[at] + 1
    name = ".".join(labels).lower()
    asked.append(name)
    found = answers.get(name, {"rcode": 3})
    if "name" in found:
        time.sleep(found.get("wait_s", 0))
        data = encoded(found["name"])
        record = b"\\xc0\\x0c" + struct.pack(">HHIH", 12, 1, 60, len(data)) + data
        server.sendto(query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + question + record, peer)
    elif "rcode" in found:
        server.sendto(query[:2] + struct.pack(">HHHHH", 0x8180 | found["rcode"], 1, 0, 0, 0) + question, peer)

def serve():
    while True:
        query, peer = server.recvfrom(2000)
        threading.Thread(target=answer, args=(query, peer), daemon=True).start()

threading.Thread(target=serve, daemon=True).start()
ends = []
for host in json.loads(os.environ["PEERS"]):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 5432), family=family)
    client = socket.create_connection((host, 5432), source_address=("::1" if ":" in host else "127.0.0.1", 0))
    ends += [listener, client, listener.accept()[0]]
print("ready", flush=True)
sys.stdin.read()
print(json.dumps(asked), flush=True)
"""


class ResolverWorld:
    """While it is entered: a TCP connection to port 5432 of each peer, and answers to who asks for names.

    :param answers: by address ``{"name": ..., "wait_s": ...}``, ``{"rcode": ...}``, or ``{}``: never one
    :param hosts: the hosts file
    :param options: in resolv.conf
    """

    def __init__(
        self, directory: Path, answers: dict[str, dict[str, object]], hosts: str = "", options: str = ""
    ) -> None:
        self._directory = directory
        self._answers = answers
        (directory / "resolv.conf").write_text(f"nameserver 127.0.0.1\n{options}\n")
        (directory / "hosts").write_text(hosts)
        (directory / "nsswitch.conf").write_text("hosts: files dns\nservices: files\n")

    def __enter__(self) -> ResolverWorld:
        addresses = [f"{peer}/{128 if ':' in peer else 32}" for peer in self._answers]
        command = [
            *("unshare", "--net", "--mount", "--propagation", "unchanged"),
            *("sh", "-ec", _SETUP, "sh", *addresses),
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "DIRECTORY": str(self._directory),
                "PYTHON": sys.executable,
                "SERVER": _SERVER,
                "ANSWERS": json.dumps(self._answers),
                "PEERS": json.dumps(list(self._answers)),
            },
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def inside(self) -> tuple[str, ...]:
        """Starts a command in it."""
        return ("nsenter", "--target", str(self._process.pid), "--net", "--mount", "--root")

    def asked(self) -> list[str]:
        """The names that the name server has been asked for; it ends."""
        out, _ = self._process.communicate("")
        names: list[str] = json.loads(out)
        return names
