"""Hands input to the dashboard, each event when all that the one before has set off is done."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from textual.app import App
    from textual.message_pump import MessagePump

MAX_WAITING = 256
"""More keys than anybody types while the screen is busy for a moment."""
_SETTLE_S = 1.0
"""What an event sets off takes no longer, or the next one does not wait for it."""


class Inbox:
    """Keys that come in one burst mean what they mean one by one: Enter may move the focus for the next.

    :param loop: the dashboard's
    """

    def __init__(self, app: App[None], loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._loop = loop
        self._waiting: deque[Message] = deque()
        self._task: asyncio.Task[None] | None = None
        self._delivered = 0.0

    def has_room(self) -> bool:
        """Whether :meth:`put` would take a message; from any thread."""
        return len(self._waiting) < MAX_WAITING

    def put(self, message: Message) -> None:
        """Hand this over in its turn, or drop it if too much waits; from any thread."""
        if self.has_room():
            self._waiting.append(message)
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._start)

    def clear(self) -> None:
        """Drop all that waits."""
        self._waiting.clear()

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._deliver())

    async def _deliver(self) -> None:
        while self._waiting:
            if self._loop.time() < self._delivered + _SETTLE_S:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_SETTLE_S):
                        await self._settle()
            if self._waiting:  # still: Ctrl-C drops them
                self._app.post_message(self._waiting.popleft())
                self._delivered = self._loop.time()

    async def _settle(self) -> None:
        """Until no message waits or is being handled: what is handled may set off more."""
        busy = True
        while busy:
            busy = self._is_busy()
            await self._pass_through()
            busy = busy or self._is_busy()

    def _is_busy(self) -> bool:
        return any(pump.message_queue_size for pump in self._pumps())

    async def _pass_through(self) -> None:
        """Until every queue has handled what is in it now."""
        missing = 0
        passed = asyncio.Event()

        def arrive() -> None:
            nonlocal missing
            missing -= 1
            if not missing:
                passed.set()

        for pump in self._pumps():
            missing += pump.call_later(arrive)
        if missing:
            await passed.wait()

    def _pumps(self) -> list[MessagePump]:
        stack = self._app.screen_stack
        return [self._app, *(stack[-1].walk_children(with_self=True) if stack else ())]
