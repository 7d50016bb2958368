"""Numbers, addresses and foreign text as short strings."""

from __future__ import annotations

import socket
import unicodedata

import numpy as np
import pytest

from tcptop_rtt.model.rows import UNKNOWN_U32
from tcptop_rtt.view import addresses, sparks
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import ASCII, UNICODE, Glyphs
from tcptop_rtt.view.shown import shown
from tests.unit.rows import row, rows_of


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "-"),
        (float("nan"), "-"),
        (1, "0.001ms"),
        (43, "0.043ms"),
        (999, "0.999ms"),
        (1240, "1.24ms"),
        (9_994, "9.99ms"),
        (9_996, "10.0ms"),
        (48_200, "48.2ms"),
        (99_960, "100ms"),
        (1_240_000, "1240ms"),
        (3_100_000, "3.1s"),
        (120_000_000, "120s"),
        (0xFFFFFFFF, "4295s"),
    ],
)
def test_rtt(us: float, text: str) -> None:
    assert fmt.rtt(us) == text


def test_rtt_never_gets_wider_than_its_column() -> None:
    values = np.unique(np.geomspace(1, 2**32, 20_000).astype(np.int64)).tolist()
    assert max(len(fmt.rtt(us)) for us in values) == fmt.RTT_WIDTH


@pytest.mark.parametrize(
    ("us", "level"), [(0, "unknown"), (49_999, "good"), (50_000, "warn"), (149_999, "warn"), (150_000, "bad")]
)
def test_level(us: int, level: str) -> None:
    assert fmt.level(us) == level


@pytest.mark.parametrize(
    ("bps", "text"),
    [
        (0, "0"),
        (0.4, "0"),
        (950, "950"),
        (999.7, "1.0k"),
        (1_234_000, "1.2M"),
        (12_340_000, "12M"),
        (9.96e9, "10G"),
    ],
)
def test_bits(bps: float, text: str) -> None:
    assert fmt.bits(bps) == text


def test_rates_and_tallies_fit_their_columns() -> None:
    for value in np.geomspace(1, 1e18, 5000):
        assert len(fmt.bits(float(value))) <= 5
        assert len(fmt.tally(int(value))) <= 5


def test_unknown_numbers() -> None:
    assert fmt.bits(float("nan")) == "-"
    assert fmt.percent(1, 0) == "-"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (47 * 3600, "47h"), (2 * 86400, "2d")],
)
def test_age(seconds: int, text: str) -> None:
    assert fmt.age(seconds * 1_000_000_000) == text


@pytest.mark.parametrize(("ms", "text"), [(0, "0ms"), (999, "999ms"), (3400, "3.4s"), (60_000, "1m")])
def test_span(ms: int, text: str) -> None:
    assert fmt.span(ms) == text


def test_ago() -> None:
    assert [fmt.ago(ms) for ms in (0, 3400, None)] == ["0ms ago", "3.4s ago", "never"]


MINUTE_NS = 60 * 10**9


TRICKLE = {"bytes_acked": 1, "rtt_age_ms": 2000, "rcv_rtt_us": 32_000_000, "bytes_received": 100_000}
"""So long it took to fill a window."""


@pytest.mark.parametrize(
    ("fields", "text", "level"),
    [
        ({}, "320ms", "bad"),
        ({"srtt_us": 0, "bytes_acked": 0}, "-", "unknown"),
        ({"rtt_age_ms": 10_000}, "320ms", "bad"),
        ({"rtt_age_ms": 10_001}, "320ms 10s", "unknown"),
        ({"rtt_age_ms": 1_860_000}, "320ms 31m", "unknown"),
        ({"bytes_acked": 1, "rtt_age_ms": 2000}, "320ms 31m", "unknown"),
        ({"rtt_age_ms": UNKNOWN_U32}, "320ms 31m", "unknown"),
        ({"rtt_age_ms": UNKNOWN_U32, "open_seen": False}, "320ms >31m", "unknown"),
        ({"rtt_age_ms": UNKNOWN_U32, "age_ns": 10**18}, "320ms >99d", "unknown"),
        ({"srtt_us": 43, "rtt_age_ms": 60_000}, "43us 1m", "unknown"),
        ({"srtt_us": 5210, "rtt_age_ms": 60_000}, "5.2ms 1m", "unknown"),
        ({"srtt_us": 3_100_000, "rtt_age_ms": 60_000}, "3.1s 1m", "unknown"),
        ({"bytes_acked": 1, "rcv_rtt_us": 48_200}, "~48.2ms", "unknown"),
        ({"bytes_acked": 1, "rcv_rtt_us": 48_200, "last_received_ms": 60_000}, "~48ms 1m", "unknown"),
        ({"rcv_rtt_us": 48_200}, "320ms", "bad"),  # it sends
        ({**TRICKLE, "data_segs_in": 1000}, "320ms 31m", "unknown"),
        ({**TRICKLE, "data_segs_in": 70}, "~32.0s", "unknown"),  # with full segments
        ({**TRICKLE, "data_segs_in": 1000, "rcv_rtt_us": 3_100_000}, "~3.1s", "unknown"),
        ({**TRICKLE, "data_segs_in": 1000, "srtt_us": 0}, "~32.0s", "unknown"),
        ({"rcv_rtt_us": 48_200, "rtt_age_ms": 60_000, "last_received_ms": 7}, "~48.2ms", "unknown"),
        ({"rcv_rtt_us": 48_200, "rtt_age_ms": 60_000, "last_received_ms": 59_990}, "320ms 1m", "unknown"),
        ({"stalled": True, "rtt_age_ms": 60_000}, "no ACK", "unknown"),
    ],
)
def test_an_rtt_that_is_not_of_now_says_so(fields: dict[str, int], text: str, level: str) -> None:
    (one,) = shown(rows_of(row(1, **({"srtt_us": 320_000, "age_ns": 31 * MINUTE_NS} | fields)))[:])
    assert fmt.rtt_now(one) == text
    assert len(text) <= fmt.AGED_RTT_WIDTH
    assert level == (fmt.rtt_level(one) if not one.stalled else "unknown")


