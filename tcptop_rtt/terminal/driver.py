"""Sets the terminal's modes when the dashboard opens, and restores them whenever it stops or ends."""

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

from tcptop_rtt.signals import FAULTS, HARMLESS, JOB_CONTROL
from tcptop_rtt.terminal.background import QUESTION
from tcptop_rtt.terminal.inbox import Inbox
from tcptop_rtt.terminal.keyboard import Keyboard
from tcptop_rtt.terminal.writer import Writer

if TYPE_CHECKING:
    from textual.app import App

_MOUSE_MODES = ["1000", "1003", "1015", "1006"]
"""Mouse buttons, all mouse movements, and two encodings of them."""
_MODES = [*_MOUSE_MODES, "1004", "2004"]
"""The mouse, focus changes, and marks around pastes."""
_MOUSE_OFF = "".join(f"\x1b[?{mode}l" for mode in _MOUSE_MODES)
_MOUSE_ON = "".join(f"\x1b[?{mode}h" for mode in _MOUSE_MODES)
_ENTER = (
    "\x1b[?1049h\x1b[?25l\x1b[?7l"  # the alternate screen, without cursor and line wrapping
    + "".join(f"\x1b[?{mode}h" for mode in _MODES)
    + "\x1b[>25u"  # Kitty's keyboard protocol
    + "\x1b[?2026$p"  # asks whether the terminal supports synchronised output
)
_LEAVE = "\x1b[?2026l" + "".join(f"\x1b[?{mode}l" for mode in _MODES) + "\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?7h"

_LEAVE_S = 1.0
"""The longest wait for a terminal that takes no output when its modes are restored."""


def _deadly_signals() -> list[int]:
    """Returns the unhandled signals that would end this process, except those of processor faults."""
    numbers = signal.valid_signals() - HARMLESS - JOB_CONTROL - FAULTS - {signal.SIGKILL}
    return [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]


class Dashboard(Protocol):
    """What the driver needs of the dashboard."""

    asks_background: bool
    """Whether the dashboard wants to know the terminal's background colour."""

    def leave(self) -> None:
        """Ends the dashboard soon. Any thread may call this."""
        ...


class TerminalDriver(LinuxDriver):
    """Textual's driver with its own input, output and signal handling.

    The driver reads standard input. It writes to standard output, as libraries write to standard error.
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
            signal.signal(number, handler)  # Textual's expect a SIGCONT only after Textual's own stop
        output: Any = sys.__stdout__
        self._writer = Writer(output.fileno(), output.encoding, self._ask_for_repaint)
        self._inbox = Inbox(app, self._loop)
        self._keyboard: Keyboard | None = None
        self._in_use = False
        """Whether the terminal is in the dashboard's modes."""
        self._is_leaving = False
        """Whether the terminal's modes are being restored."""
        self._has_mouse = True
        self._handled: dict[int, Any] = {}

    # Called by Textual

    def write(self, data: str) -> None:
        if self._in_use:
            self._writer.write(data)

    def send_message(self, message: Message) -> None:
        if isinstance(message, events.Key) and message.key == "ctrl+c":
            self._end()
        else:
            self._inbox.put(message)

    def process_message(self, message: Message) -> None:
        # The size comes from SIGWINCH: a size report within a paste could demand a screen of any size.
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
        try:
            self._take_terminal()
        except BaseException:  # such as no descriptor for the keyboard: Textual does not call back
            self.stop_application_mode()
            raise

    def disable_input(self) -> None:
        """Stops reading keys, and drops those that wait."""
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
        """Turns mouse reports on, or leaves the mouse to the terminal."""
        self._has_mouse = on
        self.write(_MOUSE_ON if on else _MOUSE_OFF)

    def _take_terminal(self) -> None:
        """Sets the modes, even if other programs have changed them or they are set already."""
        self._wait_for_foreground()
        with suppress(termios.error):
            attributes = termios.tcgetattr(self.fileno)
            attributes[tty.LFLAG] = self._patch_lflag(attributes[tty.LFLAG])
            attributes[tty.IFLAG] = self._patch_iflag(attributes[tty.IFLAG])
            attributes[tty.CC][termios.VMIN] = 1
            termios.tcsetattr(self.fileno, termios.TCSANOW, attributes)
        # Some modes nest: to set them again without leaving them would enter a second level.
        modes = _LEAVE + _ENTER if self._in_use else _ENTER
        self._in_use = True
        self.write(modes)
        if not self._has_mouse:
            self.write(_MOUSE_OFF)
        if self._dashboard.asks_background:
            self.write(QUESTION)  # the dark theme is used until the answer comes
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
        if not _is_in_background(self.fileno):  # otherwise another job has the terminal
            self._writer.write_last(_LEAVE, _LEAVE_S)
            self._restore_attributes()
        self._is_leaving = False

    def _restore_attributes(self) -> None:
        with _unstoppable(), suppress(termios.error):
            termios.tcflush(self.fileno, termios.TCIFLUSH)  # drops late answers, for example
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)

    def _wait_for_foreground(self) -> None:
        """Waits for the foreground: the kernel stops a background process that sets a terminal's modes."""
        with suppress(termios.error):
            termios.tcsetattr(self.fileno, termios.TCSANOW, termios.tcgetattr(self.fileno))

    def _tell_size(self) -> None:
        self._writer.forget()
        size = Size(*self._get_terminal_size())
        self._app.post_message(events.Resize(size, size))

    def _ask_for_repaint(self) -> None:
        with suppress(RuntimeError):  # the loop is closed, as the program ends
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
        """Ends the dashboard. The keyboard's thread calls this."""
        self._writer.close()
        self._end()

    def _handle(self, number: int, handler: Any) -> None:
        """Handles a signal until application mode stops, unless the signal is ignored already."""
        before = signal.getsignal(number)
        if before != signal.SIG_IGN:
            self._handled[number] = before
            signal.signal(number, handler)

    def _on_resize(self, _number: int, _frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._tell_size)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop, os.getpid())

    def _on_continue(self, _number: int, _frame: FrameType | None) -> None:
        if self._in_use:  # otherwise _stop() or resume_application_mode() takes the terminal
            self._loop.call_soon_threadsafe(self._go_on)

    def _on_death(self, number: int, _frame: FrameType | None) -> None:
        """Restores the terminal at once, and ends the process by the signal's default action."""
        if (self._in_use or self._is_leaving) and not _is_in_background(self.fileno):
            self._writer.write_at_once(_LEAVE, _LEAVE_S)
            self._restore_attributes()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    def stop_job(self) -> None:
        """Stops this process and all others of its job, and so returns to the shell."""
        if signal.SIGTSTP in self._handled:
            self._stop(0)

    def _stop(self, pid: int) -> None:
        """Stops until SIGCONT. ``pid`` is as for kill(): 0 is the whole process group."""
        if not self._in_use:
            return
        self._give_terminal_back()
        # The kernel ignores SIGTSTP in an orphaned process group, which no shell could continue.
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(pid, signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._on_stop)
        self._go_on()

    def _go_on(self) -> None:
        """Sets the modes and repaints after a stop: other programs may have left their own modes and text."""
        self._take_terminal()
        self._repaint()


def _is_in_background(fd: int) -> bool:
    try:
        return os.tcgetpgrp(fd) != os.getpgrp()
    except OSError:
        return False  # not the controlling terminal, so it has no background


@contextmanager
def _unstoppable() -> Iterator[None]:
    """Blocks SIGTTOU, so that the kernel does not stop this process for changing a terminal."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
