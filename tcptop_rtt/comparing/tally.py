"""Adds up the numbers of one side's connections, snapshot by snapshot.

All sums are kept twice: by bundle of connections and by slice of time. How much bundles or slices differ
shows how much a number varies by chance. Memory grows with groups, not with connections or time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.ids import among, matched, places
from tcptop_rtt.model.mixing import mixed
from tcptop_rtt.model.prefixes import USUAL_PREFIXES
from tcptop_rtt.model.rows import ROW, Get, Indices, fields_of
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.filter import Filter, listed
from tcptop_rtt.view.grouping import SERVICES
from tcptop_rtt.view.networks import networks as networks_of
from tcptop_rtt.view.rtt_steps import StepCounts

BUNDLES = 128
"""The most bundles of connections in a group; a connection's number decides on its bundle."""
SLICES = 32
"""The most slices of time; when more are needed, neighbours are merged in pairs."""
FIRST_SLICE_S = 1.0
MOST_GROUPS = 8192
"""The first groups to appear are kept; later ones are left out, and counted."""
PAUSE_S = 10.0
"""If snapshots are further apart and have no connection in common, the program was not running."""
KINDS = ("service", "network")

KEY = np.dtype(
    [
        ("id", "u8"),  # made of what its connections have in common: the same on both sides
        ("kind", "u1"),  # index into KINDS
        *((name, ROW[name]) for name in ("family", "raddr", "rport", "comm", "direction")),
    ]
)
"""What the connections of a group have in common; zeros where they differ."""

AMOUNTS = ("retrans", "data_segs_out", "in_bits", "out_bits", "open_s", "samples")
"""What is added up: segments, bits, how long connections were open, RTT samples."""
_COUNTERS = ("data_segs_out", "retrans", "bytes_received", "bytes_acked")
_TWICE = 2


