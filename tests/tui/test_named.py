"""n shows names, and numbers again; nothing waits for one."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from numpy.typing import NDArray

from tcptop_rtt.app import TcptopApp
from tcptop_rtt.model.names import Address, Names
from tcptop_rtt.model.records import Direction
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.widgets.facts import FactPanel
from tests.tui.conftest import Open
from tests.tui.feed import HandFeed, Stage
from tests.unit.known_names import Known
from tests.unit.rows import address, row

PEERS = (row(1, rport=5432, direction=Direction.OUT), row(2, rport=443, direction=Direction.OUT))
HOSTS = {"198.51.100.1": "db1.example"}


class Told(Known):
    """Gets its names while it is looked at."""

    def __init__(self) -> None:
        super().__init__({}, {5432: "postgresql"})
        self.asked: list[Address] = []
        self.asked_later = 0

    def ask(self, addresses: Iterable[Address], ports: Iterable[int]) -> None:  # noqa: ARG002
        self.asked = list(addresses)

    def ask_later(self, *_: NDArray[Any]) -> None:
        self.asked_later += 1

    def answer(self, host: str, name: str) -> None:
        self._hosts[Address(4, address(host))] = name
        self.version += 1


@asynccontextmanager
async def opened(names: Names | None, named: bool = False, width: int = 200) -> AsyncIterator[Stage]:
    feed = HandFeed()
    app = TcptopApp(feed, Filter(), 1.0, UNICODE, resolver=names, named=named)
    async with app.run_test(size=(width, 30)) as pilot:
        yield Stage(pilot, app, feed)


async def test_n_shows_names_and_numbers_again() -> None:
    async with opened(Known(HOSTS, {5432: "postgresql"})) as it:
        await it.show(*PEERS)
        assert "198.51.100.1:5432" in it.screen_text
        await it.press("n")
        assert "db1.example:postgresql" in it.screen_text
        assert "198.51.100.2:443" in it.screen_text
        assert "names of peers and services" in it.screen_text
        await it.press("n")
        assert "198.51.100.1:5432" in it.screen_text
        assert "db1" not in it.screen_text


async def test_nobody_is_asked_before_names_are_wanted_nor_after() -> None:
    told = Told()
    async with opened(told) as it:
        await it.show(*PEERS)
        assert (told.asked, told.asked_later) == ([], 0)
        await it.press("n")
        assert sorted(told.asked) == [Address(4, address(f"198.51.100.{end}")) for end in (1, 2)]
        assert told.asked_later == 1
        await it.press("n")
        told.asked = []
        await it.show(*PEERS, step=1)
        assert (told.asked, told.asked_later) == ([], 1)


@pytest.mark.parametrize("frozen", [False, True])
async def test_a_name_is_shown_as_soon_as_it_comes_even_if_nothing_else_does(frozen: bool) -> None:
    told = Told()
    async with opened(told) as it:
        await it.show(*PEERS)
        await it.press(*(["space"] if frozen else []), "n", "slash", *"db9", "enter")
        assert "no connection matches" in it.screen_text
        told.answer("198.51.100.2", "db9.example")
        await it.until_shown("db9.example:443")


async def test_names_from_the_start() -> None:
    told = Told()
    async with opened(told, named=True) as it:
        await it.show(*PEERS)
        told.answer("198.51.100.1", "db1.example")
        await it.until_shown("db1.example:postgresql")


async def test_groups_have_names_too_and_what_is_copied_is_the_address() -> None:
    async with opened(Known(HOSTS, {5432: "postgresql"}), named=True) as it:
        await it.show(*PEERS)
        await it.press("tab")
        lines = it.screen_text.splitlines()
        assert any(line[1:].startswith("db1.example ") for line in lines)
        assert any(line[1:].startswith("198.51.100.2 ") for line in lines)
        await it.press("tab")
        assert ":5432 postgresql" in it.screen_text
        await it.press("shift+tab", "shift+tab", "r", "down", "y")
        assert it.app.clipboard == "198.51.100.1"


async def test_what_is_compared_is_filtered_by_names_too() -> None:
    many = [row(number, rport=5432 if number < 9 else 443, direction=Direction.OUT) for number in range(40)]
    async with opened(Known({}, {5432: "postgresql"}), named=True) as it:
        await it.show(*many)
        await it.press("slash", *"postgresql", "enter")
        assert len(it.table.ids) == 9
        await it.press("c")
        assert "none of 9" in it.screen_text
        await it.press("tab")
        assert "9 of 40 connections match the filter" in it.screen_text


async def test_the_details_have_name_and_address_and_say_whose_resolver_it_was() -> None:
    names = Known(HOSTS, {5432: "postgresql"})
    names.netns = 7
    for netns, foreign in ((7, False), (8, True)):
        async with opened(names, named=True, width=200) as it:
            await it.show(row(1, rport=5432, direction=Direction.OUT, netns=netns))
            await it.press("enter")
            await it.show(row(1, rport=5432, direction=Direction.OUT, netns=netns), step=1)
            assert "198.51.100.1:5432" in it.screen_text
            assert "db1.example" in it.screen_text
            assert "postgresql (5432)" in it.screen_text
            assert ("by our resolver" in it.screen_text) == foreign


@pytest.mark.parametrize("frozen", [False, True])
async def test_beside_the_table_they_come_and_go_as_in_it(frozen: bool) -> None:
    told = Told()
    async with opened(told, named=True, width=260) as it:

        def name() -> str:
            found = re.search(r"peer's name +(\S+)", it.main.query_one(FactPanel).plain)
            return found[1] if found else ""

        await it.show(*PEERS)
        await it.press("d", *(["space"] if frozen else []))
        assert name() == "-"
        told.answer("198.51.100.2", "db9.example")
        await it.until(lambda: name() == "db9.example", "the name beside the table")
        await it.press("n")
        assert name() == ""
        await it.press("n")
        assert name() == "db9.example"


async def test_where_nobody_has_names_there_is_no_such_key(stage: Open) -> None:
    async with stage((220, 30)) as it:
        await it.show(*PEERS)
        assert "Names" not in it.screen_text
        await it.press("n")
        assert "198.51.100.1:443" not in it.screen_text
        assert "198.51.100.1:5432" in it.screen_text
