"""Other hosts on one machine: the distribution's ssh server in network namespaces, with keys of its own."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.live.link import ADDRESSES, Link, inside
from tests.live.program import PROGRAM, children
from tests.waiting import becomes

SSHD = "/usr/sbin/sshd"
PORT = 2222


def _descendants(pid: int) -> list[int]:
    """Those that a process has started, and those that these have started."""
    found: list[int] = []
    for child in children(pid):
        found += [child, *_descendants(child)]
    return found


class Hosts:
    """``web1`` is the namespace ``a`` of a link, ``db1`` is ``b``; programs that look at them run in ``a``.

    Each greets whoever logs in with a banner.

    All namespaces are of one kernel: what runs on a host keeps to the sockets of its own.

    :param directory: for keys and configurations
    """

    def __init__(self, link: Link, directory: Path) -> None:
        self._link = link
        self._directory = directory
        self._ends = {"web1": link.a, "db1": link.b}
        self._servers: dict[str, subprocess.Popen[str]] = {}
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd insists on it
        directory.chmod(0o755)
        for name in ("user", "stranger", *self._ends):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
            subprocess.run(command, check=True)
        (directory / "authorized").write_text((directory / "user.pub").read_text())
        (directory / "known").write_text("".join(map(self._known, self._ends)))
        (directory / "banner").write_text("Who logs in is watched.\nAll is logged\n")
        program = directory / "stream"
        program.write_text(
            '#!/bin/sh\nexec "$0.program" --json --interval 0.5 --filter '
            '"netns:$(stat -Lc %i /proc/self/ns/net)"\n'
        )
        program.chmod(0o755)
        (directory / "stream.program").symlink_to(PROGRAM)
        self.command = str(program)
        """To be run on a host: the stream of that host only."""
        for host in self._ends:
            self.start(host)

    def _address(self, host: str) -> str:
        return ADDRESSES["a" if self._ends[host] is self._link.a else "b"][0]

    def _known(self, host: str) -> str:
        return f"[{self._address(host)}]:{PORT} {(self._directory / f'{host}.pub').read_text()}"

    def ssh(self, *, user: str = "user", known: bool = True, takes_new: bool = False) -> str:
        """The command that connects to them.

        :param user: whose key it has
        :param known: whether it knows the keys of the hosts
        :param takes_new: whether it takes keys that it does not know
        """
        config = self._directory / f"config-{user}-{known}-{takes_new}"
        config.write_text(
            "".join(f"Host {host}\n HostName {self._address(host)}\n" for host in (*self._ends,)) + "Host *\n"
            f" Port {PORT}\n User root\n IdentitiesOnly yes\n IdentityFile {self._directory / user}\n"
            f" UserKnownHostsFile {self._directory / 'known' if known else '/dev/null'}\n"
            " GlobalKnownHostsFile /dev/null\n"
            f" StrictHostKeyChecking {'accept-new' if takes_new else 'ask'}\n"
        )
        return shlex.join(["ssh", "-F", str(config)])

    def inside(self) -> tuple[str, ...]:
        """What runs a program where both can be reached."""
        return inside(self._link.a.pid)

    def start(self, host: str) -> None:
        """Let it be reached."""
        config = self._directory / f"{host}.config"
        config.write_text(
            f"Port {PORT}\nListenAddress {self._address(host)}\nHostKey {self._directory / host}\n"
            f"AuthorizedKeysFile {self._directory / 'authorized'}\nStrictModes no\nUsePAM no\nPidFile none\n"
            "PermitRootLogin prohibit-password\nPasswordAuthentication yes\nAllowUsers root\n"
            f"Banner {self._directory / 'banner'}\n"
        )
        server = self._servers[host] = self._link.run(
            self._ends[host], SSHD, "-D", "-E", str(self._directory / f"{host}.log"), "-f", str(config)
        )
        log = self._directory / f"{host}.log"

        def listens() -> bool:
            assert server.poll() is None
            return log.exists() and "Server listening" in log.read_text()

        assert becomes(listens)

    def freeze(self, host: str) -> None:
        """Let nothing answer those who are logged in, until :meth:`stop`."""
        for session in _descendants(self._servers[host].pid):
            os.kill(session, signal.SIGSTOP)

    def stop(self, host: str) -> None:
        """Cut it off, with all who are logged in."""
        server = self._servers[host]
        # Of a session's processes the last one may have the connection, as since OpenSSH 9.8.
        sessions = _descendants(server.pid)
        server.kill()
        server.wait()
        for session in sessions:
            with suppress(ProcessLookupError):
                os.kill(session, signal.SIGKILL)
        (self._directory / f"{host}.log").unlink()

    def close(self) -> None:
        """End all servers, and what runs for those who are logged in: without the link nobody tells them."""
        for host, server in self._servers.items():
            if server.poll() is None:
                self.stop(host)
