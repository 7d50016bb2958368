"""Text of others, whatever it is: each way out writes only what is seen, in bounded time."""

from __future__ import annotations

import argparse
import io
import json
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr
from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size
from wcwidth import wcwidth

from tcptop_rtt.model import outside
from tcptop_rtt.model.outside import harmless, host_name_of, service_name_of, text_of
from tcptop_rtt.options.parser import make_parser
from tcptop_rtt.options.run_parser import make_run_parser
from tcptop_rtt.outputs.json_line import encoded
from tcptop_rtt.outputs.prometheus.exposition import text_of as text_of_metrics
from tcptop_rtt.standard_streams import MOST_COMPLAINT, complain
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import ASCII
from tcptop_rtt.web.client import brief
from tests.corpus import HOSTILE, raw
from tests.escapes import foreign
from tests.unit.counted import Counted, out

KEPT = st.sampled_from(sorted(HOSTILE.values()))
TEXT = st.lists(st.one_of(st.text(st.characters(codec=None)), KEPT), max_size=4).map("".join)
"""Of any characters, lone surrogates included, and with what is kept in it."""
RAW = st.one_of(st.binary(), st.sampled_from(sorted(raw().values())))


def test_every_character_that_is_left_alone_is_seen_and_as_wide_as_both_tables_say() -> None:
    for number in range(sys.maxunicode + 1):
        char = chr(number)
        if harmless(char) == char:
            assert foreign(char) == "", hex(number)
            assert wcwidth(char) == get_character_cell_size(char), hex(number)


@given(TEXT)
def test_text_is_seen_and_stays_so_and_is_as_wide_as_its_characters(text: str) -> None:
    found = harmless(text)
    assert foreign(found) == ""
    assert harmless(found) == found
    assert len(found) <= len(text)
    assert cell_len(found) == sum(map(wcwidth, found))


@given(TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")) | RAW)
def test_bytes_are_seen_and_in_ascii_are_ascii(some: bytes) -> None:
    for text in (fmt.printable(some), fmt.printable(text_of(some, 16))):
        assert foreign(text) == ""
    plain = fmt.printable(some, ASCII)
    assert all(" " <= char <= "~" for char in plain)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_kept_is_harmless(text: str) -> None:
    assert foreign(harmless(text)) == ""
    assert foreign(brief(text)) == ""


def test_accents_and_syllables_stay_and_what_they_cannot_belong_to_does_not() -> None:
    assert harmless("gro\u0308\u00dfe e\u0302\u0301") == "größe \u1ebf"
    assert harmless("\u1112\u1161\u11ab") == "\ud55c"
    assert harmless("a\u0489") == "a\ufffd"
    assert harmless("\u0301a") == "\ufffda"


def test_marks_are_taken_two_at_a_time_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python normalizes 40,000 of them in seconds, and twice as many in four times as long."""
    lengths: Counter[int] = Counter()

    def normalize(form: str, text: str) -> str:
        lengths[len(text)] += 1
        return unicodedata.normalize(form, text)  # type: ignore[arg-type]

    counting = SimpleNamespace(normalize=normalize, category=unicodedata.category)
    monkeypatch.setattr(outside, "unicodedata", counting)
    harmless("a" + "\u0316\u0301" * 2000)
    assert lengths == {2: 4000}


@given(TEXT)
def test_a_name_of_dns_or_of_a_service_is_one_or_nothing(text: str) -> None:
    for found in (host_name_of(text), service_name_of(text)):
        assert found.isascii()
        assert foreign(found) == ""


@given(TEXT)
def test_json_has_all_of_it_and_nothing_that_a_terminal_obeys(text: str) -> None:
    line = encoded({"comm": text})
    assert line.endswith(b"\n")
    assert all(b" "[0] <= byte <= b"~"[0] for byte in line[:-1])
    # Two surrogates side by side are one character in JSON.
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert json.loads(line)["comm"] == joined


@pytest.mark.parametrize("some", raw().values(), ids=raw())
def test_a_label_is_seen_and_its_line_is_one(some: bytes) -> None:
    text = text_of_metrics(Counted().take(out(1, comm=some[:16])))
    lines = text.split("\n")
    assert [line for line in lines if foreign(line)] == []
    assert sum(line.startswith("tcptop_connections{") for line in lines) == 1


@given(TEXT)
def test_a_complaint_is_one_line_of_it(text: str) -> None:
    for value in (text, ValueError(text), 1000 * text):
        written = _said(partial(complain, value))
        assert written.startswith("tcptop-rtt: ")
        assert written.endswith("\n")
        assert foreign(written[:-1]) == ""
        assert len(written) < MOST_COMPLAINT + 20


OF_OPTIONS: tuple[tuple[argparse.ArgumentParser, str], ...] = (
    *((make_parser(), option) for option in ("--", "--pid=", "--theme=", "--fail-if=", "--ssh='", "--at=")),
    *((make_run_parser(), option) for option in ("--source=", "--user=", "--")),
)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_said_of_wrong_options_is_too(text: str) -> None:
    for parser, option in OF_OPTIONS:
        written = _said(lambda: _refused(parser, option + text))  # noqa: B023 - called at once
        usage, _, problem = written.rpartition(f"\n{parser.prog}: error: ")
        assert usage.startswith("usage: tcptop-rtt")
        assert foreign(problem.removesuffix("\n")) == ""


def _refused(parser: argparse.ArgumentParser, argument: str) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args(["--no-such-option", argument, "--no-such-option"])


def _said(say: Callable[[], object]) -> str:
    """What goes to standard error meanwhile."""
    with redirect_stderr(io.StringIO()) as taken:
        say()
    return taken.getvalue()
