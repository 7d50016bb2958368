"""What bad connections have in common: counts, chance, and what is left out."""

from __future__ import annotations

from fractions import Fraction
from math import comb, exp
from typing import Any

import numpy as np
import pytest

from tcptop_rtt.model.hosts import number_of
from tcptop_rtt.model.rows import DIRECTIONS, ROW, Holder, Rows
from tcptop_rtt.view.chance import log_chances
from tcptop_rtt.view.common import CHANCE, LEAST_BAD, MOST, Common, Key, Share, compare
from tcptop_rtt.view.common_words import nothing, sentence
from tcptop_rtt.view.facets import AGES, FACETS
from tcptop_rtt.view.filter import Filter, select
from tcptop_rtt.view.meanings import BAD
from tests.unit.rows import address, columns_of, row, rows_of


def healthy(count: int = 700, seed: int = 5) -> np.ndarray:
    """Connections that differ in everything, by chance."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, ROW)
    rows["id"] = np.arange(count) + 1
    rows["family"] = 4
    hosts = rng.integers(0, 256, (count, 4), np.uint8)
    hosts[:, 0] = rng.choice([10, 172, 192, 198], count)
    rows["raddr"] = [bytes(10) + b"\xff\xff" + host.tobytes() for host in hosts]
    rows["laddr"] = np.void(address("192.0.2.1"))
    rows["lport"], rows["rport"] = np.arange(count) + 20_000, rng.choice([80, 443, 5432], count)
    process = rng.integers(0, 9, count)
    rows["pid"], rows["comm"] = 100 + process, np.array([b"app", b"nginx", b"tmux: server"])[process % 3]
    rows["unit"] = np.array([b"web.service", b"a b", b""])[process % 3]
    rows["holder"] = Holder.PROCESS
    rows["scanned"], rows["congestion_control"] = True, rng.choice([b"cubic", b"bbr"], count)
    rows["direction"] = rng.integers(1, len(DIRECTIONS), count)
    rows["age_ns"], rows["open_seen"] = rng.integers(1, 2 * 3600 * 10**9, count), rng.random(count) < 0.7
    return rows


def toward(rows: np.ndarray, network: str, count: int) -> np.ndarray:
    """Have the first ones go to a /24; which they are."""
    which = np.arange(len(rows)) < count
    prefix = address(network)[:15]
    rows["raddr"][which] = [np.void(prefix + bytes([at % 200])) for at in range(count)]
    return which


def found(rows: Rows | np.ndarray, bad: np.ndarray, before: tuple[Key, ...] = ()) -> Common:
    return compare(rows.__getitem__, bad, before=before)


def said(common: Common) -> list[str]:
    return [share.said.does for share in common.shares]


def exact(shared: int, members: int, bad: int, total: int) -> float:
    """The tail of the hypergeometric distribution, in whole numbers."""
    ways = sum(
        comb(members, each) * comb(total - members, bad - each)
        for each in range(shared, min(members, bad) + 1)
    )
    return float(Fraction(ways, comb(total, bad)))


@pytest.mark.parametrize(("bad", "total"), [(3, 10), (31, 700), (350, 700), (690, 700), (5, 5)])
def test_the_chance_is_that_of_fishers_exact_test_and_never_less(bad: int, total: int) -> None:
    for members in (3, 10, 28, total // 2, total):
        if members > total:
            continue
        for shared in range(max(0, members + bad - total), min(members, bad) + 1):
            truth = exact(shared, members, bad, total)
            told = exp(log_chances(np.array([shared]), np.array([members]), bad, total)[0])
            assert told >= truth * (1 - 1e-6)
            if truth < CHANCE:
                assert told <= 1.5 * truth


def test_a_network_is_said_with_its_counts_and_its_filter() -> None:
    rows = healthy()
    bad = toward(rows, "10.2.7.0", 28)
    bad[27] = False
    bad[100:104] = True
    common = found(rows, bad)
    assert said(common) == ["go to 10.2.7.0/24"]
    (share,) = common.shares
    assert (share.shared, share.members, common.bad, common.total) == (27, 28, 31, 700)
    assert share.lift == pytest.approx(27 / 31 / (28 / 700))
    assert share.said.filter == "remote:10.2.7.0/24"
    assert sentence(share, common, BAD) == ("27 of 31 bad ones go to 10.2.7.0/24", "; 4% of all do")


@pytest.mark.parametrize(
    ("family", "hosts", "expected"),
    [
        (4, ["10.2.7.9"], "10.2.7.9"),
        (4, ["10.2.7.9", "10.2.7.200"], "10.2.7.0/24"),
        (4, ["10.2.7.9", "10.2.8.9"], "10.2.0.0/16"),
        (4, ["10.2.7.9", "10.7.8.9"], "10.0.0.0/8"),
        (6, ["2001:db8:1:2::3"], "2001:db8:1:2::3"),
        (6, ["2001:db8:1:2::3", "2001:db8:1:2:3::3"], "2001:db8:1:2::/64"),
        (6, ["2001:db8:1:2::3", "2001:db8:1:3::3"], "2001:db8:1::/48"),
    ],
)
def test_of_networks_inside_each_other_the_one_that_explains_most(
    family: int, hosts: list[str], expected: str
) -> None:
    others = ["198.51.100.1", "203.0.113.5", "192.0.2.77"] if family == 4 else ["2001:db9::1", "2a00::7"]
    connections = [
        row(at, raddr=(hosts if at < 40 else others)[at % (len(hosts) if at < 40 else len(others))])
        | {"family": family, "age_ns": 5, "lport": 443}
        for at in range(400)
    ]
    for at, connection in enumerate(connections):
        connection["pid"], connection["comm"] = 1 + at % 7, b"app"
    rows = rows_of(*connections)
    common = found(rows, np.arange(400) < 40)
    assert said(common) == [f"go to {expected}"]
    assert len(select(rows, Filter(common.shares[0].said.filter))) == 40


def test_two_networks_apart_are_two() -> None:
    rows = healthy()
    bad = toward(rows, "10.2.7.0", 40)
    rows["raddr"][20:40] = [np.void(address(f"172.16.9.{at}")) for at in range(20)]
    assert sorted(said(found(rows, bad))) == ["go to 10.2.7.0/24", "go to 172.16.9.0/24"]


@pytest.mark.parametrize(
    ("fields", "does", "filter_"),
    [
        ({"rport": 6379}, "have the remote port 6379", "rport:6379"),
        ({"lport": 8443}, "have the local port 8443", "lport:8443"),
        ({"comm": b"redis", "pid": 7}, "belong to redis 7", "pid:7"),
        ({"host": b"web1"}, "are of web1", "host=web1"),
        ({"unit": b"my pod"}, "run in my pod", 'unit="my pod"'),
        ({"unit": b"db.service"}, "run in db.service", "unit=db.service"),
        ({"interface": b"wlan0", "ifindex": 3}, "are bound to wlan0", "interface=wlan0"),
        ({"congestion_control": b"dctcp"}, "use dctcp", "cc=dctcp"),
        ({"laddr": "192.0.2.9"}, "use our address 192.0.2.9", "laddr:192.0.2.9"),
        ({"family": 6, "raddr": "fd00::1"}, "are IPv6", "family:6"),
    ],
)
def test_each_kind_in_words_and_as_a_filter(fields: dict[str, Any], does: str, filter_: str) -> None:
    rows, bad = healthy(), np.arange(700) < 30
    for name, value in fields.items():
        if name == "host":
            value = number_of(value)
        rows[name][bad] = np.void(address(value)) if isinstance(value, str) else value
    shares = {share.said.does: share for share in found(rows, bad).shares}
    assert shares[does].said.filter == filter_
    assert len(select(columns_of(rows), Filter(filter_))) == shares[does].members == 30


def test_a_process_of_many_pids_is_told_by_its_name() -> None:
    rows, bad = healthy(), np.arange(700) < 30
    rows["comm"][bad], rows["pid"][bad] = b"(sd-pam) x", np.arange(30) + 4000
    (share,) = found(rows, bad).shares
    assert share.said.does == "belong to (sd-pam) x"
    assert share.said.filter == 'proc="(sd-pam) x"'
    assert len(select(columns_of(rows), Filter(share.said.filter))) == 30


def test_a_name_that_no_filter_can_say_has_none_and_hostile_text_is_harmless() -> None:
    rows, bad = healthy(), np.arange(700) < 30
    rows["comm"][bad], rows["pid"][bad] = b'a"\x1b[31m', np.arange(30) + 4000
    (share,) = found(rows, bad).shares
    assert share.said.filter == ""
    assert "\x1b" not in share.said.does


@pytest.mark.parametrize("age_s", [1, 10, 59, 60, 600, 3600, 100_000])
def test_an_age_is_a_class_and_its_filter_finds_that_class(age_s: int) -> None:
    rows, bad = healthy(), np.arange(700) < 60
    rows["age_ns"][bad], rows["open_seen"][bad] = age_s * 10**9, True
    rows["age_ns"][~bad] = np.random.default_rng(1).choice([5, 30, 300, 2000, 9000], 640) * 10**9
    shares = [share for share in found(rows, bad).shares if share.key[0] == "age"]
    below = next((text for end_s, text in AGES if age_s < end_s), None)
    (share,) = shares
    assert (below or f"older than {AGES[-1][1]}") in share.said.does
    assert len(select(columns_of(rows), Filter(share.said.filter))) == share.members


def test_those_that_were_there_before_us_are_a_class_of_their_own() -> None:
    rows, bad = healthy(), np.arange(700) < 60
    rows["open_seen"] = ~bad
    (share,) = [share for share in found(rows, bad).shares if share.key[0] == "age"]
    assert share.said.does == "were there before tcptop-rtt was started"
    assert len(select(columns_of(rows), Filter(share.said.filter))) == 60


def test_every_filter_finds_exactly_those_that_share_it() -> None:
    rng = np.random.default_rng(8)
    checked = set()
    for seed in range(6):
        rows = healthy(seed=seed)
        six = rng.random(700) < 0.3
        rows["family"][six] = 6
        rows["raddr"][six] = [np.void(bytes([0x20, 1, 0, 0, 0, n % 3]) + bytes(9) + bytes([n % 7]))
                              for n in range(int(six.sum()))]  # fmt: skip
        name = ("rport", "pid", "congestion_control", "direction", "family", "unit")[seed]
        common = found(rows, (rows[name] == rows[name][0]) & (rng.random(700) < 0.9))
        assert common.shares
        for share in common.shares:
            assert len(select(columns_of(rows), Filter(share.said.filter))) == share.members, share
            checked.add(share.key[0])
    assert len(checked) >= 5


@pytest.mark.parametrize("count", [0, 1, LEAST_BAD - 1, 700])
def test_none_few_or_all_bad_is_nothing_to_compare(count: int) -> None:
    common = found(healthy(), np.arange(700) < count)
    assert (common.bad, common.total, common.shares) == (count, 700, ())
    text = nothing(common)
    assert "700" in text
    assert {0: "none", 700: "all"}.get(count, f"{count} of 700") in text


def test_no_connection_at_all_and_a_single_one() -> None:
    for count in (0, 1):
        for bad in (np.zeros(count, bool), np.ones(count, bool)):
            assert found(healthy(count), bad) == Common(int(bad.sum()), count)


def test_what_all_share_is_not_listed_and_chance_neither() -> None:
    """At most one comparison in a hundred may list anything."""
    rng = np.random.default_rng(4)
    listed = 0
    for seed in range(200):
        rows = healthy(200, seed)
        common = found(rows, rng.random(200) < rng.choice([0.03, 0.1, 0.5]))
        listed += bool(common.shares)
    assert listed <= 6
    assert nothing(common).startswith("nothing in particular")
    assert f"{common.bad} of 200" in nothing(common)


def test_what_is_hardly_more_frequent_is_not_listed_however_sure() -> None:
    rows = healthy(40_000)
    bad = np.arange(40_000) < 20_000
    rows["rport"] = np.where(np.arange(40_000) % 100 < np.where(bad, 58, 42), 9999, rows["rport"])
    assert exp(log_chances(np.array([11_600]), np.array([20_000]), 20_000, 40_000)[0]) < 1e-9
    assert found(rows, bad).shares == ()


def test_what_few_of_many_bad_ones_have_is_not_what_they_share() -> None:
    rows, bad = healthy(5000), np.arange(5000) < 1000
    for count, expected in ((49, []), (50, ["have the remote port 9999"])):
        rows["rport"][bad] = 80 + 363 * (np.arange(1000) % 2)
        rows["rport"][:count] = 9999
        assert said(found(rows, bad)) == expected


def test_where_most_are_bad_the_others_are_the_measure() -> None:
    rows = healthy(500)
    bad = toward(rows, "10.2.7.0", 400)
    common = found(rows, bad)
    (share,) = common.shares
    assert sentence(share, common, BAD) == (
        "400 of 400 bad ones go to 10.2.7.0/24",
        "; none of the others do",
    )


def test_what_is_not_known_is_neither_shared_nor_counted_among_all() -> None:
    rows, bad = healthy(), np.arange(700) < 30
    rows["congestion_control"] = b"cubic"
    rows["scanned"] = bad  # of the others it is not known
    assert said(found(rows, bad)) == []
    rows["scanned"] = ~bad
    assert said(found(rows, bad)) == []
    rows["scanned"] = True
    rows["scanned"][:5] = False
    rows["congestion_control"][bad] = b"dctcp"
    common = found(rows, bad)
    (share,) = common.shares
    assert (share.shared, share.bad_known, share.known) == (25, 25, 695)
    assert sentence(share, common, BAD)[1] == "; 4% of all do (not known of 5)"


def test_an_unknown_process_port_or_direction_is_nothing_in_common() -> None:
    rows, bad = healthy(), np.arange(700) < 30
    for name in ("pid", "comm", "unit", "direction", "holder", "lport"):
        rows[name][bad] = np.zeros((), ROW[name])
    assert said(found(rows, bad)) == []
    rows["pid"], rows["comm"] = 0, b""
    assert said(found(rows, bad)) == []


def test_lines_keep_their_order_until_another_says_much_more() -> None:
    rows, bad = healthy(), np.arange(700) < 40
    rows["rport"][:30], rows["lport"][:30] = 6379, 0
    rows["unit"][:31] = b"db"
    first = found(rows, bad)
    assert said(first)[:2] == ["run in db", "have the remote port 6379"]
    keys = tuple(share.key for share in first.shares)
    rows["rport"][:32] = 6379
    assert said(found(rows, bad))[:2] == ["have the remote port 6379", "run in db"]
    assert said(found(rows, bad, keys))[:2] == ["run in db", "have the remote port 6379"]
    rows["unit"][12:31] = b""
    assert said(found(rows, bad, keys))[:2] == ["have the remote port 6379", "run in db"]


def test_what_is_listed_stays_a_little_longer_than_it_takes_to_be_listed() -> None:
    rows, bad = healthy(400), np.arange(400) < 40

    def listed(count: int, before: tuple[Key, ...]) -> tuple[Share, ...]:
        rows["unit"] = b""
        rows["unit"][:count], rows["unit"][100 : 100 + 24] = b"db", b"db"
        return tuple(share for share in found(rows, bad, before).shares if share.key[0] == "unit")

    counts = [count for count in range(LEAST_BAD, 40) if listed(count, ())]
    keys = tuple(share.key for share in listed(counts[0], ()))
    assert listed(counts[0] - 1, keys)
    assert not listed(counts[0] - 3, keys)


def test_more_than_anybody_reads_is_counted() -> None:
    rows = healthy(5000)
    bad = np.arange(5000) < 200
    for facet, name in enumerate(("rport", "lport", "pid", "unit")):
        rows[name][bad] = [
            np.array(str(at % 15).encode()) if name == "unit" else 7000 + 100 * facet + at % 15
            for at in range(200)
        ]
    common = found(rows, bad)
    assert len(common.shares) == MOST
    assert common.more >= 4 * 13 - MOST


def test_levels_have_names_of_their_own() -> None:
    names = [level.name for facet in FACETS for level in facet]
    assert len(set(names)) == len(names)
