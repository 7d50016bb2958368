"""The command as a process below this one: started, sent the signals that we are sent, waited for.

Terminal, standard input and output are its own; so is the terminal's Ctrl-C, which it gets as we do.
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

from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.exit_status import BY_SIGNAL, NOT_EXECUTABLE, NOT_FOUND
from tcptop_rtt.model.outside import name_of
from tcptop_rtt.system_call import prctl
from tcptop_rtt.view import format as fmt

_PASSED_ON = (
    *(signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM),
)
_FROM_KERNEL = 0x80  # SI_KERNEL: by the terminal, to all in its foreground, the command among them
_PR_SET_CHILD_SUBREAPER = 36  # include/uapi/linux/prctl.h


class NotStartedError(Exception):
    """The command cannot be started.

    :param status: what a shell would exit with
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def hold_signals() -> set[int]:
    """Hold signals back for the command; to be called before there is a second thread.

    All threads have them held back then, so that they wait for whoever asks for them.

    :return: the signals that were held back before, which the command is to begin with
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would leave no exit status
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, _held()))


def _held() -> set[signal.Signals]:
    """Those that whoever has started us has not ignored, as nohup does: the command ignores them, too."""
    passed = {number for number in _PASSED_ON if signal.getsignal(number) != signal.SIG_IGN}
    return passed | {signal.SIGCHLD}


class Command:
    """One command.

    :param environment: its
    :param held_before: what :func:`hold_signals` has said
    :param user: whom it is run as; None: whom we are run as
    :param on_end: called by another thread once it has ended
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
        self._process: subprocess.Popen[bytes] | None = None  # kept: it would wait for it when it goes
        self._began_ns = self.lasted_ns = 0
        self.status: int | None = None
        """Its exit status, or 128 and the number of the signal that has ended it; None: it goes on."""

    def start(self) -> None:
        """Start it.

        :raises NotStartedError: it cannot be started, or we have been told to end
        """
        pending = sorted(signal.sigpending() & _held() - {signal.SIGCHLD})
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
                close_fds=False,  # what was opened for it is its own
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
        return NotStartedError(f"cannot run {name}: {error.strerror or error}", status)

    def _release_signals(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._held_before)

    def _attend(self, command: int) -> None:
        """Pass signals on until it has ended, and reap orphans."""
        held = _held()
        while True:
            received = signal.sigwaitinfo(held)
            if received.si_signo == signal.SIGCHLD:
                self._reap(command)
            elif received.si_code != _FROM_KERNEL and self.status is None:
                with suppress(PermissionError):  # it is another user's by now, as sudo's commands are
                    os.kill(command, received.si_signo)

    def _reap(self, command: int) -> None:
        """Take the exit status of all that has ended: several may have, for one signal."""
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


def _adopt_orphans() -> None:
    """Be the parent of all that has lost its own below us, so that it stays below us."""
    try:
        prctl(_PR_SET_CHILD_SUBREAPER, 1)
    except OSError as error:
        raise TcptopError(f"cannot follow the command's children: {error.strerror}") from error
