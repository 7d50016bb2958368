"""The keys: in the key line, in the help and in docs/keys.md, all made from the bindings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

from tcptop_rtt.app import TcptopApp
from tcptop_rtt.screens.help import HelpScreen, key_sections
from tcptop_rtt.widgets.key_line import KeyLine
from tcptop_rtt.widgets.keys import key_name, key_names
from tests.tui.conftest import Open
from tests.tui.feed import Stage, trace_of
from tests.unit.rows import row

LISTED = Path(__file__).parents[2] / "docs" / "keys.md"


OTHER_PROGRAM = ("tcptop_rtt.compare_app", "tcptop_rtt.screens.compared")
"""A comparison is an app of its own, whose keys are some of the dashboard's."""


def declared() -> list[Binding]:
    """All bindings of the dashboard's classes."""
    found: dict[int, Binding] = {}
    classes = [DOMNode]
    for cls in classes:
        classes += [sub for sub in cls.__subclasses__() if sub not in classes]
        if cls.__module__.startswith("tcptop_rtt.") and cls.__module__ not in OTHER_PROGRAM:
            for binding in vars(cls).get("BINDINGS", ()):
                assert isinstance(binding, Binding), cls
                found[id(binding)] = binding
    return list(found.values())


def key_line(it: Stage) -> list[str]:
    return it.app.screen.query_one(KeyLine).keys


def test_every_binding_has_an_id_of_its_own_and_says_what_it_does() -> None:
    bindings = declared()
    ids = [binding.id for binding in bindings]
    assert len(bindings) > 20
    assert None not in ids
    assert len(set(ids)) == len(ids)
    assert all(binding.tooltip and binding.description for binding in bindings)


async def test_the_help_lists_every_binding(stage: Open) -> None:
    async with stage((110, 110)) as it:
        await it.press("question_mark")
        assert isinstance(it.app.screen, HelpScreen)
        text = " ".join(it.screen_text.replace("│", " ").split())
        for binding in declared():
            assert re.search(re.escape(key_names(binding, {})) + r":? " + re.escape(binding.tooltip), text), (
                binding
            )


async def test_the_titles_of_the_help_are_whole(stage: Open) -> None:
    async with stage((110, 130)) as it:
        await it.press("question_mark")
        for title in key_sections(TcptopApp, {}):
            assert f" {title} " in it.screen_text


async def test_no_key_works_that_the_help_does_not_list(stage: Open) -> None:
    listed = {
        name for lines in key_sections(TcptopApp, {}).values() for names, _ in lines for name in names.split()
    }
    async with stage() as it:
        await it.show(row(1))
        for key in ("enter", "z"):
            active = it.app.screen.active_bindings.keys()
            assert {key_name(key) for key in active} <= listed
            await it.press(key)


def test_the_documentation_has_the_table_of_the_bindings() -> None:
    section = LISTED.read_text()
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    expected = []
    for title, lines in key_sections(TcptopApp, {}).items():
        expected.append([f"**{title.capitalize()}**"])
        expected += [[" ".join(f"`{key}`" for key in keys.split()), text] for keys, text in lines]
    assert rows == expected


@pytest.mark.parametrize("opened", ["table", "details"])
async def test_every_key_of_the_key_line_does_something(stage: Open, opened: str) -> None:
    async def prepare(it: Stage) -> None:
        await it.show(row(1, srtt_us=10), row(2, srtt_us=20))
        await it.press("s", "slash", "p", "enter")
        if opened == "details":
            await it.press("enter")
            trace = trace_of(it.feed.traced[0] or 0, *[1000] * 250)
            await it.show(row(1, srtt_us=10), row(2, srtt_us=20), step=1, trace=trace)

    async with stage((220, 48)) as it:
        await prepare(it)
        keys = key_line(it)
    assert len(keys) >= {"table": 13, "details": 5}[opened]
    for key in keys:
        async with stage((220, 48)) as it:
            await prepare(it)
            before = it.screen_text
            await it.press(key)
            assert it.screen_text != before or it.app._exit, key


async def test_the_key_line_leaves_out_what_would_do_nothing(stage: Open) -> None:
    async with stage((220, 48)) as it:
        assert not {"enter", "escape"} & set(key_line(it))
        await it.show(row(1))
        assert "enter" in key_line(it)
        await it.press(*["plus"] * 9)
        assert "minus" in key_line(it)
        assert "plus" not in key_line(it)
        await it.press("slash")
        assert key_line(it) == ["escape", "ctrl+p"]
        await it.press("x")
        assert key_line(it) == ["escape", "ctrl+p"]
        await it.press("enter")
        assert "escape" in key_line(it)
        assert "enter" not in key_line(it)  # no connection matches
        await it.press("escape")
        assert "escape" not in key_line(it)
        assert "enter" in key_line(it)
        await it.show(step=1)
        assert "enter" not in key_line(it)
        await it.show(row(1), step=2)
        assert "enter" in key_line(it)
        await it.press("slash", "p", "enter")
        assert "escape" in key_line(it)
        await it.press("escape")
        assert "escape" not in key_line(it)
