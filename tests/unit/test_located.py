"""A batch of records is cut together with its rows."""

from __future__ import annotations

import numpy as np

from tcptop_rtt.model.records import RECORD, Kind
from tcptop_rtt.tracking.located import Located


def _batch() -> Located:
    records = np.zeros(4, RECORD)
    records["id"], records["kind"] = [10, 20, 30, 40], [Kind.OPEN, Kind.SEGMENT, Kind.SEGMENT, Kind.CLOSE]
    return Located(records, np.array([7, 8, 9, 5]), records["kind"].copy())


def test_records_rows_and_kinds_stay_together() -> None:
    batch = _batch()
    cut = batch.where(batch["id"] > 10).at(np.array([2, 0]))
    assert cut["id"].tolist() == [40, 20]
    assert cut.rows.tolist() == [5, 8]
    assert cut.kinds.tolist() == [Kind.CLOSE, Kind.SEGMENT]
    assert len(cut) == 2
    assert cut.records.dtype == RECORD


def test_a_batch_of_which_nothing_is_left_out_is_not_copied() -> None:
    batch = _batch()
    assert batch.where(np.ones(4, bool)) is batch
    assert len(batch.where(np.zeros(4, bool))) == 0
