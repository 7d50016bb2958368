"""One run of ssh: the stream that it brings, and why it has ended, in words of its user."""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress

from tcptop_rtt.model.exit_status import NOT_FOUND
from tcptop_rtt.model.outside import name_of
from tcptop_rtt.view import format as fmt

SSH = "ssh"
_CONNECT_S, _ALIVE_S, _ALIVE_COUNT = 10, 5, 3
_OPTIONS = {
    # Nobody can answer a question on the terminal that the dashboard draws on.
    "BatchMode": "yes",
    "ConnectTimeout": _CONNECT_S,
    # A host that is gone without a word is told after a quarter of a minute.
    "ServerAliveInterval": _ALIVE_S,
    "ServerAliveCountMax": _ALIVE_COUNT,
}
_READ_BYTES = 1 << 18
_COMPLAINT_BYTES = 4096
"""So much of the end of what ssh complains about is kept."""
_END_S = 2.0

_REMEDIES = (
    (
        r"host key verification failed",
        "its key is not known here, or not the one that is: ssh {host} says more",
    ),
    (
        r"permission denied \([^)]*\)",
        "it takes no key of yours, or asks for a password: try ssh-copy-id {host}",
    ),
    (
        r"(a password is required|a terminal is required|askpass)",
        "sudo asks for a password there: log in as root, have its sudoers allow tcptop-rtt with NOPASSWD, or "
        "see less without root: --remote-command 'tcptop-rtt --json'",
    ),
    (
        r"(tcptop-rtt: (command )?not found|tcptop-rtt: no such file|'tcptop-rtt': no such file)",
        "tcptop-rtt is not installed there: install it, or say where it is with --remote-command",
    ),
)
"""What stands in a complaint, and what to do about it."""


def remote_command(refresh_s: float) -> str:
    """What is run there: the stream, by root. It is for whatever shell the user has there."""
    stream = f"tcptop-rtt --json --interval {refresh_s:g}"
    return f'sh -c \'[ "$(id -u)" -eq 0 ] || sudo="sudo -n"; exec $sudo {stream}\''


def arguments(host: str, ssh: str, command: str) -> list[str]:
    """The whole command.

    :param host: as ssh takes it; it cannot be taken for an option
    :param ssh: the program, perhaps with options, as a shell would take it
    """
    options = [part for name, value in _OPTIONS.items() for part in ("-o", f"{name}={value}")]
    return [*shlex.split(ssh), *options, "-T", "--", host, command]


class Session:
    """A running ssh. One thread uses it, but for :meth:`kill`.

    :raises OSError: it cannot be started
    """

    def __init__(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        # A session of its own has no terminal: neither a question nor Ctrl-C finds it.
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        self._complaint = b""

    def chunks(self) -> Iterator[bytes]:
        """What comes, until its end."""
        out, err = self._process.stdout, self._process.stderr
        if out is None or err is None:
            return
        poll = select.poll()
        for pipe in (out, err):
            poll.register(pipe, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                data = os.read(fd, _READ_BYTES)
                if fd == err.fileno():
                    self._complaint = (self._complaint + data)[-_COMPLAINT_BYTES:]
                    if not data:
                        poll.unregister(fd)
                elif data:
                    yield data
                else:
                    self._read_complaint(err.fileno())
                    return

    def _read_complaint(self, fd: int) -> None:
        """What it has complained about up to its end; not for ever, as others may hold the pipe."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        while poll.poll(0) and (data := os.read(fd, _READ_BYTES)):
            self._complaint = (self._complaint + data)[-_COMPLAINT_BYTES:]

    def kill(self) -> None:
        """End it and what it has started, if it has not ended. Any thread may call it."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)

    def close(self) -> int:
        """End it, and wait for it; its exit status."""
        self.kill()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        return self._process.wait()

    @property
    def complaint(self) -> str:
        """What ssh, or the command, has written to standard error; text of others."""
        return self._complaint.decode("utf-8", "replace")


def reason(host: str, complaint: str, status: int) -> str:
    """Why there is no stream, in one line that can be shown.

    :param complaint: what was written to standard error
    :param status: of ssh, which is that of the command if there was one
    """
    lines = [line for line in (line.strip() for line in complaint.splitlines()) if line]
    for pattern, remedy in _REMEDIES:
        for line in reversed(lines):
            if re.search(pattern, line, re.IGNORECASE):
                return f"{_cleaned(line)}: {remedy.format(host=host)}"
    if status == NOT_FOUND:
        return _REMEDIES[-1][1]
    return _cleaned(lines[-1]) if lines else f"ssh has ended, with exit status {status}"


def _cleaned(line: str) -> str:
    return fmt.printable(name_of(line.removeprefix("tcptop-rtt: ").rstrip(".")))
