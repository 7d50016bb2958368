"""The chart as text, at several sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tcptop_rtt.model.snapshot import Changes
from tcptop_rtt.view import plot
from tcptop_rtt.view.chart import HOLD_S, Series
from tcptop_rtt.view.glyphs import ASCII, UNICODE, Glyphs
from tests.unit.snapshots import NOON_S

GOLDEN = Path(__file__).parent / "golden" / "charts.txt"
SIZES = ((120, 20), (71, 12), (51, 9), (30, 5))

pytestmark = pytest.mark.usefixtures("in_utc")


def eventful() -> Series:
    """A queue that fills and empties, a stall of seven seconds, and segments sent again."""
    time_s = np.concatenate((np.arange(-58, -40, 1.0), np.arange(-40, -22, 0.1), np.arange(-14, 0, 0.1)))
    rtt_us = 41_000 * np.exp(1.2 * np.maximum(np.sin(time_s / 9), 0)) * (1 + 0.15 * (time_s * 10 % 7 > 5))
    known = time_s >= -40
    changes = Changes(
        np.array([-40.0, -31.5, -30.0, -21.0, -14.0, -5.0]),
        np.array([3, 5, 6, 7, 8, 9], np.uint32),
        np.array([False, False, False, True, False, False]),
    )
    weight = known.astype(np.float64)
    return Series(time_s, rtt_us, np.where(known, rtt_us * 0.95, 0), weight, changes, 10**12, NOON_S * 10**9)


def steady(silent_s: float = 0.0, **fields: object) -> Series:
    """A sample a second, 0.9 ms each."""
    time_s = np.arange(-59.0, 1 - silent_s)
    values = np.full(len(time_s), 900.0)
    return Series(time_s, values, values, np.ones(len(time_s)), end_ns=10**12, **fields)  # type: ignore[arg-type]


def text(
    series: Series, glyphs: Glyphs = ASCII, width: int = 73, height: int = 15, cursor: int | None = None
) -> list[str]:
    """By default of a column per second."""
    lines = plot.lines(series, glyphs, width, height, cursor)
    return ["".join(part for part, _ in line) for line in lines]


def inside(lines: list[str]) -> list[str]:
    """The plot's own cells."""
    return [line[plot.MARGIN : -plot.NAMES] for line in lines[1:-2]]