def test_an_rtt_with_its_age_never_gets_wider_than_its_column() -> None:
    for us in np.unique(np.geomspace(1, 2**32 - 1, 500).astype(np.int64)).tolist():
        for fields in (
            {"srtt_us": us, "rtt_age_ms": UNKNOWN_U32, "open_seen": False, "age_ns": 10**18},
            {"bytes_acked": 0, "rcv_rtt_us": us, "last_received_ms": UNKNOWN_U32 - 1},
            {"bytes_acked": 0, "rcv_rtt_us": us},
        ):
            (one,) = shown(rows_of(row(1, **fields))[:])
            assert len(fmt.rtt_now(one)) <= fmt.AGED_RTT_WIDTH, fmt.rtt_now(one)


def test_an_age_from_before_the_program_says_so() -> None:
    older, younger = shown(rows_of(row(1, open_seen=False, age_ns=0), row(2, age_ns=0))[:])
    assert (fmt.age_of(older), fmt.age_of(younger)) == (">0s", "0s")


def test_percent() -> None:
    parts = (0, 1, 10, 504, 990, 999, 1000)
    words = ["0%", "<1%", "1%", "50%", "99%", ">99%", "100%"]
    assert [fmt.percent(part, 1000) for part in parts] == words
    shares = (0, 1e-6, 0.001, 0.011, 0.0995, 0.99, 0.999, 1)
    assert [fmt.percent1(share) for share in shares] == [
        "0.0%", "<0.1%", "0.1%", "1.1%", "10%", "99%", ">99%", "100%",
    ]  # fmt: skip


def test_a_small_rate_is_not_none() -> None:
    rates = (0, 0.001, 0.05, 0.3, 14, 1234)
    assert [fmt.per_second(rate) for rate in rates] == ["0", "<0.1", "0.1", "0.3", "14", "1.2k"]


def test_endpoints() -> None:
    mapped = b"\0" * 10 + b"\xff\xff" + bytes([192, 0, 2, 1])
    assert addresses.endpoint(4, mapped, 443) == "192.0.2.1:443"
    assert addresses.endpoint(4, mapped, 0) == "192.0.2.1:?"
    assert addresses.endpoint(6, socket.inet_pton(socket.AF_INET6, "2001:db8::1"), 443) == "[2001:db8::1]:443"


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("width", range(60))
def test_shortened_endpoints_keep_their_port(width: int, glyphs: Glyphs) -> None:
    text = "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:1234]:65535"
    short = addresses.shorten(text, width, glyphs)
    assert len(short) <= width
    if width >= 11 + len(glyphs.gap):
        assert len(short) == min(width, len(text))
        assert short.startswith("[2") or short == text
        assert short.endswith("]:65535")
    elif width >= len(":65535"):
        assert short == ":65535"  # a digit or two of an address say nothing
    assert glyphs.unicode or short.isascii()


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_shortened_hosts_keep_both_their_ends(glyphs: Glyphs) -> None:
    gap = glyphs.gap
    for text, begins, ends in (
        ("2001:db8:aaaa:bbbb:cccc:dddd:eeee:1234", "2001:", ":1234"),
        ("ec2-203-0-113-7.eu-west-1.compute.example", "ec2-", "example"),
    ):
        for width in range(60):
            short = addresses.shorten(text, width, glyphs)
            assert len(short) <= width
            if width >= 24:
                assert len(short) == min(width, len(text))
                assert short.startswith(begins)
                assert short.endswith(ends)
                assert (gap in short) == (short != text)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"nginx", "nginx"),
        (b"[/red]$(x)\x1b[31m", "[/red]$(x)\ufffd[31m"),
        ("日本語".encode(), "日本語"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("a\u202eb\u200bc\u2028d\x9be\x00f\ng\u00ad", "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffdg\ufffd"),
        ("a\ufe0f\ud800", "a\ufffd\ufffd"),
    ],
)
def test_printable(raw: bytes | str, text: str) -> None:
    assert fmt.printable(raw) == text


