"""Passes input to the dashboard, each event after all effects of the previous one are done."""

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
"""The longest that an event waits for the effects of the previous one."""


class Inbox:
    """A queue of input: keys in a burst work as if typed slowly, as Enter may move the focus for the next.

    :param loop: the dashboard's event loop
    """

    def __init__(self, app: App[None], loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._loop = loop
        self._waiting: deque[Message] = deque()
        self._task: asyncio.Task[None] | None = None
        self._delivered = 0.0

    def has_room(self) -> bool:
        """Returns whether :meth:`put` would take a message. Any thread may call this."""
        return len(self._waiting) < MAX_WAITING

    def put(self, message: Message) -> None:
        """Queues a message, or drops it if the queue is full. Any thread may call this."""
        if self.has_room():
            self._waiting.append(message)
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._start)

    def clear(self) -> None:
        """Drops all waiting messages."""
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
            if self._waiting:  # Ctrl-C may have dropped them meanwhile
                self._app.post_message(self._waiting.popleft())
                self._delivered = self._loop.time()

    async def _settle(self) -> None:
        """Waits until no message is queued or being handled. A handler may post more messages."""
        busy = True
        while busy:
            busy = self._is_busy()
            await self._pass_through()
            busy = busy or self._is_busy()

    def _is_busy(self) -> bool:
        return any(pump.message_queue_size for pump in self._pumps())

    async def _pass_through(self) -> None:
        """Waits until every message pump has handled the messages that are queued now."""
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
