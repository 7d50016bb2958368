"""Names of hosts and services: which are taken, who is asked, and what is shown and found by them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tcptop_rtt.feeds.lookups import FAILED_S, FOUND_S, MOST, NONE_S, QUEUE, Lookups
from tcptop_rtt.feeds.names import Resolver
from tcptop_rtt.model.names import NO_NAMES, Address, Names
from tcptop_rtt.model.outside import host_name_of, service_name_of
from tcptop_rtt.model.records import Direction
from tcptop_rtt.view import naming
from tcptop_rtt.view.addresses import shorten
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter, select
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.view.ranking import Ranking
from tests.unit.known_names import Known
from tests.unit.rows import address, row, rows_of
from tests.waiting import ENOUGH_S, becomes

# What passes for a name


@pytest.mark.parametrize(
    "name", ["db1.example", "localhost", "DB_1.example.", "a" * 253, "xn--mnchen-3ya.de", "10-0-0-1.isp.net",
             "1.2.3.4.in.example", "3com", "0xfe.example"]
)  # fmt: skip
def test_names_of_hosts_are_taken(name: str) -> None:
    assert host_name_of(name) == name.removesuffix(".")


@pytest.mark.parametrize(
    "name",
    ["", ".", "10.0.0.1", "10.0.0.1.", "3232235777", "0x7f000001", "evil.0x7f", "::1", "2001:db8::1", "a:443",
     "db1:https", "\x1b[31mred.example", "[/red].example", "a b", "a\nb", "-x.example", "x-",
     "m\u00fcnchen.de", "\uff11\uff10.\uff10.\uff10.\uff11", "db1\u202e.example", "db1.example\udcff",
     "a" * 254, "fe80::1%eth0", "a/b"],
)  # fmt: skip
def test_what_is_no_name_of_a_host_or_could_be_read_as_an_address_is_none(name: str) -> None:
    assert host_name_of(name) == ""


def test_names_of_services_are_words() -> None:
    for name in ("https", "ms-sql-s"):
        assert service_name_of(name) == name
    for name in ("80", "a:b", "", "\x1b[0m", "x" * 33):
        assert service_name_of(name) == ""


# Who is asked


class Slow:
    """Looks up in threads, but not before it is allowed to."""

    def __init__(self, threads: int = 1) -> None:
        self.asked: list[int] = []
        self.answers: dict[int, str | OSError] = {}
        self.now_s = 100.0
        self.allowed = threading.Semaphore(0)
        self.lookups: Lookups[int] = Lookups(self._look_up, threads, 0, lambda: self.now_s)

    def _look_up(self, key: int) -> str:
        self.asked.append(key)
        if not self.allowed.acquire(timeout=ENOUGH_S):
            raise OSError
        answer = self.answers.get(key, "")
        if isinstance(answer, OSError):
            raise answer
        return answer

    def look_up(self, *keys: int) -> None:
        """Ask, and wait for the answers."""
        before = len(self.asked)
        self.lookups.ask(keys)
        self.allowed.release(len(keys))
        assert becomes(lambda: len(self.asked) >= before + len(keys) and not self.lookups._asking)


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    yield made
    made.allowed.release(10_000)


def test_who_asks_does_not_wait_and_the_answer_comes_later(slow: Slow) -> None:
    slow.answers[1] = "one"
    slow.lookups.ask([1])
    assert slow.lookups.get(1) == ""
    slow.allowed.release()
    assert becomes(lambda: slow.lookups.get(1) == "one")
    assert slow.lookups.version == 1


def test_an_answer_and_that_there_is_none_count_for_a_while(slow: Slow) -> None:
    slow.answers = {1: "one", 2: ""}
    slow.look_up(1, 2)
    slow.now_s += NONE_S - 1
    slow.lookups.ask([1, 2])
    slow.now_s += 1
    slow.look_up(2)
    slow.answers[1] = "uno"
    slow.now_s += FOUND_S - NONE_S
    assert slow.lookups.get(1) == "one"  # until there is another
    slow.look_up(1)
    assert slow.asked == [1, 2, 2, 1]
    assert slow.lookups.get(1) == "uno"


def test_a_failure_leaves_the_name_as_it_was_and_is_tried_again_soon(slow: Slow) -> None:
    slow.answers = {1: "one"}
    slow.look_up(1)
    slow.now_s += FOUND_S
    slow.answers = {1: OSError()}
    slow.look_up(1)
    assert (slow.lookups.get(1), slow.lookups.version) == ("one", 1)
    slow.lookups.ask([1])
    slow.now_s += FAILED_S
    slow.look_up(1)
    assert slow.asked == [1, 1, 1]


def test_what_is_out_of_sight_is_not_asked_any_more_and_nothing_is_asked_twice_at_once(slow: Slow) -> None:
    slow.lookups.ask([1, 2, 3])
    assert becomes(lambda: slow.asked == [1])
    slow.lookups.ask([1, 7, 8])
    slow.allowed.release(3)
    assert becomes(lambda: slow.asked == [1, 7, 8])
    assert becomes(lambda: not slow.lookups._asking)


def test_what_is_in_sight_goes_before_all_else(slow: Slow) -> None:
    slow.lookups.ask_later(lambda: range(100, 200))
    assert becomes(lambda: slow.asked == [100])
    slow.lookups.ask([1, 2])
    slow.allowed.release(4)
    assert becomes(lambda: len(slow.asked) == 5)
    assert slow.asked == [100, 1, 2, 101, 102]


def test_so_many_lookups_go_on_at_once_and_no_more() -> None:
    slow = Slow(threads=3)
    slow.lookups.ask(range(10))
    assert becomes(lambda: len(slow.asked) == 3)
    time.sleep(0.05)
    assert len(slow.asked) == 3
    slow.allowed.release(100)


def test_questions_and_answers_are_bounded(slow: Slow) -> None:
    slow.lookups.ask(range(10 * QUEUE))
    assert len(slow.lookups._next) <= QUEUE
    slow.allowed.release(10**6)
    for start in range(0, 2 * MOST, QUEUE):
        slow.lookups.ask(range(start, start + QUEUE))
        assert becomes(lambda: not (slow.lookups._next or slow.lookups._asking))
    assert len(slow.lookups._answers) == MOST
    assert set(slow.lookups._answers) == set(range(MOST, 2 * MOST))  # the latest ones


def test_the_resolver_asks_for_each_address_once_and_ports_come_though_hosts_hang() -> None:
    hang, asked = threading.Event(), []

    def look_up(key: Address) -> str:
        asked.append(key)
        hang.wait(ENOUGH_S)
        return "late.example"

    resolver = Resolver(look_up, lambda port: f"port-{port}")
    rows = rows_of(*(row(number, raddr=f"198.51.100.{number % 2}") for number in range(1, 9)))
    naming.ask(resolver, rows[:])
    naming.ask_later(resolver, rows)
    assert becomes(lambda: resolver.service(443) == "port-443" and len(asked) == 2)
    hang.set()
    assert becomes(lambda: resolver.host(asked[0]) == "late.example")
    naming.ask(resolver, rows[:])
    time.sleep(0.05)
    assert sorted(asked) == sorted({Address(4, address("198.51.100.0")), Address(4, address("198.51.100.1"))})


# What is shown and found


NAMES = Known(
    {"198.51.100.1": "db1.example", "2001:db8::1": "v6.example"},
    {443: "https", 5432: "postgresql", 40002: "odd"},
)
ROWS = rows_of(
    row(1, rport=5432, direction=Direction.OUT),
    row(2, rport=443),
    row(3, raddr="2001:db8::1", family=6, rport=9999, direction=Direction.OUT),
    row(4, rport=40_002, lport=443, direction=Direction.IN),
    row(5, rport=40_002, lport=443),
)


def _remotes(names: Names) -> list[str]:
    cell = CONNECTIONS.column["remote"].cell
    assert cell
    return [cell(view, UNICODE).text for view in CONNECTIONS.views(ROWS[:], frozenset(), names)]


def test_a_peer_is_shown_by_name_and_service_or_by_what_of_it_has_a_name() -> None:
    assert _remotes(NAMES) == [
        "db1.example:postgresql",
        "198.51.100.2:https",
        "v6.example:9999",
        "198.51.100.4:40002",  # a client's port is no service
        "198.51.100.5:40002",
    ]
    assert _remotes(NO_NAMES)[0] == "198.51.100.1:5432"


def test_a_name_that_is_too_long_is_cut_in_the_middle() -> None:
    text = shorten("a-very-long-name.of.some.example:postgresql", 24)
    assert len(text) == 24
    assert text.startswith("a-very")
    assert text.endswith("mple:postgresql")


@pytest.mark.parametrize(
    ("word", "found"),
    [("db1", [0]), ("EXAMPLE", [0, 2]), ("https", [1]), (":https", [1]), ("198.51.100.1", [0]),
     (":5432", [0]), ("odd", []), ("!example", [1, 3, 4]), ("nothing", [])],
)  # fmt: skip
def test_a_filter_finds_names_as_well_as_numbers(word: str, found: list[int]) -> None:
    assert select(ROWS, Filter(word), frozenset(), NAMES).tolist() == found


def test_without_names_a_filter_finds_none_and_the_order_is_by_address_with_and_without() -> None:
    assert select(ROWS, Filter("db1")).tolist() == []
    order = Ranking(ROWS, np.arange(5), CONNECTIONS.sorts["remote"], False).window(0, 5)
    assert order.tolist() == [0, 1, 3, 4, 2]
