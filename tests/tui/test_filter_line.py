"""The line where the filter is typed."""

from __future__ import annotations

from tcptop_rtt.widgets.filter_line import HISTORY
from tests.tui.conftest import Open
from tests.tui.feed import Stage
from tests.unit.rows import row

ROWS = (row(1, comm=b"nginx", rport=443), row(2, comm=b"curl", rport=80), row(3, comm=b"curl", rport=443))


async def typed(it: Stage, text: str) -> None:
    names = {" ": "space", ":": "colon", "!": "exclamation_mark", ">": "greater_than_sign", "/": "slash"}
    await it.press(*(names.get(char, char) for char in text))


async def test_what_is_no_filter_is_told_and_changes_nothing(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*ROWS)
        await typed(it, "/curl ")
        assert set(it.table.ids) == {2, 3}
        await typed(it, "port")
        assert it.table.ids == []  # a word like any other so far
        await typed(it, ":")
        assert "a value is missing, such as port:10" in it.screen_text
        await typed(it, "x")
        assert "'x' is not a number such as 10" in it.screen_text
        assert it.table.ids == []
        await it.press("enter")
        assert "'x' is not a number such as 10" in it.screen_text  # and it is still open
        await it.press("backspace")
        await typed(it, "443")
        assert it.table.ids == [3]
        assert "Enter keeps, Esc clears" in it.screen_text
        await it.press("enter")
        assert it.table.ids == [3]
        assert '"curl port:443"' in it.screen_text


async def test_the_name_of_a_field_is_completed(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*ROWS)
        await typed(it, "/nginx rpo")
        await it.press("right")
        await typed(it, ":443")
        await it.press("enter")
        assert '"nginx rport:443"' in it.screen_text
        assert it.table.ids == [1]


async def test_the_arrow_keys_bring_earlier_filters_back(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*ROWS)
        for text in ("curl", "nginx", "curl"):
            await typed(it, f"/{text}")
            await it.press("enter")
            await it.press("escape")
        await typed(it, "/")
        await it.press("up")
        assert set(it.table.ids) == {2, 3}
        await it.press("up")
        assert it.table.ids == [1]
        await it.press("up", "down", "down")
        assert set(it.table.ids) == {1, 2, 3}
        assert HISTORY > 2
