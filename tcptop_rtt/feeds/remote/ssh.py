"""One run of ssh: the stream that it brings, and why it has ended, in words for the user."""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress

from tcptop_rtt.model.exit_status import NOT_FOUND
from tcptop_rtt.model.outside import name_of
from tcptop_rtt.view import format as fmt

_CONNECT_S, _ALIVE_S, _ALIVE_COUNT = 10, 5, 3
_OPTIONS = {
    # ssh must not ask for passwords on the terminal that the dashboard draws on.
    "BatchMode": "yes",
    "ConnectTimeout": _CONNECT_S,
    # A host that has vanished silently is noticed after a quarter of a minute.
    "ServerAliveInterval": _ALIVE_S,
    "ServerAliveCountMax": _ALIVE_COUNT,
    # A host's banner, and warnings such as of a new key, would be taken for the reason of a failure.
    "LogLevel": "ERROR",
}
_READ_BYTES = 1 << 18
_COMPLAINT_BYTES = 4096
"""How much of the end of ssh's standard error is kept."""
_UNSAID = 255
"""The exit status of ssh for failures of its own, two of which it keeps to itself at that level."""
_END_S = 2.0
_LOOK_S = 0.01

_REMEDIES = (
    (
        r"host key verification failed",
        "its key is not known here, or not the one that is: ssh {host} says more",
    ),
    (
        r"permission denied \([^)]*\)",
        "it accepts none of your keys, or asks for a password: try ssh-copy-id {host}",
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
"""Patterns in ssh's standard error, and what to do about each."""


def remote_command(refresh_s: float) -> str:
    """The command that writes the stream as root on the host; any shell there can run it."""
    stream = f"tcptop-rtt --json --interval {refresh_s:g}"
    return f'sh -c \'[ "$(id -u)" -eq 0 ] || sudo="sudo -n"; exec $sudo {stream}\''


def arguments(host: str, ssh: str, command: str) -> list[str]:
    """The arguments that run a command on a host by ssh.

    :param host: as ssh takes it; never parsed as an option
    :param ssh: the program, perhaps with options, quoted as for a shell
    """
    options = [part for name, value in _OPTIONS.items() for part in ("-o", f"{name}={value}")]
    return [*shlex.split(ssh), *options, "-T", "--", host, command]


class Session:
    """A running ssh. One thread uses it, but any may call :meth:`kill`.

    :raises OSError: ssh cannot be started
    """

    def __init__(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        # In a session of its own, ssh has no terminal to ask questions on, and gets no Ctrl-C.
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
        """Yield the standard output until its end."""
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
        """Read the rest of standard error; not until its end, as other processes may keep the pipe open."""
        self._has_ended(_END_S)
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        while poll.poll(0) and (data := os.read(fd, _READ_BYTES)):
            self._complaint = (self._complaint + data)[-_COMPLAINT_BYTES:]

    def _has_ended(self, timeout_s: float) -> bool:
        """Whether ssh ends within this time. It is not waited for: its number stays that of its group."""
        end_s = time.monotonic() + timeout_s
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with suppress(ChildProcessError):  # where SIGCHLD was ignored from the start, the kernel keeps none
            while os.waitid(os.P_PID, self._process.pid, options) is None:
                if time.monotonic() >= end_s:
                    return False
                time.sleep(_LOOK_S)
        return True

    def kill(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to ssh and the processes that it has started, until :meth:`close`. Thread-safe."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def close(self) -> int:
        """End ssh and what it has started; return its exit status."""
        self.kill()
        self._has_ended(_END_S)
        self.kill(signal.SIGKILL)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        return self._process.wait()

    @property
    def complaint(self) -> str:
        """What ssh or the command has written to standard error; untrusted text."""
        return self._complaint.decode("utf-8", "replace")


def reason(host: str, complaint: str, status: int) -> str:
    """Why there is no stream, in one line that can be shown.

    :param complaint: what was written to standard error
    :param status: the exit status of ssh, which is that of the command if it has run
    """
    lines = [line for line in (line.strip() for line in complaint.splitlines()) if line]
    for pattern, remedy in _REMEDIES:
        for line in reversed(lines):
            if re.search(pattern, line, re.IGNORECASE):
                return f"{_cleaned(line)}: {remedy.format(host=host)}"
    if status == NOT_FOUND:
        return _REMEDIES[-1][1]
    if lines:
        return _cleaned(lines[-1])
    why = ": the host answers no more, or what ran there was killed" if status == _UNSAID else ""
    return f"ssh has ended, with exit status {status}{why}"


def _cleaned(line: str) -> str:
    return fmt.printable(name_of(line.removeprefix("tcptop-rtt: ").rstrip(".")))
