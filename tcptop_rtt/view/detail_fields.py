"""Fields of a connection that no column shows: for details, verdicts, filters and the stream."""

from __future__ import annotations

from tcptop_rtt.model.rows import CONNECT_ERRORS, DIRECTIONS
from tcptop_rtt.model.waited import SLOW_WAIT_US
from tcptop_rtt.view.field_kinds import choice, flag, integer, interface, text

_SLOW = f"took {SLOW_WAIT_US // 1000} ms or longer"

DETAILS = (
    integer("netns", "inode number of the network namespace"),
    integer("family", "4 or 6", nullable=False),
    interface("that the socket is bound to, as with link-local addresses; its number, if it has no name"),
    integer("ifindex", "the number of that interface; 0: it is bound to none", nullable=False),
    choice("direction", "who opened it: out, from here; in, the peer", DIRECTIONS, words=("dir",)),
    choice(
        "connect_error",
        "how connecting has ended without a connection; given-up: by the process; no-port: no local port was "
        "free; null: it has not",
        CONNECT_ERRORS,
    ),
    flag("stalled", "it retransmits, or probes a closed window, and nothing answers"),
    flag("open_seen", "its opening was seen"),
    flag(
        "end_seen", "its end was seen: the values in its close line are final, not those of the latest scan"
    ),
    flag("scanned", "a scan has read it, without which many fields are null"),
    integer("last_rtt_us", "the latest sample"),
    integer("rtt_age_ms", "since the latest sample; null: none since the handshake"),
    integer("rcv_rtt_us", "the receiver's own estimate"),
    integer("bytes_acked", "sent and acknowledged, in all"),
    integer("bytes_received", "received, in all"),
    integer("delivery_rate_bps", "the kernel's estimate, bits per second"),
    integer("pacing_rate_bps", "how fast the kernel sends at most, bits per second"),
    text("congestion_control", "the algorithm", "cubic", words=("cc",)),
    integer("cwnd", "congestion window, segments"),
    integer("ssthresh", "slow-start threshold, segments; null: slow start has not ended yet"),
    integer("mss", "largest segment, bytes"),
    integer("rto_us", "retransmission timeout"),
    integer("lost", "segments marked lost, in all"),
    integer("retransmits", "retransmission timeouts in a row without an ACK"),
    integer("probes", "zero-window probes in a row without an answer"),
    integer("busy_us", "time with data to send"),
    integer("rwnd_limited_us", "of it, held up by the peer's receive window"),
    integer("sndbuf_limited_us", "of it, held up by our send buffer"),
    integer("in_flight", "segments sent and not yet acknowledged, but for those marked lost"),
    integer("unacked_bytes", "sent and not yet acknowledged"),
    integer("notsent_bytes", "written by the process and not yet sent"),
    integer("recv_q_bytes", "received and not yet read by the process"),
    integer("snd_wnd_bytes", "the peer's receive window"),
    integer("rcv_wnd_bytes", "our receive window"),
    integer("last_sent_ms", "since data was sent, when last scanned; null: never"),
    integer("last_received_ms", "since data was received, likewise"),
    integer("last_ack_ms", "since an ACK was received, likewise"),
    integer("segs_in", "segments received, in all"),
    integer("data_segs_in", "of them, those that carry data"),
    integer("data_segs_out", "segments with data sent, those sent again included"),
    integer("dsack_dups", "segments that the peer says it got twice, in all"),
    integer("resent_fast", "retransmits since the connection was first seen, because ACKs showed a loss"),
    integer("resent_timeout", "likewise, because the retransmission timer expired"),
    integer("resent_probe", "likewise, to find out whether the last segment is lost"),
    integer("answers", "the peer's answers to what we have sent, in all"),
    integer("answer_sum_us", "the sum of their times: from our last data to the first of the answer"),
    integer("replies", "our answers to what the peer has sent, in all"),
    integer("reply_sum_us", "the sum of their times: from the peer's last data to our next"),
    integer(
        "crossings", "how often data came that the peer had sent before it got our latest: it answers nothing"
    ),
    integer("slow_answers", f"of the answers, those that {_SLOW}"),
    integer("slow_replies", f"of the replies, those that {_SLOW}"),
    integer("window_ms", "how long the last minute of the following is"),
    integer("retrans_1m", "segments sent again in the last minute"),
    integer("dsack_dups_1m", "segments that the peer says it got twice, in it"),
    integer("segs_in_1m", "segments received in it"),
    integer("data_segs_in_1m", "of them, those that carry data"),
    integer("data_segs_out_1m", "segments with data sent in it"),
    integer("busy_us_1m", "time with data to send in it"),
    integer("rwnd_limited_us_1m", "of it, held up by the peer's receive window"),
    integer("sndbuf_limited_us_1m", "of it, held up by our send buffer"),
    integer("answers_1m", "the peer's answers in it"),
    integer("replies_1m", "our answers in it"),
    integer("crossings_1m", "data in it that the peer had sent before it got our latest"),
    integer("slow_answers_1m", f"of answers_1m, those that {_SLOW}"),
    integer("slow_replies_1m", f"of replies_1m, those that {_SLOW}"),
)