def test_no_control_character_survives() -> None:
    everything = "".join(map(chr, range(0x110000)))
    for glyphs in (UNICODE, ASCII):
        bad = {unicodedata.category(char) for char in set(fmt.printable(everything, glyphs))}
        assert not bad & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} - {"So"}
    assert fmt.printable(everything, ASCII).isascii()


def test_state_says_what_is_wrong_first() -> None:
    assert fmt.state(1, False, False) == "ESTAB"
    assert fmt.state(1, False, True) == "STALLED"
    assert fmt.state(1, True, True) == "CLOSED"
    assert fmt.state(99, False, False) == "?"


def spark(*columns: list[float]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array(columns, np.float32).T.copy()


def test_sparks_share_a_log_scale() -> None:
    values = spark([100, 1_000, 10_000], [10_000, np.nan, 100])
    scale = sparks.spark_scale(values)
    assert (scale.low, scale.high) == (100.0, 10_000.0)
    assert sparks.sparks(values, scale, 3, UNICODE.spark) == ["▁▄▇", "▇ ▁"]
    assert sparks.sparks(values, scale, 3, ASCII.spark) == ["_-#", "# _"]


def test_each_spark_has_a_scale_of_its_own_from_its_lowest() -> None:
    values = spark([100, 100, 800], [50_000, 60_000, np.nan], [np.nan, np.nan, np.nan])
    assert sparks.sparks(values, sparks.own_scales(values), 3, UNICODE.spark) == ["▁▁▇", "▁▁ ", "   "]
    assert sparks.sparks(values, sparks.own_scales(values), 3, ASCII.spark) == ["__#", "__ ", "   "]


def test_what_is_high_or_has_risen_in_a_spark_is_news() -> None:
    values = spark(
        [100, 400, 12_000],  # four times the lowest, but still less than 10 ms more; then more
        [49_000, 50_000, 150_000],
        [np.nan, 1_000, np.nan],
    )
    assert sparks.news(values, 3) == ["  w", " wb", "   "]
    assert sparks.news(values, 1) == ["w", "b", " "]


def test_small_jitter_is_no_mountain() -> None:
    values = spark([1_000, 1_003, 1_001, 1_006])
    (line,) = sparks.sparks(values, sparks.spark_scale(values), 4, UNICODE.spark)
    assert len(set(line)) == 1


def test_values_outside_the_scale_are_clamped() -> None:
    values = spark([1, 1e9, 0, np.inf])
    assert sparks.sparks(values, sparks.Scale(100.0, 1000.0), 4, UNICODE.spark) == ["▁▇ ▇"]


def test_fewer_cells_keep_the_spike() -> None:
    values = spark([100, 100, 100, 10_000, 100, 100])
    assert sparks.sparks(values, sparks.Scale(100.0, 10_000.0), 3, UNICODE.spark) == ["▁▇▁"]


def test_more_cells_than_values_and_none_at_all() -> None:
    values = spark([100, 10_000])
    assert sparks.sparks(values, sparks.Scale(100.0, 10_000.0), 4, UNICODE.spark) == ["  ▁▇"]
    assert sparks.sparks(values, sparks.Scale(100.0, 10_000.0), 0, UNICODE.spark) == [""]
    assert sparks.sparks(np.zeros((24, 0), np.float32), sparks.Scale(1.0, 10.0), 8, UNICODE.spark) == []


@pytest.mark.parametrize("high", [1.0, 9.0, 10.0, 55.0, 3e9])
def test_a_scale_spans_a_decade_and_holds_its_values(high: float) -> None:
    scale = sparks.spark_scale(spark([high * 0.99, high]))
    assert scale.low <= high * 0.99
    assert scale.high >= high
    assert scale.high >= 10 * scale.low
    assert sparks.spark_scale(spark([np.nan])).high > 0


def test_a_link_local_address_has_its_interface() -> None:
    raw = socket.inet_pton(socket.AF_INET6, "fe80::1")
    assert addresses.endpoint(6, raw, 443, 3, b"eth0") == "[fe80::1%eth0]:443"
    assert addresses.endpoint(6, raw, 443, 3, b"") == "[fe80::1%3]:443"
    assert addresses.endpoint(6, raw, 443) == "[fe80::1]:443"
    assert addresses.endpoint(6, raw, 443, 3, b"a\x1bb") == "[fe80::1%a\ufffdb]:443"
    assert (
        addresses.endpoint(6, socket.inet_pton(socket.AF_INET6, "2001:db8::1"), 443, 3, b"vrf")
        == "[2001:db8::1]:443"
    )
