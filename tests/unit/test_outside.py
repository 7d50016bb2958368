"""Text from outside: never more than the bound, and cut where it can be."""

from __future__ import annotations

from tcptop_rtt.model.outside import CUT, NAME_CHARACTERS, TEXT_BYTES, name_of, text_of


def test_text_is_whole_up_to_the_bound_and_marked_where_it_is_cut() -> None:
    assert text_of(b"a" * TEXT_BYTES) == "a" * TEXT_BYTES
    assert text_of(b"a" * (TEXT_BYTES + 1)) == "a" * TEXT_BYTES + CUT
    assert name_of("n" * NAME_CHARACTERS) == "n" * NAME_CHARACTERS
    assert name_of("n" * 10**6) == "n" * NAME_CHARACTERS + CUT


def test_no_half_of_a_character_stays_at_the_cut_and_what_is_not_utf8_is_replaced() -> None:
    assert text_of("日本".encode(), 4) == "日" + CUT
    assert text_of("日本".encode(), 3) == "日" + CUT
    assert text_of(b"\xffab", 2) == "\ufffda" + CUT
    assert text_of(b"\xe6\x97") == "\ufffd"
