"""Network, peer or us?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.rows import CONNECT_ERRORS, ROW, STATES, UNKNOWN_U32, Holder
from tcptop_rtt.model.waited import SLOW_WAIT_US
from tcptop_rtt.screens.details_blocks import style_of
from tcptop_rtt.sources.diag_messages import LACKING
from tcptop_rtt.view import causes, thresholds
from tcptop_rtt.view.cause_words import acks_wait, losing
from tcptop_rtt.view.diagnosis import diagnose
from tcptop_rtt.view.shares import Shares, life_shares, shares
from tcptop_rtt.view.thresholds import DEFAULTS, Thresholds
from tests.unit.rows import row, rows_of

RISEN = {"srtt_us": 30_000, "min_rtt_us": 200}
ANSWERING = {"segs_in_1m": 106, "data_segs_in_1m": 100, "data_segs_out_1m": 100}
UNREAD = {"last_received_ms": 5000}
SLOW_PEER = {"direction": 1, "answers_1m": 100, "answer_sum_us_1m": 20_000_000}
SLOW_AT_TIMES = SLOW_PEER | {"answer_sum_us_1m": 5_000_000, "slow_answers_1m": 10}
FEW = SLOW_AT_TIMES | {"answers_1m": 10, "answer_sum_us_1m": 900_000}
SLOW_HERE = {"direction": 2, "replies_1m": 100, "reply_sum_us_1m": 18_000_000}
DOWNLOAD = {"busy_us_1m": 100_000, "data_segs_in_1m": 5_000_000, "data_segs_out_1m": 9, "in_bps": 9.4e8}
PROBED = {"stalled": True, "probes": 4, "notsent_bytes": 100, "snd_wnd_bytes": 0}
SLOW = {"srtt_us": 440_000, "min_rtt_us": 149_000}

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
    verdict = diagnose(one(*LACKING))
    assert (verdict.who, verdict.summary) == ("unknown", "nothing found, as far as is seen without BPF")
    assert verdict.reasons
    # What can be told is told.
    assert diagnose(one(*LACKING, retrans_1m=100, retrans=100)).who == "network"


def test_a_smoothed_rtt_alone_is_no_evidence_of_late_acks() -> None:
    held = {"srtt_us": 45_000, "rtt_hi_us": 45_000, "rtt_samples": 1, "min_rtt_us": 1000, "rtt_age_ms": 5}
    assert [cause.name for cause in causes.one(one(**held))] == ["late-acks"]
    assert [cause.name for cause in causes.one(one(*LACKING, **held))] == []


def test_where_a_longer_wait_is_allowed_the_kernel_s_count_of_slow_answers_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for limit_us, found in ((SLOW_WAIT_US, ["answers"]), (SLOW_WAIT_US + 1, [])):
        monkeypatch.setattr(thresholds, "_current", Thresholds(slow_answer_us=limit_us))
        assert [cause.name for cause in causes.one(one(**SLOW_AT_TIMES))] == found
    always = one(**SLOW_PEER | {"slow_answers_1m": 40})
    for limit_us, summary in (
        (SLOW_WAIT_US, "for 40% of its answers"),
        (SLOW_WAIT_US + 1, "takes 200ms to answer"),
    ):
        monkeypatch.setattr(thresholds, "_current", Thresholds(slow_answer_us=limit_us))
        assert diagnose(always).summary.endswith(summary)


def test_a_few_slow_answers_are_no_share_where_the_mean_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "_current", Thresholds(slow_answer_us=20_000))
    sum_us = {"answer_sum_us_1m": 7_000_000}
    assert diagnose(one(**SLOW_PEER | sum_us | {"slow_answers_1m": 4})).summary == "takes 70.0ms to answer"
    assert diagnose(one(**SLOW_PEER | sum_us | {"slow_answers_1m": 5})).summary.endswith("5% of its answers")


def test_what_there_is_one_of_is_not_called_by_its_plural() -> None:
    assert diagnose(one(retrans=1, retrans_1m=1)).reasons[1] == "1 retransmission in the last 1m, 1 in all"
    received = {"busy_us_1m": 1, "window_ms": 100, "data_segs_in_1m": 1, "data_segs_out_1m": 0}
    assert "it received 1 data segment in the last 100ms, and sent 0" in diagnose(one(**received)).reasons
    lost = {"window_ms": 1000, "data_segs_out_1m": 1, "data_segs_out": 1, "retrans": 1, "retrans_1m": 1}
    said = losing(one(**lost)).reason
    assert said == "1 of 1 data segment in the last 1.0s; 1 of 1 in all"
    some = one(retrans_1m=9, dsack_dups_1m=2, retrans=9)
    assert (
        losing(some).reason
        == "7 of 1,000 data segments in the last 1m, 2 more needlessly; 9 of 90,000 in all"
    )
    few = diagnose(one(retrans_1m=3, dsack_dups_1m=2, retrans=9)).reasons[1]
    assert few == "3 retransmissions in the last 1m (2 needless, says the peer), 9 in all"
    waits = acks_wait(one(srtt_us=9000, window_ms=1000, segs_in_1m=1, data_segs_in_1m=0)).reason
    assert waits.startswith("1 of 1 segment in the last 1.0s came without data")


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
        (PROBED, "peer", "closed, 4 probes unanswered"),
        (PROBED | {"snd_wnd_bytes": 99}, "peer", "closed, 4 probes unanswered"),
        (PROBED | {"snd_wnd_bytes": 1447, "notsent_bytes": 9000}, "peer", "closed, 4 probes unanswered"),
        # It could be sent: its route was taken away.
        (PROBED | {"snd_wnd_bytes": 100}, "peer", "silent: 4 probes unanswered"),
        (PROBED | {"snd_wnd_bytes": 1448, "notsent_bytes": 9000}, "peer", "silent: 4 probes unanswered"),
        (PROBED | {"scanned": False}, "peer", "closed, 4 probes unanswered"),
        ({"stalled": True, "probes": 4}, "peer", "silent: 4 keepalive probes unanswered"),
        (PROBED | {"probes": 1}, "peer", "closed, 1 probe unanswered"),
        (PROBED | {"probes": 1, "snd_wnd_bytes": 100}, "peer", "silent: 1 probe unanswered"),
        ({"stalled": True, "probes": 1}, "peer", "silent: 1 keepalive probe unanswered"),
        (UNREAD | {"recv_q_bytes": 1, "state": STATES.index("CLOSE-WAIT")}, "nobody", "healthy"),
        (UNREAD | {"recv_q_bytes": 2, "state": STATES.index("CLOSE-WAIT")}, "us", "process is not reading"),
        (UNREAD | {"recv_q_bytes": 1, "state": STATES.index("CLOSED")}, "nobody", "healthy"),
        (UNREAD | {"recv_q_bytes": 2, "state": STATES.index("CLOSED")}, "us", "process is not reading"),
        (UNREAD | {"recv_q_bytes": 1}, "us", "process is not reading"),
        (UNREAD | {"recv_q_bytes": 1, "holder": Holder.NOBODY}, "nobody", "healthy"),
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
        (SLOW_AT_TIMES, "peer", "takes 100ms or longer for 10% of its answers"),
        (SLOW_AT_TIMES | {"slow_answers_1m": 5}, "peer", "takes 100ms or longer for 5% of its answers"),
        (SLOW_AT_TIMES | {"slow_answers_1m": 4}, "nobody", "healthy"),
        (FEW | {"slow_answers_1m": 3}, "peer", "takes 100ms or longer for 30% of its answers"),
        (FEW | {"slow_answers_1m": 2}, "nobody", "healthy"),
        (SLOW_AT_TIMES | {"srtt_us": 50_000, "min_rtt_us": 40_000}, "peer", "for 10% of its answers"),
        (SLOW_AT_TIMES | {"srtt_us": 50_001, "min_rtt_us": 40_000}, "nobody", "healthy"),
        (SLOW_AT_TIMES | {"direction": 2}, "nobody", "healthy"),
        (SLOW_PEER | {"slow_answers_1m": 49}, "peer", "takes 100ms or longer for 49% of its answers"),
        (SLOW_PEER | {"slow_answers_1m": 50}, "peer", "takes 200ms to answer"),
        (SLOW_PEER | {"slow_answers_1m": 4}, "peer", "takes 200ms to answer"),
        (FEW | {"slow_answers_1m": 2, "answer_sum_us_1m": 2_000_000}, "peer", "takes 200ms to answer"),
        # All of them are long polls.
        (SLOW_PEER | {"slow_answers_1m": 100, "answer_sum_us_1m": 1_002_000_000}, "nobody", "healthy"),
        (
            SLOW_HERE | {"reply_sum_us_1m": 3_000_000, "slow_replies_1m": 10},
            "us",
            "process takes 100ms or longer for 10% of its answers",
        ),
        (
            SLOW_HERE | {"reply_sum_us_1m": 3_000_000, "slow_replies_1m": 10, "direction": 1},
            "nobody",
            "healthy",
        ),
        (SLOW_HERE, "us", "process takes 180ms to answer"),
        (SLOW_HERE | {"reply_sum_us_1m": 9_999_900}, "nobody", "healthy"),
        (SLOW_HERE | {"direction": 1}, "nobody", "healthy"),
        ({"rwnd_limited_us_1m": 10_000_000}, "peer", "its window held us up 25%"),
        ({"rwnd_limited_us_1m": 39_900_000}, "peer", "its window held us up >99%"),
        ({"recv_q_bytes": 200_000}, "us", "process is not reading: 200kB"),
        ({"recv_q_bytes": 10, "last_received_ms": 900}, "us", "process is not reading: 10B"),
        ({"sndbuf_limited_us_1m": 20_000_000}, "us", "send buffer is too small: it held us up 50%"),
        ({"sndbuf_limited_us_1m": 39_900_000}, "us", "send buffer is too small: it held us up >99%"),
        ({"retrans_1m": 5, "retrans": 107}, "network", "loses segments: 0.5% had to be sent again"),
        ({"retrans_1m": 7, "data_segs_out_1m": 630}, "network", "loses segments: 1.1% had to be sent again"),
        ({"retrans_1m": 3, "data_segs_out_1m": 1}, "network", "loses segments: 100% had to be sent again"),
        (
            {"retrans_1m": 12, "dsack_dups_1m": 5, "data_segs_out_1m": 630},
            "network",
            "loses segments: 1.1% had to be sent again",
        ),
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
        # No ACK is early, so they do not wait for a timer: all of them stand in a queue.
        (
            {
                "srtt_us": 36_000,
                "min_rtt_us": 4400,
                "rtt_samples": 9,
                "rtt_lo_us": 34_200,
                "rtt_hi_us": 40_800,
            },
            "network",
            "queueing: RTT is 8 times its minimum",
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
        (SLOW, "somebody", "slow: RTT 440ms, of which 149ms is the path"),
        (SLOW | {"busy_us_1m": 100_000}, "somebody", "slow: RTT 440ms, of which 149ms is the path"),
        (SLOW | {"srtt_us": 150_000}, "somebody", "slow: RTT 150ms, of which 149ms is the path"),
        (SLOW | {"srtt_us": 149_999}, "nobody", "healthy"),
        ({"busy_us_1m": 100_000}, "nobody", "waiting for the applications"),
        (DOWNLOAD, "nobody", "healthy; it mostly receives"),
        (DOWNLOAD | {"data_segs_in_1m": 600}, "nobody", "healthy; it mostly receives"),
        (DOWNLOAD | {"data_segs_in_1m": 599}, "nobody", "waiting for the applications"),
        # As many requests as answers.
        (DOWNLOAD | {"data_segs_in_1m": 900, "data_segs_out_1m": 900}, "nobody", "waiting for the"),
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
        {"retrans_1m": 90, "dsack_dups_1m": 86, "retrans": 90},  # most of them needlessly
        {"retrans_1m": 90, "dsack_dups_1m": 100, "retrans": 90},  # some of them before that minute
        {"retrans": 50_000, "data_segs_out": 60_000},  # of hours ago, as the next ones are
        {"rwnd_limited_us": 9 * 10**9, "busy_us": 10**10},
        {"sndbuf_limited_us": 9 * 10**9, "busy_us": 10**10},
        RISEN | {"srtt_us": 9000, "segs_in": 106, "data_segs_in": 100},
        RISEN | {"rtt_samples": 9, "rtt_hi_us": 230},  # requests that are sent in two pieces: see limits.md
        RISEN | {"last_rtt_us": 230},
        {"busy_us_1m": 99_000, "rwnd_limited_us_1m": 99_000},  # some jiffies
        {"srtt_us": 600, "min_rtt_us": 30},  # a host that is busy, not a queue
        {"rwnd_limited_us_1m": 7_000_000},
        {"recv_q_bytes": 10, "last_received_ms": 3},  # it has just come
        {"snd_wnd_bytes": 0},  # closed, but nothing waits
    ],
)
def test_what_is_still_healthy(fields: dict[str, Any]) -> None:
    assert diagnose(one(**fields)).who == "nobody"


@pytest.mark.parametrize(
    ("sent_ms", "received_ms", "reasons"),
    [
        (13_000, 20_000, ["the last data was ours, 13s ago: if an answer is due, the peer owes it"]),
        (20_000, 13_000, ["the last data was the peer's, 13s ago: if an answer is due, our process owes it"]),
        (13_000, 13_000, []),
        (UNKNOWN_U32, 13_000, []),
    ],
)
def test_of_an_idle_one_it_is_told_who_may_owe_an_answer(
    sent_ms: int, received_ms: int, reasons: list[str]
) -> None:
    verdict = diagnose(one(rtt_age_ms=13_000, last_sent_ms=sent_ms, last_received_ms=received_ms))
    assert verdict.summary == "idle: the latest RTT is 13s old"
    assert list(verdict.reasons[2:]) == reasons


def test_silence_outranks_all_and_the_rest_is_mentioned() -> None:
    verdict = diagnose(
        one(stalled=True, retransmits=2, retrans_1m=900, recv_q_bytes=200_000, last_ack_ms=9000)
    )
    assert verdict.who == "peer"
    assert str(verdict).startswith("peer: silent")
    assert [reason.split(":")[0] for reason in verdict.reasons[1:]] == ["also us", "also network"]


def test_only_a_culprit_is_named_in_front() -> None:
    assert str(diagnose(one())) == "healthy"
    slow = diagnose(one(**SLOW))
    assert str(slow).startswith("slow: RTT 440ms")
    assert style_of(slow) == "warn" != style_of(diagnose(one()))


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
        PROBED,
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
    verdict = diagnose(closed)
    assert str(verdict) == "closed; until then peer: silent: 3 timeouts in a row, no ACK for 0ms"
    assert (style_of(verdict), verdict.check) == ("unknown", "")
    assert str(diagnose(one(closed=True))) == "closed; until then healthy"


def test_a_failed_connect_is_what_its_verdict_is_about() -> None:
    refused = one(closed=True, connect_error=CONNECT_ERRORS.index("refused"), rport=81, lport=80)
    assert str(diagnose(refused)).startswith("peer: connecting has failed: refused")
    assert diagnose(refused).check.startswith("tcpdump")


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
        "ss -tinmo src '[2001:db8::1]:22' dst '[2001:db8::2]:40000'"
    )
    assert diagnose(one(**ends, srtt_us=190_000)).check == (
        "tcpdump -ni any host 198.51.100.2 and port 40000 and port 22"
    )
    link = six | {"raddr": "fe80::1", "ifindex": 2, "interface": b"eth0"}
    assert "host fe80::1 and port" in diagnose(one(**link, srtt_us=190_000)).check
    assert diagnose(one(**ends, holder=2, age_ns=3_000_000_000)).check == "ss -tlne sport = :22"
    assert diagnose(one(**ends)).check == ""


def test_a_check_enters_the_network_namespace_of_the_connection() -> None:
    ends = {"laddr": "192.0.2.1", "lport": 22, "raddr": "198.51.100.2", "rport": 40_000, "netns": 7, "pid": 4}
    lossy = ends | {"retrans_1m": 7, "data_segs_out_1m": 630}
    ss = "ss -tinmo src 192.0.2.1:22 dst 198.51.100.2:40000"
    for own, command in ((0, ss), (7, ss), (8, f"nsenter -t 4 -n {ss}")):
        assert diagnose(one(**lossy), own).check == command
    assert diagnose(one(**lossy | {"pid": 0}), 8).check == f"{ss} # in network namespace 7"
    assert diagnose(one(**lossy | {"netns": 0}), 8).check == ss
    for fields, begins in (
        (SLOW, "nsenter -t 4 -n tcpdump "),
        ({"srtt_us": 190_000}, "nsenter -t 4 -n tcpdump "),
        ({"holder": 2, "age_ns": 3_000_000_000}, "nsenter -t 4 -n ss -tlne "),
        (SLOW_HERE, "strace -rp 4"),  # a process is the same everywhere
    ):
        assert diagnose(one(**ends | fields), 8).check.startswith(begins)


def test_the_documentation_lists_the_causes_as_the_table_has_them() -> None:
    described = (Path(__file__).parents[2] / "docs" / "screen.md").read_text()
    listed = re.findall(r"^\| `[^`]+` \| `([a-z-]+)` \|", described, re.MULTILINE)
    assert listed == [cause.name for cause in causes.CAUSES if not cause.explains]
