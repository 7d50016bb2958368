"""Two times compared: the numbers of both sides, true shifts found, and hardly any where there is none."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from tcptop_rtt.comparing import chances
from tcptop_rtt.comparing.compared import FALSE_ALARMS, MEASURES, compare
from tcptop_rtt.comparing.fields import TABLE, label
from tcptop_rtt.comparing.listing import kinds_of
from tcptop_rtt.comparing.shifts import shift_text
from tcptop_rtt.comparing.tally import KINDS, MOST_GROUPS, SLICES, Tally
from tcptop_rtt.model.names import NO_NAMES
from tcptop_rtt.model.records import Direction
from tcptop_rtt.model.rows import ROW, fields_of
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.rtt_steps import STEPS, StepCounts, percentile_us
from tests.tui.feed import snapshot
from tests.unit.rows import row
from tests.unit.traffic import Traffic

RTT_MEASURES = ("p50_us", "p99_us", "loss")
SERVERS = tuple((f"198.51.{net}.7", 5000 + net) for net in range(6))


def tally(snapshots: Iterable[Snapshot], chosen: Filter | None = None) -> Tally:
    found = Tally(chosen or Filter())
    for one in snapshots:
        found.add(one)
    return found


def services(a: Tally, b: Tally, same: bool = False) -> NDArray[np.void]:
    rows = compare(a, b, same)
    found: NDArray[np.void] = rows[rows["kind"] == KINDS.index("service")]
    return found


@pytest.mark.parametrize(
    ("t", "degrees", "chance"),
    [(12.706, 1, 0.05), (4.303, 2, 0.05), (3.182, 3, 0.05), (2.228, 10, 0.05), (3.169, 10, 0.01), (0, 5, 1)],
)
def test_students_t_is_as_in_every_table(t: float, degrees: int, chance: float) -> None:
    assert chances.student(t, degrees) == pytest.approx(chance, rel=0.002)


def test_of_many_chances_those_are_called_none_that_are_small_among_so_many() -> None:
    found = chances.beyond(np.array([0.04, 0.001, np.nan, 0.011, 0.9, 0.5, 0.6, 0.0]), 0.05)
    assert found.tolist() == [False, True, False, True, False, False, False, True]
    assert not chances.beyond(np.array([0.04, 0.5]), 0.05).any()
    assert not chances.beyond(np.array([np.nan]), 0.05).any()


def test_percentiles_are_those_of_the_samples_themselves() -> None:
    us = np.exp(np.random.default_rng(1).normal(10, 0.5, 3000))
    counts = StepCounts(4)
    # Three at a time: of so many each one is known.
    for three in us.reshape(-1, 3):
        values = {
            "rtt_samples": np.array([3]),
            "rtt_sum_us": np.array([three.sum()]),
            "rtt_lo_us": np.array([three.min()]),
            "rtt_hi_us": np.array([three.max()]),
        }
        counts.add(np.array([2]), np.array([1]), values.__getitem__)
    whole = counts.of(2)
    assert whole.sum() == whole[1].sum() == 3000
    assert not counts.of(1).any()
    for share in (0.5, 0.99):
        found = float(percentile_us(whole.sum(axis=0), 0, share))
        assert found == pytest.approx(np.quantile(us, share), rel=0.02)
    counts.halve()
    assert counts.of(2)[0].sum() == 3000
    assert np.isnan(percentile_us(np.zeros(STEPS), 0, 0.5))


def _counted(step: int, **fields: int) -> Snapshot:
    return snapshot(row(1, lport=1, direction=1, **fields), step=step)


def test_what_is_counted_is_what_has_been_gained_since_the_side_began() -> None:
    def of(step: int) -> dict[str, int]:
        return {
            "bytes_received": 10_000 + 1000 * step,
            "bytes_acked": 90_000 + 2000 * step,
            "retrans": 50 + step,
            "data_segs_out": 5000 + 100 * step,
        }

    one = tally(_counted(step, **of(step)) for step in range(11))
    (found,) = services(one, one)
    assert one.watched_s == 10
    assert found["in_bps_a"] == 8000
    assert found["out_bps_a"] == 16000
    assert found["loss_a"] == pytest.approx(0.01)
    assert found["connections_a"] == 1
    assert label(found) == "→ :443"


def test_a_filter_that_a_connection_matches_now_and_then_counts_what_it_gains_meanwhile() -> None:
    one = tally(
        (
            _counted(
                step, srtt_us=60_000 if step % 2 else 40_000, open_seen=True, bytes_acked=10**9 + 1000 * step
            )
            for step in range(11)
        ),
        Filter("rtt>50ms"),
    )
    (found,) = services(one, one)
    assert (
        one.of_bundles("out_bits").sum() == 2 * 5 * 8000
    )  # of its service and its network, in 5 of 10 seconds
    assert found["out_bps_a"] == 4000


def test_a_connection_counts_from_its_opening_where_that_was_seen_and_else_from_when_it_was_first_there() -> (
    None
):
    def later(opened: bool) -> Tally:
        new = row(2, bytes_received=4000, open_seen=opened, direction=1)
        old = row(1, bytes_received=0, direction=1)
        return tally([snapshot(old, step=0), snapshot(old, new, step=1), snapshot(old, new, step=2)])

    rates = [services(later(opened), later(opened))["in_bps_a"][0] for opened in (True, False)]
    assert rates == [16000, 0]


def test_what_an_older_connection_had_before_its_first_whole_record_is_no_gain() -> None:
    counters = ("bytes_received", "bytes_acked", "retrans", "data_segs_out")
    partial = row(1, state=0, open_seen=False, scanned=False, direction=1, **dict.fromkeys(counters, 0))
    whole = row(1, open_seen=False, direction=1, **dict.fromkeys(counters, 5_000_000))
    one = tally(snapshot(each, step=step) for step, each in enumerate((partial, partial, whole, whole)))
    (found,) = services(one, one)
    assert (found["in_bps_a"], found["out_bps_a"]) == (0, 0)
    assert np.isnan(found["loss_a"])


def test_a_number_that_a_scan_has_not_read_yet_is_no_zero() -> None:
    before = row(1, scanned=False, data_segs_out=0, retrans=7, direction=1, open_seen=False)
    after = row(1, scanned=True, data_segs_out=500, retrans=7, direction=1, open_seen=False)
    last = row(1, scanned=True, data_segs_out=700, retrans=9, direction=1, open_seen=False)
    snapshots = [snapshot(one, step=step) for step, one in enumerate((before, before, after, last))]
    (found,) = services(tally(snapshots), tally(snapshots))
    assert found["loss_a"] == pytest.approx(2 / 200)
    (found,) = services(tally(snapshots[:2]), tally(snapshots))
    assert math.isnan(found["loss_a"])


def test_what_was_sent_again_counts_when_the_segments_that_it_is_a_share_of_do() -> None:
    """A scan reads those, every few seconds; each record tells of what was sent again."""
    told = [(1000, 10), (1000, 14), (1000, 18), (1400, 20), (1400, 25)]
    found = tally(
        _counted(step, data_segs_out=sent, retrans=again) for step, (sent, again) in enumerate(told)
    )
    assert found.of_slices("data_segs_out")[0].tolist()[:4] == [0, 0, 400, 0]
    assert found.of_slices("retrans")[0].tolist()[:4] == [0, 0, 10, 0]


def test_a_true_shift_is_marked_and_nothing_else_is() -> None:
    """20 to 30 ms, and no more connections, no higher rates and no more loss."""
    for seed in range(5):
        a, b = (tally(Traffic(seed + 100 * n, rtt_ms=20 + 10 * n).snapshots(90)) for n in range(2))
        (found,) = services(a, b)
        assert found["p50_us_beyond"]
        assert found["p50_us_a"] == pytest.approx(20_000, rel=0.1)
        assert found["p50_us_b"] == pytest.approx(30_000, rel=0.1)
        assert not any(found[f"{name}_beyond"] for name in MEASURES[2:])


def test_more_loss_is_marked_though_rtts_are_the_same() -> None:
    a, b = (tally(Traffic(n, loss=0.01 + 0.02 * n).snapshots(90)) for n in range(2))
    (found,) = services(a, b)
    assert found["loss_beyond"]
    assert not found["p50_us_beyond"]
    assert shift_text(found, "loss").startswith("+")


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"stays": 1.0},
        {"connections": 8, "spread": 0.5},
        {"servers": SERVERS, "connections": 60},
    ],
    ids=str,
)
def test_where_nothing_differs_false_alarms_are_as_rare_as_is_said(kind: dict[str, float]) -> None:
    """Connections of the same kind on both sides; the very same numbers come each time."""
    pairs, alarms, marked, asked = 24, 0, 0, 0
    for seed in range(pairs):
        a, b = (tally(Traffic(2 * seed + n, **kind).snapshots(45)) for n in range(2))  # type: ignore[arg-type]
        rows = services(a, b)
        chance = np.stack([rows[f"{name}_chance"] for name in MEASURES])
        asked += int(np.isfinite(chance).sum())
        marked += int((chance < FALSE_ALARMS).sum())
        alarms += any(rows[f"{name}_beyond"].any() for name in MEASURES)
    assert asked > pairs * len(MEASURES) // 2
    expected = FALSE_ALARMS * asked
    assert marked <= expected + 3 * math.sqrt(expected)
    # Of 24 more than 4 would come once in a hundred and fifty times.
    assert alarms <= 4


def test_loss_that_comes_and_goes_in_phases_is_no_more_of_an_alarm() -> None:
    """It is the same on both sides, but high for some seconds and low for others."""

    def in_phases(seed: int) -> Iterator[Snapshot]:
        traffic, chance, level = Traffic(seed, connections=30, stays=0.97), np.random.default_rng(seed), 0.0
        for step in range(60):
            level = 0.8 * level + chance.normal(0, 0.4)
            traffic.change(loss=min(0.2, 0.02 * math.exp(level)))
            yield from traffic.snapshots(1, step)

    pairs, marked = 24, 0
    for seed in range(pairs):
        (found,) = services(tally(in_phases(2 * seed)), tally(in_phases(2 * seed + 1)))
        marked += int(found["loss_chance"] < FALSE_ALARMS)
    assert marked <= FALSE_ALARMS * pairs + 3 * math.sqrt(FALSE_ALARMS * pairs)


def test_of_random_halves_of_one_recording_hardly_any_is_marked() -> None:
    snapshots = list(Traffic(1, connections=60, servers=SERVERS, stays=0.97).snapshots(60))
    alarms = 0
    for seed in range(12):
        chance = np.random.default_rng(seed)
        chosen = chance.random(10_000) < 0.5
        a, b = (tally(_part(one, half) for one in snapshots) for half in (chosen, ~chosen))
        rows = services(a, b)
        alarms += any(rows[f"{name}_beyond"].any() for name in MEASURES)
    assert alarms <= 3


def _part(one: Snapshot, chosen: NDArray[np.bool_]) -> Snapshot:
    indices = np.flatnonzero(chosen[one.rows["id"]])
    return Snapshot(one.time_ns, one.clock_ns, one.rows.take(indices), (), one.health, None)


def test_of_the_same_few_connections_before_and_after_a_shift_is_marked() -> None:
    traffic = Traffic(7, connections=2, stays=1.0)
    before = tally(traffic.snapshots(60))
    traffic.change(rtt_ms=30.0)
    after = tally(traffic.snapshots(60, 60))
    (found,) = services(before, after, same=True)
    assert found["p50_us_beyond"]
    # Of other connections nobody knows whether these two have not been as slow before.
    (found,) = services(before, after, same=False)
    assert math.isnan(found["p50_us_chance"])
    assert not found["p50_us_beyond"]


def test_too_little_data_says_so_instead_of_a_number() -> None:
    a, b = (tally(Traffic(n, rtt_ms=20 + 40 * n).snapshots(4)) for n in range(2))
    (found,) = services(a, b)
    assert all(math.isnan(found[f"{name}_chance"]) for name in MEASURES)
    get = fields_of(np.array([found]), np.arange(1))
    told = {field.name: field.values(get, frozenset())[0] for field in TABLE.fields}
    assert told["p50_us_beyond_chance"] is None
    assert told["p50_us_chance"] is None
    assert told["p50_us_b"] == pytest.approx(60_000, rel=0.2)


def test_a_group_that_is_on_one_side_only_has_come_or_gone() -> None:
    a, b = (tally(Traffic(n, servers=SERVERS[n : n + 2], connections=80).snapshots(60)) for n in range(2))
    found = {label(one): shift_text(one, "out_bps") for one in services(a, b)}
    assert found["→ :5000"] == "gone"
    assert found["→ :5002"] == "new"
    assert found["→ :5001"] not in ("gone", "new", "")
    marked = {label(one): bool(one["connections_beyond"]) for one in services(a, b)}
    assert marked == {"→ :5000": True, "→ :5001": False, "→ :5002": True}


def test_slices_become_longer_and_nothing_is_lost() -> None:
    long = tally(Traffic(1, connections=3).snapshots(300))
    assert long.slices <= SLICES
    assert long.slice_s == 16
    for name in ("samples", "out_bits", "retrans"):
        assert long.of_slices(name).sum() == pytest.approx(long.of_bundles(name).sum())
    assert long.by_slice.of(0).sum(axis=1).tolist() == long.of_slices("samples")[0].tolist()
    assert long.by_slice.of(0).sum() == long.by_bundle.of(0).sum() == long.of_bundles("samples")[0].sum()


def test_only_what_the_filter_lets_through_is_compared() -> None:
    traffic = list(Traffic(1, servers=SERVERS).snapshots(5))
    only = tally(traffic, Filter("port:5003"))
    assert {label(one) for one in services(only, only)} == {"→ :5003"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "→ :5001 198.51.1.0/24 nginx :443 192.0.2.0/24"),
        ("NGINX", "nginx :443"),
        ("port:443 proc:nginx dir:in", "nginx :443"),
        (":5001", "→ :5001"),
        ("198.51.1.", "198.51.1.0/24"),
        ("remote:198.51.0.0/16", "198.51.1.0/24"),
        ("!remote:198.51.0.0/16", "192.0.2.0/24"),  # a service has no address
        ("kind:network", "198.51.1.0/24 192.0.2.0/24"),
        ("p50_us_b>15ms", "→ :5001 198.51.1.0/24"),
        ("p50>0.5", "→ :5001 198.51.1.0/24"),
        ("!p50>0.5", ""),  # of the other one nothing is known
        ("p50_us_beyond_chance:yes or !p50_us_beyond_chance:yes", ""),
        ("farthest:p50", ""),
        ("in_bps_a>=0 family:4", "198.51.1.0/24 192.0.2.0/24"),
    ],
)
def test_a_filter_asks_for_what_groups_have(text: str, found: str) -> None:
    sides = []
    for rtt_us in (10_000, 20_000):
        sampled = {"rtt_samples": 3, "rtt_sum_us": 3 * rtt_us, "rtt_lo_us": rtt_us, "rtt_hi_us": rtt_us}
        ours = row(2, lport=443, rport=5000, comm=b"nginx", raddr="192.0.2.7", direction=Direction.IN)
        theirs = row(1, rport=5001, raddr="198.51.1.7", direction=Direction.OUT, **sampled)
        sides.append(tally([snapshot(theirs, ours, step=step) for step in range(3)]))
    rows = compare(sides[0], sides[1], False)
    lists = [kind.list(snapshot(), Filter(text), NO_NAMES) for kind in kinds_of(rows)]
    names = [label(one) for each in lists for one in rows[each.indices]]
    assert sorted(names) == sorted(re.findall(r"(?:→|nginx) \S+|\S+", found))
    assert [each.total for each in lists] == [2, 2]


def test_networks_are_of_one_size_by_family() -> None:
    v6 = {"family": 6, "raddr": "2001:db8:1:2::3", "direction": 1}
    rows = [row(1, raddr="198.51.100.200", direction=1), row(2, raddr="198.51.100.3", direction=1)]
    snapshots = [snapshot(*rows, row(3, **v6), step=step) for step in range(3)]
    found = compare(tally(snapshots), tally(snapshots), True)
    networks = {label(one) for one in found[found["kind"] == KINDS.index("network")]}
    assert networks == {"198.51.100.0/24", "2001:db8:1::/48"}


def test_there_is_an_end_to_groups_and_it_is_told() -> None:
    many = np.zeros(MOST_GROUPS + 500, ROW)
    many["id"], many["family"], many["scanned"] = np.arange(1, len(many) + 1), 4, True
    many["rport"], many["lport"], many["direction"] = 443, 50_000, 1
    raw = np.zeros((len(many), 16), np.uint8)
    raw[:, 10:12], raw[:, 12] = 255, 20
    raw[:, 13], raw[:, 14] = np.arange(len(many)) // 256, np.arange(len(many)) % 256
    many["raddr"] = raw.view("V16").reshape(-1)
    from tests.unit.rows import columns_of

    found = Tally(Filter())
    for step in range(1, 3):
        found.add(Snapshot(step, step * 10**9, columns_of(many), (), snapshot().health, None))
    assert len(found.keys) == MOST_GROUPS
    assert found.left_out >= 500
