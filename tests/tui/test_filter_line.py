"""The line where the filter is typed."""

from __future__ import annotations

from textual.widgets import Input

from tcptop_rtt.widgets.filter_line import HISTORY, FilterLine
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
        assert set(it.table.ids) == {2, 3}  # the name of a field so far
        await typed(it, ":")
        assert "a value is missing, such as port:10" in it.screen_text
        await typed(it, "x")
        assert "'x' is not a number such as 10" in it.screen_text
        assert set(it.table.ids) == {2, 3}
        await it.press("enter")
        assert "'x' is not a number such as 10" in it.screen_text  # and it is still open
        await it.press("backspace")
        await typed(it, "443")
        assert it.table.ids == [3]
        assert "Enter keeps, Esc clears" in it.screen_text
        await it.press("enter")
        assert it.table.ids == [3]
        assert '"curl port:443"' in it.screen_text


async def test_a_word_that_begins_like_a_field_is_looked_for_with_enter(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*ROWS)
        for text in ("curl r", "t", "t", ">"):
            await typed(it, f"/{text}" if text.startswith("curl") else text)
            assert set(it.table.ids) == {2, 3}
        await it.press("backspace", "enter")
        assert it.table.ids == []
        assert '"curl rtt"' in it.screen_text
        await typed(it, "/")
        await it.press(*7 * ["backspace"])
        await typed(it, "url or rtx")
        assert set(it.table.ids) == {2, 3}
        await it.press(*11 * ["backspace"])
        await typed(it, "curl !c")
        assert set(it.table.ids) == {2, 3}  # it may become !cc:cubic
        await it.press("backspace")
        await typed(it, "port:443")
        assert it.table.ids == [2]
        await it.press(*14 * ["backspace"])
        await typed(it, "qq")  # no field begins like this
        assert it.table.ids == []


async def test_what_was_not_in_force_is_not_there_when_typing_goes_on(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*ROWS)
        await typed(it, "/curl rt")
        await it.press("ctrl+p", "escape")
        assert '"curl"' in it.screen_text
        await typed(it, "/")
        await it.press("enter")
        assert '"curl"' in it.screen_text
        assert set(it.table.ids) == {2, 3}


async def test_the_name_of_a_field_is_completed(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*ROWS)
        await typed(it, "/nginx rpo")
        await it.press("right")
        await typed(it, ":443")
        await it.press("enter")
        assert '"nginx rport:443"' in it.screen_text
        assert it.table.ids == [1]


async def test_the_name_of_a_field_has_digits_and_any_case(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(row(1, rtt_p50_us=20_000), row(2, rtt_p50_us=1000))
        for text in ("P", "5", "0", ">", "1"):
            await typed(it, "/P" if text == "P" else text)
            assert it.table.lines, text
        await typed(it, "0ms")
        assert it.table.ids == [1]
        await it.press("escape")
        await typed(it, "/!RETRANS_1")
        assert it.table.lines == 2
        await it.press("right")
        await typed(it, ">5")
        await it.press("enter")
        assert it.main.filter.text == "!RETRANS_1m>5"


async def test_a_click_on_the_table_closes_the_line_and_keeps_the_filter(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*ROWS)
        for text in ("/curl", "/ rtt>"):
            await typed(it, text)
            await it.pilot.click(it.table, offset=(5, 1))
            await it.pilot.pause()
            assert not it.main.query_one(FilterLine).display
            assert it.main.filter.text == "curl"
        await typed(it, "/")
        assert it.main.query_one(FilterLine).display
        assert it.main.query_one(Input).value == "curl"
        await it.press("escape")
        assert not it.main.query_one(FilterLine).display
        assert it.main.filter.text == ""


async def test_the_history_is_walked_from_its_end_and_what_is_typed_stays(stage: Open) -> None:
    async with stage((120, 20)) as it:
        await it.show(*ROWS)

        async def after(*keys: str) -> str:
            await it.press(*keys)
            return it.main.query_one(Input).value

        for text in ("port:80", "curl", "nginx"):
            await typed(it, f"/{text}")
            await it.press("enter", "escape")
        await typed(it, "/")
        assert await after("up", "up") == "curl"
        await it.press("escape")
        await typed(it, "/")
        assert await after("up") == "nginx"
        await it.press("enter")
        await typed(it, "/")
        assert await after("up") == "curl"  # nginx is there already
        assert await after("down", "down") == "nginx"
        await typed(it, " x")
        assert await after("up") == "nginx"
        assert await after("up", "down", "down") == "nginx x"
        await it.press("up", "up")
        await typed(it, "y")
        assert await after("up", "up", "up", "up", "down", "down", "down") == "curly"


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
