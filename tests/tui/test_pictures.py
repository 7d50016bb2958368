"""Every screen and state as a picture: its text, held against what it was.

``python -m tests.tui.test_pictures`` draws them anew; the difference is to be looked at before it is kept.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.tui.feed import HandFeed, Stage, make_app, text_of
from tests.tui.scenes import SCENES, Scene

SIZES = ((60, 20), (80, 24), (120, 30), (160, 48))
THEMES = ("dark", "light")
GOLDEN = Path(__file__).parent / "golden"


def path_of(name: str) -> Path:
    """Where the pictures of a screen are."""
    return GOLDEN / f"{name.replace(', ', '-').replace(' ', '-')}.txt"


@asynccontextmanager
async def opened(size: tuple[int, int], theme: str) -> AsyncIterator[Stage]:
    """A running app without data."""
    feed = HandFeed()
    app = make_app(feed, theme=theme)
    async with app.run_test(size=size) as pilot:
        yield Stage(pilot, app, feed)


async def pictures(scene: Scene, theme: str) -> str:
    """The screen in each size."""
    parts = []
    for width, height in SIZES:
        async with opened((width, height), theme) as it:
            await scene(it)
            lines = [line.rstrip() for line in text_of(it.app).splitlines()]
            parts.append("\n".join([f"{width}x{height}", *lines]))
    return "\n".join(parts) + "\n"


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", SCENES)
async def test_the_screen_is_as_it_was_looked_at(name: str, theme: str, in_utc: None) -> None:  # noqa: ARG001
    drawn = await pictures(SCENES[name], theme)
    assert drawn.splitlines() == path_of(name).read_text().splitlines()


def test_there_is_no_picture_of_what_is_gone() -> None:
    assert set(GOLDEN.iterdir()) == {path_of(name) for name in SCENES}


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    time.tzset()
    for _name, _scene in SCENES.items():
        path_of(_name).write_text(asyncio.run(pictures(_scene, THEMES[0])))
