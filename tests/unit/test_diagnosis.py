"""Network, peer or us?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.rows import CONNECT_ERRORS, ROW, UNKNOWN_U32, Holder
from tcptop_rtt.sources.diag_messages import UNTOLD
from tcptop_rtt.view import causes
from tcptop_rtt.view.diagnosis import diagnose
from tcptop_rtt.view.shares import Shares, life_shares, shares
from tcptop_rtt.view.thresholds import DEFAULTS
from tests.unit.rows import row, rows_of

RISEN = {"srtt_us": 30_000, "min_rtt_us": 200}
ANSWERING = {"segs_in_1m": 106, "data_segs_in_1m": 100, "data_segs_out_1m": 100}
SLOW_PEER = {"direction": 1, "answers_1m": 100, "answer_sum_us_1m": 20_000_000}
SLOW_HERE = {"direction": 2, "replies_1m": 100, "reply_sum_us_1m": 18_000_000}

LOOPBACK = {"laddr": "127.0.0.1", "raddr": "127.0.0.2"}
OWN_ADDRESS = {"laddr": "192.0.2.1", "raddr": "192.0.2.1"}
LOOPBACK_V6 = {"family": 6, "laddr": "::", "raddr": "::1"}


def one(*lacking: str, **fields: Any) -> Connection:
    healthy = {
        "srtt_us": 20_000,
        "min_rtt_us": 19_000,
        "bytes_acked": 10_000_000,
        "window_ms": 60_000,
        "busy_us_1m": 40_000_000,
        "data_segs_out": 90_000,
        "data_segs_out_1m": 1000,
    }
    return Connection(rows_of(row(1, **(healthy | fields)))[0], frozenset(lacking))


def test_without_bpf_a_healthy_one_is_not_called_healthy() -> None:
    assert diagnose(one()).summary == "healthy"
    verdict = diagnose(one(*UNTOLD))
    assert (verdict.who, verdict.summary) == ("unknown", "nothing found, as far as is seen without BPF")
    assert verdict.reasons
    # What can be told is told.
    assert diagnose(one(*UNTOLD, retrans_1m=100, retrans=100)).who == "network"


def test_a_smoothed_rtt_alone_is_no_evidence_of_late_acks() -> None:
    held = {"srtt_us": 45_000, "rtt_hi_us": 45_000, "rtt_samples": 1, "min_rtt_us": 1000, "rtt_age_ms": 5}
    assert [cause.name for cause in causes.one(one(**held))] == ["late-acks"]
    assert [cause.name for cause in causes.one(one(*UNTOLD, **held))] == []


def test_one_that_waits_in_a_full_queue_says_so() -> None:
    briefs = []
    for full in (False, True):
        waits = one(holder=Holder.LISTENER, age_ns=3 * DEFAULTS.backlog_ns, queue_full=full)
        (cause,) = (cause for cause in causes.one(waits) if cause.name == "backlog")
        briefs.append(cause.words(waits).brief)
    assert briefs == ["backlog 3s", "queue full 3s"]


@pytest.mark.parametrize(
    ("fields", "who", "words"),
    [
        ({}, "nobody", "healthy"),
        ({"srtt_us": 0, "min_rtt_us": 0}, "unknown", "no RTT measured yet"),
        (
            {"stalled": True, "retransmits": 3, "last_ack_ms": 4200},
            "peer",
            "3 timeouts in a row, no ACK for 4.2s",
        ),
        (
            {"stalled": True, "retransmits": 1, "last_ack_ms": 400},
            "peer",
            "retransmission timeout, no ACK for 400ms",
        ),
        ({"stalled": True, "probes": 4}, "peer", "4 probes unanswered"),
        ({"stalled": True, "state": 2, "retransmits": 2, "srtt_us": 0}, "peer", "no answer to our SYN"),
        ({"snd_wnd_bytes": 0, "notsent_bytes": 70_000}, "peer", "receive window is closed"),
        (SLOW_PEER, "peer", "takes 200ms to answer"),
        (SLOW_PEER | {"answer_sum_us_1m": 11_999_000}, "nobody", "healthy"),  # 20 of 120 ms are the path's
        (SLOW_PEER | {"answer_sum_us_1m": 12_000_000}, "peer", "takes 120ms to answer"),
        (SLOW_PEER | {"answer_sum_us_1m": 1_001_900_000}, "peer", "takes 10.0s to answer"),
        (SLOW_PEER | {"answer_sum_us_1m": 1_002_000_000}, "nobody", "healthy"),
        (SLOW_PEER | {"direction": 2}, "nobody", "healthy"),  # it is the peer that asks
        (SLOW_PEER | {"direction": 0}, "nobody", "healthy"),
        (SLOW_PEER | {"crossings_1m": 12}, "nobody", "healthy"),
        (SLOW_PEER | {"crossings_1m": 11}, "peer", "takes 200ms to answer"),
        (SLOW_PEER | {"srtt_us": 110_001, "min_rtt_us": 90_000}, "nobody", "healthy"),
        (SLOW_HERE, "us", "process takes 180ms to answer"),
        (SLOW_HERE | {"reply_sum_us_1m": 9_999_900}, "nobody", "healthy"),
        (SLOW_HERE | {"direction": 1}, "nobody", "healthy"),
        ({"rwnd_limited_us_1m": 10_000_000}, "peer", "its window held us up 25%"),
        ({"recv_q_bytes": 200_000}, "us", "process is not reading: 200kB"),
        ({"recv_q_bytes": 10, "last_received_ms": 900}, "us", "process is not reading: 10B"),
        ({"sndbuf_limited_us_1m": 20_000_000}, "us", "send buffer is too small: it held us up 50%"),
        ({"retrans_1m": 5, "retrans": 107}, "network", "loses segments: 0.5% were sent again"),
        ({"retrans_1m": 7, "data_segs_out_1m": 630}, "network", "loses segments: 1.1% were sent again"),
        ({"retrans_1m": 3, "data_segs_out_1m": 1}, "network", "loses segments: 100% were sent again"),
        ({"srtt_us": 190_000}, "network", "queueing: RTT is 10 times its minimum"),
        (
            {"srtt_us": 12_000, "min_rtt_us": 20, "rtt_samples": 9, "rtt_hi_us": 43_000},
            "peer",
            "delays its ACKs: some come 43.0ms late",
        ),
        (
            {"srtt_us": 40_000, "min_rtt_us": 20, "rtt_samples": 0, "last_rtt_us": 43_000},
            "peer",
            "delays its ACKs: some come 43.0ms late",
        ),
        (RISEN | ANSWERING, "peer", "takes 30.0ms to answer, and its ACKs wait for that"),
        (RISEN | ANSWERING | LOOPBACK, "peer", "takes 30.0ms to answer"),
        (RISEN | ANSWERING | {"data_segs_in_1m": 85}, "network", "queueing"),  # too many bare ACKs
        (
            RISEN | ANSWERING | {"segs_in_1m": 5000, "data_segs_in_1m": 4950},
            "network",
            "queueing",
        ),  # it downloads
        (RISEN | ANSWERING | {"data_segs_out_1m": 9}, "network", "queueing"),  # too few to tell
        (RISEN | ANSWERING | {"srtt_us": 60_000}, "network", "queueing"),  # no ACK waits for so long
        (RISEN | LOOPBACK, "us", "this machine lags: RTT is 150 times its minimum"),
        (RISEN | OWN_ADDRESS, "us", "this machine lags"),
        (RISEN | LOOPBACK_V6, "us", "this machine lags"),
        ({"srtt_us": 200_000, "min_rtt_us": 180_000}, "network", "long path: even the lowest RTT is 180ms"),
        ({"busy_us_1m": 100_000}, "nobody", "waiting for the applications"),
        # What is not measured now is no measure of now.
        (
            {"srtt_us": 320_000, "min_rtt_us": 320_000, "bytes_acked": 1},
            "nobody",
            "no RTT since the handshake",
        ),
        (RISEN | {"bytes_acked": 1, "rcv_rtt_us": 48_000}, "nobody", "no RTT since the handshake"),
        (RISEN | {"rtt_age_ms": UNKNOWN_U32}, "nobody", "no RTT since the handshake"),
        (RISEN | {"rtt_age_ms": 1_860_000}, "nobody", "idle: the latest RTT is 31m old"),
        (RISEN | {"rtt_age_ms": 10_001}, "nobody", "idle"),
        (RISEN | {"rtt_age_ms": 10_000}, "network", "queueing"),
        ({"rtt_age_ms": 60_000, "rcv_rtt_us": 5, "last_received_ms": 9}, "nobody", "it only receives now"),
        # What has not been read says nothing.
        ({"scanned": False}, "unknown", "not scanned yet"),
        (
            {"scanned": False, "notsent_bytes": 70_000, "snd_wnd_bytes": 0, "recv_q_bytes": 200_000},
            "unknown",
            "not scanned",
        ),
        ({"scanned": False, "stalled": True, "retransmits": 2}, "peer", "2 timeouts in a row, no ACK"),
        (
            {"stalled": True, "retransmits": 2, "last_ack_ms": UNKNOWN_U32},
            "peer",
            "2 timeouts in a row, no ACK",
        ),
    ],
)
def test_verdicts(fields: dict[str, Any], who: str, words: str) -> None:
    verdict = diagnose(one(**fields))
    assert verdict.who == who
    assert words in verdict.summary
    assert verdict.reasons


SILENT = {"stalled": True, "retransmits": 3, "last_sent_ms": 2000, "rto_us": 8_000_000}


@pytest.mark.parametrize(
    ("fields", "waits", "rest"),
    [
        ({"last_ack_ms": 9100}, "9.0s", None),  # 1, 2 and 4 s passed until the third timeout
        ({"last_ack_ms": 18_999}, "9.0s", None),
        ({"last_ack_ms": 19_000}, "9.0s", "10s"),
        ({"last_ack_ms": 7_209_000}, "9.0s", "2h"),
        ({"last_ack_ms": 8000}, "8.0s", None),  # the last ACK came after it was sent first
        ({"last_ack_ms": 20_000, "retransmits": 0}, "2.0s", "18s"),
        # Beyond its longest the timeout grows no more: 4 + 8 + 16 + 32 + 64 + 120 s until now.
        (
            {"last_ack_ms": 400_000, "retransmits": 6, "rto_us": 120_000_000, "srtt_us": 3_800_000},
            "4m",
            "2m",
        ),
    ],
)
def test_what_rested_before_it_was_silent_may_have_been_forgotten(
    fields: dict[str, Any], waits: str, rest: str | None
) -> None:
    verdict = diagnose(one(**SILENT | fields))
    assert verdict.summary.endswith(f"no ACK for {waits}")
    rested = re.match(r"it had rested for (\S+): a firewall or NAT may have", verdict.reasons[0])
    assert (rested and rested[1]) == rest


@pytest.mark.parametrize(
    "fields",
    [
        {"retrans_1m": 2, "data_segs_out_1m": 2},  # too few to speak of loss
        {"retrans_1m": 4, "retrans": 9},  # below half a percent
        {"retrans": 50_000, "data_segs_out": 60_000},  # of hours ago, as the next ones are
        {"rwnd_limited_us": 9 * 10**9, "busy_us": 10**10},
        {"sndbuf_limited_us": 9 * 10**9, "busy_us": 10**10},
        RISEN | {"srtt_us": 9000, "segs_in": 106, "data_segs_in": 100},
        {"busy_us_1m": 99_000, "rwnd_limited_us_1m": 99_000},  # some jiffies
        {"srtt_us": 600, "min_rtt_us": 30},  # a host that is busy, not a queue
        {"rwnd_limited_us_1m": 7_000_000},
        {"recv_q_bytes": 10, "last_received_ms": 3},  # it has just come
        {"snd_wnd_bytes": 0},  # closed, but nothing waits
    ],
)
def test_what_is_still_healthy(fields: dict[str, Any]) -> None:
    assert diagnose(one(**fields)).who == "nobody"


def test_silence_outranks_all_and_the_rest_is_mentioned() -> None:
    verdict = diagnose(
        one(stalled=True, retransmits=2, retrans_1m=900, recv_q_bytes=200_000, last_ack_ms=9000)
    )
    assert verdict.who == "peer"
    assert str(verdict).startswith("peer: silent")
    assert [reason.split(":")[0] for reason in verdict.reasons[1:]] == ["also us", "also network"]


def test_only_a_culprit_is_named_in_front() -> None:
    assert str(diagnose(one())) == "healthy"


def test_zeros_and_ones_everywhere() -> None:
    assert diagnose(Connection(np.zeros(1, ROW)[0])).who == "unknown"
    full = np.frombuffer(bytes([255]) * ROW.itemsize, ROW).copy()
    full["stalled"] = full["open_seen"] = full["closed"] = True
    assert diagnose(Connection(full[0])).reasons


def test_shares() -> None:
    counted = {"busy_us": 1_000_000, "rwnd_limited_us": 250_000, "sndbuf_limited_us": 9_000_000}
    assert life_shares(one(**counted)) == Shares(0.2, 0.25, 1.0)
    minute = {f"{name}_1m": value for name, value in counted.items()}
    assert shares(one(**minute, window_ms=10_000)) == Shares(0.1, 0.25, 1.0)
    assert life_shares(one(open_seen=False, **counted)).busy is None
    assert shares(one(busy_us_1m=0, window_ms=0)) == Shares(None, None, None)


@pytest.mark.parametrize(
    ("unknown", "fields"),
    [
        ("recv_q_bytes", {"recv_q_bytes": 0}),
        ("snd_wnd_bytes", {"snd_wnd_bytes": 0, "notsent_bytes": 9000}),
        ("min_rtt_us", {"min_rtt_us": 0}),
        ("data_segs_out", {"retrans_1m": 900}),
        ("segs_in", {"segs_in": 0}),
    ],
)
def test_nothing_is_concluded_from_what_the_kernel_does_not_tell(
    unknown: str, fields: dict[str, int]
) -> None:
    verdict = diagnose(one(unknown, "rto_us", **fields))
    assert verdict.who == "unknown"
    assert verdict.reasons == (f"it lacks {unknown}",)


def test_what_no_verdict_needs_may_be_missing() -> None:
    assert str(diagnose(one("rto_us", "ssthresh"))) == "healthy"


def test_all_rows_at_once_have_the_verdicts_of_each_by_itself() -> None:
    """Random rows, and some of each cause."""
    rng = np.random.default_rng(7)
    fields: list[dict[str, Any]] = [
        {"stalled": True, "retransmits": 3},
        {"stalled": True, "probes": 4},
        {"stalled": True, "state": 2, "retransmits": 2, "srtt_us": 0},
        {"snd_wnd_bytes": 0, "notsent_bytes": 70_000},
        {"rwnd_limited_us_1m": 10_000_000},
        {"holder": 2, "age_ns": 3_000_000_000},
        {"recv_q_bytes": 200_000},
        {"sndbuf_limited_us_1m": 20_000_000},
        {"retrans_1m": 7, "data_segs_out_1m": 630},
        {"srtt_us": 12_000, "min_rtt_us": 20, "rtt_samples": 9, "rtt_hi_us": 43_000},
        RISEN | ANSWERING,
        RISEN | LOOPBACK,
        SLOW_PEER,
        SLOW_HERE,
        {"srtt_us": 190_000},
        {"srtt_us": 200_000, "min_rtt_us": 180_000},
        *({"connect_error": way, "closed": True} for way in range(1, len(CONNECT_ERRORS))),
        {},
    ]
    rows = np.array([one(**some).row for some in fields] * 20)
    rows["id"] = np.arange(len(rows)) + 1
    for name in (
        "retrans_1m",
        "recv_q_bytes",
        "notsent_bytes",
        "scanned",
        "stalled",
        "rtt_age_ms",
        "srtt_us",
    ):
        mixed = rng.permutation(len(rows))[: len(rows) // 4]
        rows[name][mixed] = rows[name][rng.permutation(mixed)]
    for lacking in (frozenset[str](), frozenset({"data_segs_out"})):
        numbers = causes.verdicts(rows.__getitem__, lacking)
        alone = [causes.one(Connection(row, lacking)) for row in rows]
        troubles = [[cause.name for cause in found if not cause.explains] for found in alone]
        assert [causes.NAMES[number] for number in numbers] == [next(iter(names), None) for names in troubles]
        if not lacking:
            assert {cause.name for found in alone for cause in found} == set(causes.NAMES) - {None}


def test_nothing_holds_up_what_is_closed() -> None:
    closed = one(stalled=True, retransmits=3, closed=True)
    assert causes.verdicts(np.array([closed.row]).__getitem__).tolist() == [0]
    assert "silent" in diagnose(closed).summary  # but that is what it ended with


def test_a_connection_that_nobody_accepts_waits_for_us() -> None:
    waiting = one(holder=2, age_ns=3_000_000_000)
    assert (diagnose(waiting).who, diagnose(waiting).summary) == ("us", "process has not accepted it for 3s")
    assert diagnose(one(holder=2, age_ns=999_999_999)).who == "nobody"
    older = one(holder=2, age_ns=3_000_000_000, open_seen=False)
    assert diagnose(older).summary == "process has not accepted it for >3s"


def test_a_verdict_says_how_to_check_it() -> None:
    ends = {"laddr": "192.0.2.1", "lport": 22, "raddr": "198.51.100.2", "rport": 40_000}
    lossy = diagnose(one(**ends, retrans_1m=7, data_segs_out_1m=630))
    assert lossy.check == "ss -tinmo src 192.0.2.1:22 dst 198.51.100.2:40000"
    six = {"family": 6, "laddr": "2001:db8::1", "lport": 22, "raddr": "2001:db8::2", "rport": 40_000}
    assert diagnose(one(**six, recv_q_bytes=200_000)).check == (
        "ss -tinmo src [2001:db8::1]:22 dst [2001:db8::2]:40000"
    )
    assert diagnose(one(**ends, srtt_us=190_000)).check == (
        "tcpdump -ni any host 198.51.100.2 and port 40000 and port 22"
    )
    assert diagnose(one(**ends, holder=2, age_ns=3_000_000_000)).check == "ss -tlne sport = :22"
    assert diagnose(one(**ends)).check == ""


def test_the_documentation_lists_the_causes_as_the_table_has_them() -> None:
    described = (Path(__file__).parents[2] / "docs" / "screen.md").read_text()
    listed = re.findall(r"^\| `[^`]+` \| `([a-z-]+)` \|", described, re.MULTILINE)
    assert listed == [cause.name for cause in causes.CAUSES if not cause.explains]
