"""What the file of settings changes on the screen: columns and keys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tcptop_rtt.app import TcptopApp
from tcptop_rtt.model.errors import UsageError
from tcptop_rtt.screens.keymap import actions, keymap
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.preferences import Preferences
from tcptop_rtt.widgets.key_line import KeyLine
from tests.tui.conftest import Open
from tests.unit.rows import row

DESCRIBED = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.mark.parametrize("width", [160, 60])
async def test_the_screen_has_the_columns_that_are_chosen_in_their_order(stage: Open, width: int) -> None:
    chosen = tuple(CONNECTIONS.column[key] for key in ("why", "unit", "rtt", "pid"))
    async with stage((width, 30), preferences=Preferences("dark", chosen)) as it:
        await it.show(row(1), row(2))
        title = next(line for line in it.screen_text.splitlines() if "RTT" in line and "PID" in line)
        assert title.replace("\u25bc", "").split() == ["WHY", "UNIT", "RTT", "PID"]
        await it.press("tab")
        assert "REMOTE HOST" in it.screen_text
        assert "P95" in it.screen_text
        await it.press("shift+tab", "p")
        assert it.table.ids == [1, 2]  # by a column that is not there, too


async def test_an_action_has_the_key_that_is_chosen_and_no_other(stage: Open) -> None:
    keys = {
        "reverse": "X",
        "freeze": "F2",
        "help": "H",
        "sort-process": "Ctrl-O",
        "page-down": "u",
        "details": "^",
    }
    async with stage((190, 80), preferences=Preferences("dark", None, keys)) as it:
        await it.show(row(1), row(2))
        assert it.table.ids == [2, 1]
        await it.press("X")
        assert it.table.ids == [1, 2]
        await it.press("S")
        assert it.table.ids == [1, 2]
        assert "S does nothing here; H shows the keys" in it.screen_text
        await it.press("f2")
        assert it.main.frozen
        await it.press("space")
        assert it.main.frozen
        await it.press("ctrl+o")
        assert it.main.order.key == "process"
        await it.press("home", "u")
        assert it.table.cursor_id == 2
        assert {"f2", "H"} <= set(it.app.screen.query_one(KeyLine).keys)
        assert "^ Details" in it.screen_text
        assert "F2 Freeze" in it.screen_text
        await it.press("H")
        assert re.search(r"X +Reverse the order", it.screen_text)
        await it.press("escape", "circumflex_accent")
        assert it.app.screen is not it.main
        await it.press("X")
        assert "X works in the table only" in it.screen_text


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sort": "R"}, "keys: 'sort' is none of details, back-to-groups,"),
        ({"leave": "x"}, "keys: 'leave' is none of"),
        ({"help": ""}, "keys.help: '' is no key: a character, F1 to F12"),
        ({"help": "Hyper-X"}, "keys.help: 'Hyper-X' is no key"),
        ({"help": "\x1b"}, "keys.help: '\\x1b' is no key"),
        ({"help": "F13"}, "keys.help: 'F13' is no key"),
        ({"reverse": "r"}, "keys.reverse: r is the key of sort-rtt: choose another one"),
        ({"zoom": "q"}, "keys.zoom: q is the key of back"),
        ({"zoom": "j"}, "keys.zoom: j is the key of down"),
        ({"freeze": "z"}, "keys.freeze: z is the key of zoom"),
        ({"help": "Ctrl-C"}, "keys.help: Ctrl-C is the key of leave: choose another one\n"),
        ({"help": "X", "reverse": "X"}, "X is the key of "),
    ],
)
def test_what_is_wrong_with_keys_is_told(keys: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        keymap(keys, TcptopApp)
    assert message in f"{refused.value}\n"


def test_keys_may_change_places() -> None:
    assert keymap({"sort-rtt": "p", "sort-process": "r"}, TcptopApp) == {"sort-rtt": "p", "sort-process": "r"}
    assert keymap({"zoom": "r"}, TcptopApp) == {"zoom": "r"}  # in the details it is free


def test_the_documentation_names_every_action() -> None:
    text = " ".join(DESCRIBED.read_text().split()).partition("What can have another key:")[2]
    assert re.findall("`(.*?)`", text) == actions(TcptopApp)
