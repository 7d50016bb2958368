"""What a dashboard that is open for months must not gather."""

from __future__ import annotations

import gc

from textual.strip import Strip

from tests.tui.conftest import Open
from tests.unit.rows import row


async def test_screens_that_have_been_closed_keep_nothing_of_what_they_have_drawn(stage: Open) -> None:
    kept = []
    async with stage() as it:
        await it.show(*map(row, range(1, 50)))
        for _ in range(12):
            await it.press("?")
            assert "close the help" in it.screen_text
            await it.press("escape")
            gc.collect()
            kept.append(sum(isinstance(each, Strip) for each in gc.get_objects()))
    assert max(kept[6:]) < max(kept[:6]) + 100