def test_charts_of_several_sizes_are_those_of_the_golden_file() -> None:
    drawn = []
    for glyphs in (UNICODE, ASCII):
        for width, height in SIZES:
            for cursor in (None, plot.columns_in(width) // 2):
                drawn += [f"{width}x{height}", *text(eventful(), glyphs, width, height, cursor)]
    assert drawn == GOLDEN.read_text().splitlines()


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("size", [(9, 9), (20, 4), (21, 5), (40, 6), (60, 8), (300, 70)])
def test_whatever_the_size_each_line_fits(glyphs: Glyphs, size: tuple[int, int]) -> None:
    for cursor in (None, 3):
        lines = text(eventful(), glyphs, *size, cursor)
        assert len(lines) in (0, size[1])
        assert bool(lines) == (size[0] >= 21 and size[1] >= 5)
        assert all(len(line) <= size[0] for line in lines[1:])
        assert glyphs is UNICODE or "".join(lines).isascii()


def test_the_legend_explains_what_is_there_and_nothing_else() -> None:
    whole = text(eventful(), width=160)[0]
    assert "r retransmit" in whole
    assert "/ stalled" in whole
    assert "before: the highest per second" in whole
    plain = text(steady(), width=160)[0]
    assert "p50 0.900ms" in plain
    assert not any(word in plain for word in ("retransmit", "stalled", "before"))
    assert plot.lines(eventful(), ASCII, 160, 15)[0][-2][1] == "label"


def test_the_series_differ_without_colour_and_with() -> None:
    for glyphs in (UNICODE, ASCII):
        styles: dict[str, set[str]] = {}
        for line in plot.lines(eventful(), glyphs, 120, 30)[1:-2]:
            for part, style in line:
                styles.setdefault(style, set()).update(part)
        assert styles.keys() >= {"raw", "smooth", "level", "stall"}
        assert not styles["raw"] & styles["smooth"]
        others = styles["level"] | styles["stall"] - set(plot.STALLED)
        assert not (styles["raw"] | styles["smooth"]) & others


def test_a_spike_of_one_sample_is_never_lost() -> None:
    time_s = np.linspace(-59, 0, 50_000)
    rtt_us = np.full(50_000, 1000.0)
    rtt_us[12_345] = 900_000.0
    series = Series(time_s, rtt_us, np.full(50_000, 1000.0), np.ones(50_000))
    top = inside(text(series, UNICODE, 60, 14))[0]
    assert sum(0x2800 < ord(char) <= 0x28FF for char in top) == 1


@pytest.mark.parametrize("silent_s", [3, 12, 50])
def test_through_an_outage_nothing_is_drawn_but_how_long_it_is(silent_s: int) -> None:
    plotted = inside(text(steady(silent_s)))
    note = f"no sample for {silent_s}s"
    assert sum(note in line for line in plotted) == 1
    since_s = round(silent_s - HOLD_S) - 1
    gap = [line.replace(note, "")[60 - since_s :] for line in plotted]
    assert not any("*" in line or "|" in line for line in gap)
    assert any("*" in line for line in plotted)


def test_a_line_that_goes_on_says_nothing_of_silence() -> None:
    assert "no sample" not in "".join(text(steady(2)))


def test_before_opening_the_highest_samples_are_no_smoothed_line() -> None:
    plotted = inside(text(eventful()))
    assert not any("*" in line[:19] for line in plotted)
    assert any("*" in line[22:] for line in plotted)
    assert any("|" in line[:19] for line in plotted)


def test_the_smoothed_line_joins_where_it_rises_and_falls() -> None:
    time_s = np.arange(-59.0, 1)
    rtt_us = np.where((time_s > -40) & (time_s < -20), 100_000.0, 1000.0)
    series = Series(time_s, rtt_us * 0 + 1000, rtt_us, time_s * 0 + 1, end_ns=10**12)
    plotted = inside(text(series, UNICODE))
    top, bottom = plotted[0], plotted[-1]
    assert top.strip(" ┈").strip("─") == "╭" + "─" * (top.count("─")) + "╮"
    assert bottom.count("╯") == bottom.count("╰") == 1
    assert all(line.count("│") == 2 for line in plotted[1:-1])


def test_a_stall_fills_its_time_and_says_so_where_there_is_room() -> None:
    lines = text(eventful())
    plotted = inside(lines)
    assert "stalled" in plotted[0]
    assert plotted[2][39:46] == "/" * 7
    assert lines[-2][plot.MARGIN :][38:46] == "r//////r"
    still = Changes(np.array([-40.0, -10.0]), np.zeros(2, np.uint32), np.array([False, True]))
    assert "stalled, no sample for 12s" in "".join(text(steady(12, changes=still)))


def test_marks_stand_below_the_columns_where_segments_were_sent_again() -> None:
    marks = text(eventful())[-2][plot.MARGIN :]
    assert [at for at, char in enumerate(marks) if char == plot.RETRANS] == [27, 29, 38, 45, 54]


@pytest.mark.parametrize("rtt_us", [900, 1000, 1999, 2000])
@pytest.mark.parametrize("height", [5, 6, 7, 20])
def test_levels_close_together_are_named_in_their_order(rtt_us: float, height: int) -> None:
    time_s = np.arange(-59.0, 1)
    values = np.where(time_s == -30, rtt_us * 1.9, rtt_us)
    series = Series(time_s, values, values, np.ones(60), end_ns=10**12)
    names = [line[-plot.NAMES :].strip() for line in text(series, height=height)[1:-2]]
    assert [name for name in names if name] == ["p95", "p50", "min"][: height - 3]


def test_the_cursor_reads_its_column_in_place_of_the_legend() -> None:
    lines = text(eventful(), width=73, cursor=29)
    assert lines[0].strip() == "11:59:30  highest 56.2ms  srtt 43.5ms  retransmitted 1"
    assert ASCII.upright in {line[plot.MARGIN + 29] for line in lines[1:-2]}
    others = {line[plot.MARGIN + at] for line in lines[1:-2] for at in range(60) if at != 29}
    assert ASCII.upright not in others


def test_where_there_is_no_sample_it_says_why() -> None:
    lines = text(Series(empty="it only receives"))
    assert sum("it only receives" in line for line in lines) == 1
    assert len(lines) == 15