class Tally:
    """Sums over the snapshots of one side, passed to :meth:`add` one by one. Not thread-safe.

    :param chosen: only connections that match it count
    """

    def __init__(self, chosen: Filter) -> None:
        self._chosen = chosen
        self.keys = np.zeros(0, KEY)
        """Of all groups, in the order in which they appeared."""
        self.left_out = 0
        """There was no room for at least so many groups."""
        self.by_bundle = StepCounts(BUNDLES)
        """RTT samples of each group and bundle."""
        self.by_slice = StepCounts(SLICES)
        self._bundles, self._slices = _Sums(BUNDLES), _Sums(SLICES)
        self.slice_s = FIRST_SLICE_S
        self.watched_s = 0.0
        """The time that snapshots cover; times without the program running do not count."""
        self.first_ns = self.last_ns = 0
        self._begun = False
        self._clock_ns = 0
        self._numbers = np.zeros(0, np.uint64)  # of the connections in the latest snapshot, ascending
        self._before = {name: np.zeros(0, np.int64) for name in _COUNTERS}

    # --- read ------------------------------------------------------------------------------------------

    @property
    def slices(self) -> int:
        """How many slices there are; the last one counts if at least half of it is covered."""
        return min(SLICES, int(self.watched_s / self.slice_s + 0.5))

    def of_bundles(self, name: str) -> NDArray[np.float64]:
        """Returns the sums of an amount, shape (groups, BUNDLES)."""
        return self._bundles.of(name, len(self.keys))

    def of_slices(self, name: str) -> NDArray[np.float64]:
        """Returns the sums of an amount, shape (groups, SLICES)."""
        return self._slices.of(name, len(self.keys))

    def none(self, what: str) -> NDArray[np.float64]:
        """Returns the sums of a group that does not exist, by ``bundles`` or ``slices``."""
        return np.zeros(BUNDLES if what == "bundles" else SLICES)

    # --- add -------------------------------------------------------------------------------------------

    def add(self, snapshot: Snapshot) -> None:
        """Adds a snapshot; the first one only gives counters to compare the next one with."""
        rows, lacking = snapshot.rows, snapshot.health.lacking
        # Gains need all rows, as a filter may select different connections each time.
        indices = listed(rows, Filter(), lacking)
        get = fields_of(rows, indices)
        numbers = mixed([get(name) for name in ("id", "raddr", "lport", "rport")])
        order = np.argsort(numbers)
        elapsed_s = max(0.0, (snapshot.clock_ns - self._clock_ns) / 1e9) if self._begun else 0.0
        at = places(self._numbers, numbers)
        found = at >= 0
        if elapsed_s > PAUSE_S and not found.any():
            elapsed_s = 0.0
        gained = self._gained(get, lacking, at, found)
        if self._begun:
            self.last_ns = snapshot.time_ns
            self.watched_s += elapsed_s
            while self.watched_s > SLICES * self.slice_s:
                self._merge_slices()
            chosen = np.flatnonzero(among(indices, listed(rows, self._chosen, lacking)))
            gains = {name: values[chosen] for name, values in gained.items()}
            self._count(fields_of(rows, indices[chosen]), numbers[chosen], gains, elapsed_s)
        else:
            self.first_ns = self.last_ns = snapshot.time_ns
        self._begun, self._clock_ns = True, snapshot.clock_ns
        self._numbers = numbers[order]
        self._before = {name: values[order] for name, values in self._after.items()}

    def _gained(
        self, get: Get, lacking: frozenset[str], at: Indices, found: NDArray[np.bool_]
    ) -> dict[str, NDArray[np.float64]]:
        """Returns what counters have gained since the previous snapshot; 0 where that is not known."""
        gained: dict[str, NDArray[np.float64]] = {}
        partial = ~known.is_whole(get)
        unread = known.is_unknown(get, "data_segs_out", lacking)
        self._after: dict[str, NDArray[np.int64]] = {}
        # A connection that has been opened since then has gained all that it has.
        is_new = ~found & get("open_seen") & self._begun
        for name in _COUNTERS:
            before = np.where(is_new, 0, -1)
            if len(self._numbers):
                before = np.where(found, self._before[name][at], before)
            unknown = known.is_unknown(get, name, lacking)
            if name == "retrans":
                # Retransmits wait for the next scan: only a scan reads the segments that they are a share of.
                unknown = unread | (gained["data_segs_out"] == 0) & (before >= 0)
            now = np.where(unknown | partial, before, get(name).astype(np.int64))
            gained[name] = np.where(before < 0, 0, np.maximum(now - before, 0)).astype(np.float64)
            self._after[name] = now
        return gained

    def _count(
        self,
        get: Get,
        numbers: NDArray[np.uint64],
        gained: dict[str, NDArray[np.float64]],
        elapsed_s: float,
    ) -> None:
        """Adds each connection to its service and to its network."""
        groups = self._groups_of(get)
        some = groups >= 0
        rows = np.tile(np.arange(len(numbers)), _TWICE)[some]
        group = groups[some]
        bundle = (numbers % np.uint64(BUNDLES)).astype(np.intp)[rows]
        now = min(int((self.watched_s - elapsed_s / 2) / self.slice_s), SLICES - 1)
        slice_ = np.full(len(rows), now)
        samples = get("rtt_samples").astype(np.float64)
        amounts = (
            gained["retrans"],
            gained["data_segs_out"],
            8 * gained["bytes_received"],
            8 * gained["bytes_acked"],
            elapsed_s * ~get("closed"),
            samples,
        )
        of_rows = np.stack(amounts)[:, rows]
        self._bundles.add(group, bundle, of_rows)
        self._slices.add(group, slice_, of_rows)
        sampled = np.flatnonzero(samples[rows] > 0)
        chosen = rows[sampled]

        def field(name: str) -> NDArray[Any]:
            return get(name)[chosen]

        self.by_bundle.add(group[sampled], bundle[sampled], field)
        self.by_slice.add(group[sampled], slice_[sampled], field)

    def _merge_slices(self) -> None:
        self.slice_s *= 2
        self.by_slice.halve()
        self._slices.halve()

    def _groups_of(self, get: Get) -> NDArray[np.intp]:
        """Returns the groups of rows: first the service of each, then the network of each; -1: no room."""
        keys = np.zeros(_TWICE * len(get("id")), KEY)
        services, networks = np.split(keys, _TWICE)
        shared = SERVICES.shared(get)
        for name, values in shared.items():
            services[name] = values
        services["id"] = mixed(shared.values())
        networks["kind"] = KINDS.index("network")
        networks["family"] = get("family")
        networks["raddr"] = networks_of(get, USUAL_PREFIXES)
        networks["id"] = mixed([networks[name] for name in ("kind", "family", "raddr")])
        ids, first, which = np.unique(keys["id"], return_index=True, return_inverse=True)
        group = matched(self.keys["id"], ids)
        fresh = group < 0
        if fresh.any():
            room = MOST_GROUPS - len(self.keys)
            taken = first[fresh][:room]
            self.left_out = max(self.left_out, int(fresh.sum()) - len(taken))
            self.keys = np.concatenate([self.keys, keys[taken]])
            group = matched(self.keys["id"], ids)
        found: Indices = group[which]
        return found


class _Sums:
    """The sums of all amounts, by group and unit."""

    def __init__(self, units: int) -> None:
        self._units = units
        self._sums = np.zeros((len(AMOUNTS), 0, units))

    def of(self, name: str, groups: int) -> NDArray[np.float64]:
        self._grow(groups)
        return self._sums[AMOUNTS.index(name), :groups]

    def add(self, group: Indices, unit: Indices, values: NDArray[np.float64]) -> None:
        """Adds values of shape (amounts, N)."""
        if not len(group):
            return
        self._grow(int(group.max()) + 1)
        # Only sums that grow are touched: of many groups, a snapshot may have few.
        touched, at = np.unique(group * self._units + unit, return_inverse=True)
        flat = self._sums.reshape(len(AMOUNTS), -1)
        for sums, each in zip(flat, values, strict=True):
            sums[touched] += np.bincount(at, weights=each, minlength=len(touched))

    def halve(self) -> None:
        """Merges neighbouring units in pairs."""
        pairs = self._sums[:, :, ::2] + self._sums[:, :, 1::2]
        self._sums = np.concatenate([pairs, np.zeros_like(pairs)], axis=2)

    def _grow(self, groups: int) -> None:
        count = self._sums.shape[1]
        if groups > count:
            more = np.zeros((len(AMOUNTS), max(groups, 2 * count) - count, self._units))
            self._sums = np.concatenate([self._sums, more], axis=1)
