"""The command as a child process: starts it, passes signals on to it, and reaps it.

The terminal, standard input and output belong to the command. Ctrl-C at the terminal reaches both processes.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from tcptop_rtt.model.errors import TcptopError, why
from tcptop_rtt.model.exit_status import BY_SIGNAL, NOT_EXECUTABLE, NOT_FOUND
from tcptop_rtt.model.outside import name_of
from tcptop_rtt.signals import FAULTS, HARMLESS, JOB_CONTROL
from tcptop_rtt.standard_streams import leads_session
from tcptop_rtt.system_call import prctl
from tcptop_rtt.view import format as fmt

_OURS = FAULTS | JOB_CONTROL
_OURS |= {signal.SIGKILL, signal.SIGCHLD, signal.SIGCONT, signal.SIGTRAP, signal.SIGABRT, signal.SIGSYS}
"""Signals that are not for the command: of children, of job control, and of the program's own faults."""
_FROM_KERNEL = 0x80  # SI_KERNEL in include/uapi/asm-generic/siginfo.h
_PR_SET_CHILD_SUBREAPER = 36  # include/uapi/linux/prctl.h


class NotStartedError(Exception):
    """The command cannot be started.

    :param status: the exit status that a shell would return
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def hold_signals() -> set[int]:
    """Block the signals that are passed on to the command. Call this before a second thread is started.

    Later threads inherit the mask, so the signals stay pending until the command's thread takes them.

    :return: the signals that were blocked before, which is the mask that the command starts with
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if ignored, there would be no exit status
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, _held()))


def _held() -> set[int]:
    """Return the signals to block. A signal ignored since the start, as by nohup, stays ignored."""
    others = signal.valid_signals() - _OURS
    return {number for number in others if signal.getsignal(number) != signal.SIG_IGN} | {signal.SIGCHLD}


class Command:
    """One command.

    :param environment: the environment of the command
    :param held_before: the result of :func:`hold_signals`
    :param user: the user that the command runs as; None for the user of this process
    :param on_end: called from another thread when the command has ended
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        held_before: set[int],
        user: pwd.struct_passwd | None,
        on_end: Callable[[], None],
    ) -> None:
        self._arguments = list(arguments)
        self._environment = dict(environment)
        self._held_before = held_before
        self._user = user
        self._on_end = on_end
        self._process: subprocess.Popen[bytes] | None = None  # kept: its destructor may reap the process
        self._began_ns = self.lasted_ns = 0
        self.status: int | None = None
        """The exit status, or 128 plus the number of the signal that ended it; None while it runs."""

    def start(self) -> None:
        """Start the command.

        :raises NotStartedError: it cannot be started, or a signal has asked the program to end
        """
        pending = sorted((signal.sigpending() & _held()) - HARMLESS)
        if pending:
            raise NotStartedError("", BY_SIGNAL + pending[0])
        _adopt_orphans()
        user = self._user
        credentials: dict[str, object] = {}
        if user is not None:
            self._environment |= {"HOME": user.pw_dir, "SHELL": user.pw_shell}
            self._environment |= {"USER": user.pw_name, "LOGNAME": user.pw_name}
            groups = os.getgrouplist(user.pw_name, user.pw_gid)
            credentials = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": groups}
        self._began_ns = time.monotonic_ns()
        try:
            self._process = subprocess.Popen(  # type: ignore[call-overload]
                self._arguments,
                env=self._environment,
                close_fds=False,  # the command inherits descriptors opened for it
                preexec_fn=self._release_signals,
                **credentials,
            )
        except FileNotFoundError as error:
            raise self._not_started(error, NOT_FOUND) from error
        except OSError as error:
            raise self._not_started(error, NOT_EXECUTABLE) from error
        threading.Thread(target=self._attend, args=(self._process.pid,), name="command", daemon=True).start()

    def _not_started(self, error: OSError, status: int) -> NotStartedError:
        name = fmt.printable(name_of(self._arguments[0]))
        return NotStartedError(f"cannot run {name}: {why(error)}", status)

    def _release_signals(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._held_before)

    def _attend(self, command: int) -> None:
        """Pass signals on to the command until it ends, and reap it and all orphans."""
        held = _held()
        while True:
            received = signal.sigwaitinfo(held)
            if received.si_signo == signal.SIGCHLD:
                self._reap(command)
            elif self.status is None and not _has_come_to_all(received):
                with suppress(PermissionError):  # the command may have changed its user, as sudo does
                    os.kill(command, received.si_signo)

    def _reap(self, command: int) -> None:
        """Reap all children that have ended; one SIGCHLD may stand for several."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == command:
                self.lasted_ns = time.monotonic_ns() - self._began_ns
                code = os.waitstatus_to_exitcode(status)
                self.status = BY_SIGNAL - code if code < 0 else code
                self._on_end()


def _has_come_to_all(received: signal.struct_siginfo) -> bool:
    """Return whether the terminal has sent the signal to its whole foreground, the command included."""
    hung_up = received.si_signo == signal.SIGHUP and leads_session()  # the kernel tells only its leader
    return received.si_code == _FROM_KERNEL and not hung_up


def _adopt_orphans() -> None:
    """Become the parent of orphaned descendants, so that they stay descendants of this process."""
    try:
        prctl(_PR_SET_CHILD_SUBREAPER, 1)
    except OSError as error:
        raise TcptopError(f"cannot follow the command's children: {why(error)}") from error
