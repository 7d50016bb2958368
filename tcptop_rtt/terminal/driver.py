"""The terminal's modes: taken when the dashboard opens, given back whenever and however it ends or stops."""

from __future__ import annotations

import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message
from textual.messages import InBandWindowResize

from tcptop_rtt.terminal.background import QUESTION
from tcptop_rtt.terminal.inbox import Inbox
from tcptop_rtt.terminal.keyboard import Keyboard
from tcptop_rtt.terminal.writer import Writer

if TYPE_CHECKING:
    from textual.app import App

_MOUSE_MODES = ["1000", "1003", "1015", "1006"]
"""Its buttons, all its movements, in two encodings."""
_MODES = [*_MOUSE_MODES, "1004", "2004"]
"""The mouse; focus; marks around pastes."""
_MOUSE_OFF = "".join(f"\x1b[?{mode}l" for mode in _MOUSE_MODES)
_MOUSE_ON = "".join(f"\x1b[?{mode}h" for mode in _MOUSE_MODES)
_ENTER = (
    "\x1b[?1049h\x1b[?25l\x1b[?7l"  # the other screen, without cursor and wrapping
    + "".join(f"\x1b[?{mode}h" for mode in _MODES)
    + "\x1b[>25u"  # Kitty's keyboard protocol
    + "\x1b[?2026$p"  # does it draw a whole screen at once?
)
_LEAVE = "\x1b[?2026l" + "".join(f"\x1b[?{mode}l" for mode in _MODES) + "\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?7h"

_LEAVE_S = 1.0
"""How long a terminal that takes no output may hold up leaving it."""


def _deadly_signals() -> list[int]:
    """Signals that end a process which does nothing about them, but for those of the processor's faults."""
    harmless = {signal.SIGCHLD, signal.SIGURG, signal.SIGCONT, signal.SIGWINCH}
    stopping = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
    faults = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
    numbers = signal.valid_signals() - harmless - stopping - faults - {signal.SIGKILL}
    return [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]


class Dashboard(Protocol):
    """What the driver asks of the dashboard."""

    asks_background: bool
    """Whether it wants to know what the terminal draws on."""

    def leave(self) -> None:
        """End soon; from any thread."""
        ...


