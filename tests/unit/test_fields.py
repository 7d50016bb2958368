"""A field is defined in one place, and all front ends have it from there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.glyphs import UNICODE
from tests.unit.rows import row, rows_of

ROOT = Path(__file__).parents[2]

_ENTRY = """
    Field(
        "waited_ms",
        "integer",
        "a field that a test has added",
        values.integers("last_sent_ms"),
        matches.numbers(numbers.of_field("last_sent_ms"), unit_of("last_sent_ms")),
        column=Column(
            "waited",
            "WAITED",
            8,
            13,
            "since the last time",
            lambda row, _: cells.Cell(f"w{row.last_sent_ms}"),
            sort_keys.by_number("last_sent_ms"),
        ),
    ),
)
"""

_LOOK = """
import asyncio, json, tempfile
import numpy as np
from tcptop_rtt.outputs.jsonl import JsonLines
from tcptop_rtt.outputs.plain import PlainTables
from tcptop_rtt.outputs.schema import schema
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter, select
from tcptop_rtt.view.ranking import Ranking
from tests.tui.feed import HandFeed, Stage, make_app, snapshot
from tests.unit.rows import row

rows = [row(1, last_sent_ms=70), row(2, last_sent_ms=900), row(3, last_sent_ms=8)]

def written(make):
    with tempfile.TemporaryFile("w+") as file:
        make(Writer(file.fileno(), lambda: False)).show(snapshot(*rows))
        file.seek(0)
        return file.read()

async def screens():
    feed = HandFeed()
    app = make_app(feed)
    async with app.run_test(size=(360, 200)) as pilot:
        stage = Stage(pilot, app, feed)
        await stage.show(*rows)
        table = stage.screen_text
        await stage.press("question_mark")
        return table, stage.screen_text

table, explained = asyncio.run(screens())
columns_of = snapshot(*rows).rows
print(json.dumps({
    "json": written(lambda writer: JsonLines(writer, Filter(), lambda _: None)),
    "plain": written(lambda writer: PlainTables(writer, Filter(), str)),
    "schema": json.dumps(schema()),
    "table": table,
    "help": explained,
    "found": select(columns_of, Filter("waited>0.05s")).tolist(),
    "order": Ranking(columns_of, np.arange(3), CONNECTIONS.sorts["waited"], True).window(0, 3).tolist(),
}))
"""


def test_a_mean_is_the_sum_by_the_number_and_unknown_without_a_sample() -> None:
    mean = CONNECTIONS.column["mean"].cell
    assert mean
    shown = CONNECTIONS.views(
        rows_of(row(1, rtt_samples=4, rtt_sum_us=5000), row(2, rtt_sum_us=5000))[:], frozenset()
    )
    assert [mean(one, UNICODE).text for one in shown] == ["1.25ms", "-"]


def test_a_field_that_is_added_in_one_place_is_in_all_front_ends(tmp_path: Path) -> None:
    for name in ("tcptop_rtt", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    table = tmp_path / "tcptop_rtt" / "view" / "fields.py"
    before, end, after = table.read_text().partition("\n)\n\n_NO_FIELD = {")
    assert end
    table.write_text(before + _ENTRY + end.removeprefix("\n)\n") + after)
    command = [sys.executable, "-c", _LOOK]
    output = subprocess.run(
        command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=120
    ).stdout
    shown = json.loads(output)
    lines = map(json.loads, shown["json"].splitlines())
    assert [line["waited_ms"] for line in lines if line["event"] == "open"] == [70, 900, 8]
    assert "a field that a test has added" in shown["schema"]
    for name in ("plain", "table"):
        for text in ("WAITED", "w70", "w900", "w8"):
            assert text in shown[name], (name, text)
    assert "since the last time" in shown["help"]
    assert shown["found"] == [0, 1]
    assert shown["order"] == [1, 0, 2]
