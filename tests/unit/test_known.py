"""What a field is worth: one value at a time, and column by column."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.rows import INFINITE_SSTHRESH, ROW, UNKNOWN_U32
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter, select
from tests.unit.rows import columns_of, row, rows_of

LACKING = frozenset({"cwnd", "data_segs_out"})
NUMBERS = [name for name in ROW.names or () if ROW[name].kind in "iu"]


def test_single_values_and_columns_have_the_same_rules() -> None:
    rows = _at_edges()
    for name in NUMBERS:
        masks = known.is_unknown(columns_of(rows).__getitem__, name, LACKING)
        values = [known.value(one, name, LACKING) for one in rows]
        assert [value is None for value in values] == masks.tolist(), name
        assert [value for value in values if value is not None] == rows[name][~masks].tolist()


def test_what_rests_on_something_unknown_is_unknown() -> None:
    get = columns_of(_at_edges()).__getitem__
    for name in NUMBERS:
        for needed in set(known.told_by(name)) & set(NUMBERS):
            assert known.is_unknown(get, name)[known.is_unknown(get, needed)].all(), (name, needed)


def _at_edges() -> NDArray[np.void]:
    rng = np.random.default_rng(5)
    rows = np.zeros(200, ROW)
    for name in NUMBERS:
        edges = np.array([0, 0, 1, UNKNOWN_U32, INFINITE_SSTHRESH], np.uint64)
        rows[name] = rng.choice(edges, len(rows)).astype(ROW[name])
    rows["scanned"] = rng.random(len(rows)) < 0.5
    return rows


def test_the_rtt_of_one_row_and_of_all_rests_on_the_same() -> None:
    rng = np.random.default_rng(6)
    rows = np.zeros(5000, ROW)
    for name in ("srtt_us", "rcv_rtt_us"):
        rows[name] = rng.choice([0, 700], len(rows))
    for name in ("rtt_age_ms", "last_received_ms"):
        edges = [0, 9_999, 10_000, 10_001, 25_000, UNKNOWN_U32 - 1, UNKNOWN_U32]
        rows[name] = rng.choice(np.array(edges, np.uint32), len(rows))
    rows["bytes_acked"] = rng.choice([0, 1, 2], len(rows))
    bases, us = known.rtts(columns_of(rows).__getitem__)
    one_by_one = [known.rtt(one) for one in rows]
    assert [one.basis for one in one_by_one] == bases.tolist()
    assert set(bases.tolist()) == set(known.RttBasis)
    assert [one.us for one in one_by_one] == us.tolist()
    assert known.rtt_of_each(rows) == one_by_one


def test_the_handshakes_sample_has_no_age_anywhere() -> None:
    rows = rows_of(*(row(acked + 1, bytes_acked=acked, rtt_age_ms=2960) for acked in (0, 1, 2)))
    assert [known.value(one, "rtt_age_ms") for one in rows] == [None, None, 2960]
    assert known.never_sampled(rows.__getitem__).tolist() == [True, True, False]
    (field,) = (field for field in CONNECTIONS.fields if field.name == "rtt_age_ms")
    assert list(field.values(rows.__getitem__, frozenset())) == [None, None, 2960]
    assert rows["id"][select(rows, Filter("rtt_age_ms<1h"))].tolist() == [3]
    assert {known.rtt(one).age_ms for one in rows[:2]} == {5000}  # that of the connection


def test_a_connection_has_what_is_known_and_none_for_the_rest() -> None:
    one = Connection(rows_of(row(7, cwnd=10, mss=0, data_segs_out=3, window_ms=0, retrans=4))[0], LACKING)
    assert (one.id, one.srtt_us, one.retrans, one.stalled, one.comm) == (7, 7000, 4, False, b"proc7")
    assert (one.cwnd, one.mss, one.data_segs_out, one.data_segs_out_1m, one.retrans_1m) == (None,) * 5
    assert one.laddr[12:] == bytes([192, 0, 2, 1])


def test_a_connection_has_all_fields_of_a_row() -> None:
    assert set(ROW.names or ()) <= set(dir(Connection))


def test_what_is_no_number_is_unknown() -> None:
    rates = {"drops_per_s": np.array([np.nan, 0.0, 2.0])}
    assert known.is_unknown(rates.__getitem__, "drops_per_s").tolist() == [True, False, False]
    counts = {"drops_per_s": np.array([0, 0, 2])}
    assert not known.is_unknown(counts.__getitem__, "drops_per_s").any()