class TerminalDriver(LinuxDriver):
    """Textual's driver with input, output and signals of its own.

    It reads from standard input, and writes to standard output, as libraries write to standard error.
    """

    def __init__(
        self,
        app: App[None],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)}
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        for number, handler in before.items():
            signal.signal(number, handler)  # Textual's take every SIGCONT for the end of a stop of its own
        output: Any = sys.__stdout__
        self._writer = Writer(output.fileno(), output.encoding, self._ask_for_repaint)
        self._inbox = Inbox(app, self._loop)
        self._keyboard: Keyboard | None = None
        self._in_use = False
        """The terminal is in the dashboard's modes."""
        self._is_leaving = False
        """It is being given back."""
        self._has_mouse = True
        self._handled: dict[int, Any] = {}

    # What Textual calls

    def write(self, data: str) -> None:
        if self._in_use:
            self._writer.write(data)

    def send_message(self, message: Message) -> None:
        if isinstance(message, events.Key) and message.key == "ctrl+c":
            self._end()
        else:
            self._inbox.put(message)

    def process_message(self, message: Message) -> None:
        # SIGWINCH tells the size; a pasted report could ask for a screen of any.
        if not isinstance(message, events.Resize | InBandWindowResize):
            super().process_message(message)

    def start_application_mode(self) -> None:
        self._wait_for_foreground()
        with suppress(termios.error):
            self.attrs_before = termios.tcgetattr(self.fileno)
        self._handle(signal.SIGTSTP, self._on_stop)
        self._handle(signal.SIGCONT, self._on_continue)
        self._handle(signal.SIGWINCH, self._on_resize)
        for number in _deadly_signals():
            self._handle(number, self._on_death)
        self._take_terminal()

    def disable_input(self) -> None:
        """Read no more keys, and drop those that wait."""
        keyboard, self._keyboard = self._keyboard, None
        if keyboard is not None:
            keyboard.stop()
        self._inbox.clear()

    def stop_application_mode(self) -> None:
        self._give_terminal_back()
        for number, before in self._handled.items():
            signal.signal(number, before)
        self._handled.clear()

    def suspend_application_mode(self) -> None:
        self._give_terminal_back()

    def resume_application_mode(self) -> None:
        self._take_terminal()

    def close(self) -> None:
        self._writer.close()

    # The modes

    def use_mouse(self, on: bool) -> None:
        """Take the mouse, or leave it to the terminal."""
        self._has_mouse = on
        self.write(_MOUSE_ON if on else _MOUSE_OFF)

    def _take_terminal(self) -> None:
        """Also of a terminal that others have changed meanwhile, or that is in our modes already."""
        self._wait_for_foreground()
        with suppress(termios.error):
            attributes = termios.tcgetattr(self.fileno)
            attributes[tty.LFLAG] = self._patch_lflag(attributes[tty.LFLAG])
            attributes[tty.IFLAG] = self._patch_iflag(attributes[tty.IFLAG])
            attributes[tty.CC][termios.VMIN] = 1
            termios.tcsetattr(self.fileno, termios.TCSANOW, attributes)
        # Some modes have levels: a terminal that is in them already would go into the next.
        modes = _LEAVE + _ENTER if self._in_use else _ENTER
        self._in_use = True
        self.write(modes)
        if not self._has_mouse:
            self.write(_MOUSE_OFF)
        if self._dashboard.asks_background:
            self.write(QUESTION)  # nobody waits for the answer: until it comes the theme is the dark one
        if self._keyboard is None:
            self._keyboard = Keyboard(
                self.fileno,
                self.process_message,
                self._inbox.has_room,
                self._end,
                self._on_terminal_gone,
                self._app.post_message,
            )
        self._tell_size()

    def _give_terminal_back(self) -> None:
        self.disable_input()
        if not self._in_use:
            return
        self._in_use, self._is_leaving = False, True
        if not _is_in_background(self.fileno):  # else it is somebody else's by now
            self._writer.write_last(_LEAVE, _LEAVE_S)
            self._restore_attributes()
        self._is_leaving = False

    def _restore_attributes(self) -> None:
        with _unstoppable(), suppress(termios.error):
            termios.tcflush(self.fileno, termios.TCIFLUSH)  # such as answers that nobody waits for any more
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)

    def _wait_for_foreground(self) -> None:
        """The kernel stops a background process that sets anything, until it comes to the foreground."""
        with suppress(termios.error):
            termios.tcsetattr(self.fileno, termios.TCSANOW, termios.tcgetattr(self.fileno))

    def _tell_size(self) -> None:
        self._writer.forget()
        size = Size(*self._get_terminal_size())
        self._app.post_message(events.Resize(size, size))

    def _ask_for_repaint(self) -> None:
        self._loop.call_soon_threadsafe(self._repaint)

    def _repaint(self) -> None:
        if self._app.screen_stack:
            self._writer.forget()
            self._app.refresh(layout=True)

    # The end of the terminal, and signals

    def _end(self) -> None:
        self._inbox.clear()
        self._dashboard.leave()

    @property
    def _dashboard(self) -> Dashboard:
        app: Any = self._app
        dashboard: Dashboard = app
        return dashboard

    def _on_terminal_gone(self) -> None:
        """Called by the keyboard's thread."""
        self._writer.close()
        self._end()

    def _handle(self, number: int, handler: Any) -> None:
        """Handle a signal while the terminal is ours, unless it was to be ignored."""
        before = signal.getsignal(number)
        if before != signal.SIG_IGN:
            self._handled[number] = before
            signal.signal(number, handler)

    def _on_resize(self, _number: int, _frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._tell_size)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop, os.getpid())

    def _on_continue(self, _number: int, _frame: FrameType | None) -> None:
        if self._in_use:  # else it has been given back, and is taken where it was
            self._loop.call_soon_threadsafe(self._go_on)

    def _on_death(self, number: int, _frame: FrameType | None) -> None:
        """Give the terminal back at once, and die as if nothing had been done about the signal."""
        if (self._in_use or self._is_leaving) and not _is_in_background(self.fileno):
            self._writer.write_at_once(_LEAVE, _LEAVE_S)
            self._restore_attributes()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    def stop_job(self) -> None:
        """Give the shell back: stop this process and all others of its job."""
        if signal.SIGTSTP in self._handled:
            self._stop(0)

    def _stop(self, pid: int) -> None:
        """:param pid: as for kill(): 0 is the whole process group"""
        if not self._in_use:
            return
        self._give_terminal_back()
        # The kernel ignores it for a job that no shell could ever continue.
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(pid, signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._on_stop)
        self._go_on()

    def _go_on(self) -> None:
        """After a stop: whoever had the terminal meanwhile has left their own modes and text."""
        self._take_terminal()
        self._repaint()


def _is_in_background(fd: int) -> bool:
    try:
        return os.tcgetpgrp(fd) != os.getpgrp()
    except OSError:
        return False  # it is not the controlling terminal, and knows no background


@contextmanager
def _unstoppable() -> Iterator[None]:
    """Let the kernel not stop this process for changing a terminal."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
