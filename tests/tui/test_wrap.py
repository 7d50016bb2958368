"""Text cut into lines."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tcptop_rtt.widgets.styled import wrap


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("short", ["short"]),
        ("two words", ["two", "words"]),
        ("one  after   three", ["one", "after", "three"]),
        ("abcdefghij", ["abcdefg", "hij"]),
        ("abc defghijklm", ["abc", "defghij", "klm"]),
        ("日本語日本語", ["日本語", "日本語"]),
        ("a日 本語日", ["a日", "本語日"]),
        ("exactly", ["exactly"]),
        ("exactly so", ["exactly", "so"]),
    ],
)
def test_lines_end_at_spaces_where_there_are_some_and_nothing_is_lost(text: str, lines: list[str]) -> None:
    assert wrap(text, 7) == lines


@pytest.mark.parametrize("text", ["x" * 5000, "日" * 5000, "日x" * 2500, "e\u0301" * 2500, "w " * 2500])
@pytest.mark.parametrize("cells", [0, 1, 2, 9, 46])
def test_every_line_fits_and_all_the_text_is_there(text: str, cells: int) -> None:
    lines = wrap(text, cells)
    assert max(map(cell_len, lines)) <= max(2, cells)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
