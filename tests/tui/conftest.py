"""Apps to be driven by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from textual.scrollbar import ScrollBar

from tcptop_rtt.feeds.base import Capability
from tcptop_rtt.screens import live
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import UNICODE, Glyphs
from tcptop_rtt.view.preferences import Preferences
from tests.tui.feed import HandFeed, Stage, make_app

Open = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture(autouse=True)
def scrollbars_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in ASCII changes those of all its screens; the next test's is another program."""
    monkeypatch.setattr(ScrollBar, "renderer", ScrollBar.renderer)


@pytest.fixture(autouse=True)
def messages_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine three seconds may pass before a test looks."""
    monkeypatch.setattr(live, "MESSAGE_S", 600.0)


@pytest.fixture
def stage() -> Open:
    """``async with stage(size) as it``: a running app with no data yet."""

    @asynccontextmanager
    async def opened(
        size: tuple[int, int] = (160, 48),
        *,
        filter: Filter | None = None,  # noqa: A002
        glyphs: Glyphs = UNICODE,
        failure: Exception | None = None,
        capabilities: frozenset[Capability] = frozenset(Capability),
        theme: str | None = "dark",
        preferences: Preferences | None = None,
    ) -> AsyncIterator[Stage]:
        feed = HandFeed(failure, capabilities=capabilities)
        app = make_app(feed, filter, glyphs, theme, preferences)
        async with app.run_test(size=size) as pilot:
            yield Stage(pilot, app, feed)

    return opened
