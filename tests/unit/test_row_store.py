"""Rows keep their connections while others come, move and go."""

from __future__ import annotations

import numpy as np

from tcptop_rtt.model.records import RECORD, Kind
from tcptop_rtt.tracking.history import History
from tcptop_rtt.tracking.row_store import RowStore


def test_every_connection_keeps_its_own_row_through_a_long_life() -> None:
    rng = np.random.default_rng(5)
    now_ns = 10**9
    store = RowStore(lambda: now_ns)
    history = store.attach(History(now_ns))
    live: dict[int, int] = {}  # id to socket; sockets are used again
    closed: dict[int, int] = {}  # id to when
    serial = 0
    for _ in range(200):
        now_ns += 10**9
        fresh = int(rng.integers(0, 60))
        records = np.zeros(2 * fresh, RECORD)
        ids = np.arange(serial + 1, serial + fresh + 1) << 12
        serial += fresh
        socks = rng.choice(np.arange(1, 400), fresh, replace=False)
        for half in (slice(0, fresh), slice(fresh, 2 * fresh)):  # two records of each
            records["id"][half], records["sock"][half] = ids, socks
        records["open_seen"], records["kind"] = 1, Kind.OPEN
        rows = store.locate(records).rows
        assert store["id"][rows].tolist() == records["id"].tolist()
        history.add(rows[:fresh], ids.astype(np.uint32), np.full(fresh, now_ns, np.uint64))
        # A socket that is used again ends the connection that it was before.
        before = {sock: id_ for id_, sock in live.items()}
        closed.update((before[sock], now_ns) for sock in socks.tolist() if sock in before)
        live.update(zip(ids.tolist(), socks.tolist(), strict=True))
        ending = [id_ for id_ in live if id_ not in closed and rng.random() < 0.3]
        store.close(store.rows_of(np.array(ending, np.uint64)))
        closed.update((id_, now_ns) for id_ in ending)
        for id_ in closed:
            live.pop(id_, None)
        store.drop_closed(now_ns - 3 * 10**9)
        closed = {id_: when for id_, when in closed.items() if when >= now_ns - 3 * 10**9}
        assert store.count == len(live) + len(closed) == len(store._row_of_id)
        for id_ in (*live, *closed):
            row = store.row_of(id_)
            assert row is not None
            assert row < store.count
            assert store["id"][row] == id_
            assert store["closed"][row] == (id_ in closed)
            assert id_ not in live or store["sock"][row] == live[id_]
            assert history.past(row)[1].tolist() == [float(np.float32(id_))]
