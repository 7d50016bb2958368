// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * How long the two ends of a connection wait for each other. They take turns:
 * the peer's turn ends when its data arrives, ours at the first segment that
 * arrives after we have sent. No application protocol is read. Between two turns
 * a segment costs one comparison.
 *
 * Reading the clock would cost more than all the rest. It is not read for an answer
 * that brings the ACK of our latest data: the wait is then the RTT sample, which
 * the kernel takes after the hook, and keeps if the peer sends SACKs.
 */

#define LONGEST_WAIT_US	600000000ULL	/* Six of them fit into the 32 bits of user space's sums. */

/* The waits of a socket, in the second cache line of its window. */
struct waits {
	u64	arrived_us;	/* when the peer's turn ended; 0: not known, or given by the sample */
	u64	answer_sum_us;	/* from our last data to the first of the peer's */
	u64	reply_sum_us;	/* from the peer's last data to our next */
	u32	arrived_jiffies; /* when the peer's turn ended, as the kernel keeps such times */
	u32	by_sample;	/* an answer came with the ACK of our latest data, and is not counted yet */
	u32	answers;
	u32	replies;
	u32	crossings;	/* segments of data that the peer sent before our latest data reached it */
	u32	first_byte_us;	/* wait for the peer's first data: see note_first_byte(); 0: not known */
	u32	retrans;	/* our retransmits when the peer's latest turn ended */
	u32	slow_answers;
	u32	slow_replies;
	u32	pad;
};
_Static_assert(sizeof(struct waits) == 64, "keep waits in one cache line");

/* A turn is a number: 0 for the peer's turn; for ours it is made of snd_nxt when the turn began. */
#define PEERS_TURN	0

static __always_inline u32 turn_after(u32 snd_nxt)
{
	return snd_nxt << 1 | 1;
}

static __always_inline u32 our_turn(const struct tcp_sock *tp)
{
	u32 snd_nxt;

	READ(snd_nxt, tp->snd_nxt);
	return turn_after(snd_nxt);
}

/* A FIN counts as data, because it may be the answer. */
static __always_inline bool carries_data(const struct tcp_skb_cb *cb)
{
	u32 seq, end_seq;

	READ(seq, cb->seq);
	READ(end_seq, cb->end_seq);
	return seq != end_seq;
}

static __always_inline u64 shortened(u64 wait_us)
{
	return wait_us < LONGEST_WAIT_US ? wait_us : LONGEST_WAIT_US;
}

/* Keeps the wait for the peer's first data: since ours, or since the handshake if the peer speaks first. */
static __always_inline void note_first_byte(struct waits *waits, u64 wait_us)
{
	if (!waits->first_byte_us)
		waits->first_byte_us = wait_us ? shortened(wait_us) : 1;
}

static __always_inline void count_answer(struct waits *waits, u64 wait_us)
{
	note_first_byte(waits, wait_us);
	waits->answer_sum_us += shortened(wait_us);
	waits->slow_answers += wait_us >= SLOW_WAIT_US;
	waits->answers++;
}

/* Whether the latest RTT sample is that of the answer that ended the peer's turn. */
static __always_inline bool sample_of_answer(struct sock *sk, u32 turn, const struct waits *waits,
					     struct rack *sample)
{
	if (!waits->by_sample)
		return false;
	*sample = latest_sample(sk);
	return turn_after(sample->end_seq) == turn;
}

/*
 * How long after the end of its turn the peer's last data came: 0 if that was one
 * segment. The kernel keeps the jiffy of the last segment, which is exact enough.
 */
static __always_inline u64 later_us(struct sock *sk, const struct waits *waits)
{
	u32 then, later;

	READ(then, ((struct inet_connection_sock *)sk)->lrcvtime);
	later = then - waits->arrived_jiffies;
	return (s32)later <= 1 ? 0 : jiffies_to_us(later - 1);
}

/*
 * Whether we have retransmitted since the peer's latest turn ended. The wait is the
 * recovery of a loss then, and no answer. total_retrans counts the probe for a lost
 * tail, too, which retrans_out does not.
 */
static __always_inline bool sent_again(const struct tcp_sock *tp, const struct waits *waits)
{
	u32 retrans;

	READ(retrans, tp->total_retrans);
	return retrans != waits->retrans;
}

/*
 * When our turn began to send. All of ours was acknowledged before, so that the kernel
 * has kept the time of the first segment (tcp_rate_skb_sent()). What of it has been
 * sent since, as a reply in two pieces or with pacing, only moves tcp_mstamp, which
 * tcp_rcv_established() sets right after the hook.
 */
static __always_inline u64 first_sent_us(const struct tcp_sock *tp, u64 arrived_us)
{
	u64 first_us, sent_us;

	READ(sent_us, tp->tcp_mstamp);
	READ(first_us, tp->first_tx_mstamp);
	return first_us >= arrived_us && first_us < sent_us ? first_us : sent_us;
}

/*
 * Ends our turn, at the first segment after we have sent. After a retransmission the
 * time of our sending is not known, so the reply is not counted.
 */
static __always_inline void end_our_turn(struct sock *sk, u32 turn, struct waits *waits)
{
	const struct tcp_sock *tp = (const void *)sk;
	u64 arrived_us = waits->arrived_us, sent_us;
	struct rack sample;
	bool by_sample;

	by_sample = sample_of_answer(sk, turn, waits, &sample);
	/* A scan must not add an answer that is being counted: see copy_waits(). */
	waits->by_sample = 0;
	barrier();
	if (by_sample) {
		count_answer(waits, sample.rtt_us);
		arrived_us = sample.mstamp + sample.rtt_us;
	}
	if (!arrived_us || sent_again(tp, waits))
		return;
	arrived_us += later_us(sk, waits);
	sent_us = first_sent_us(tp, arrived_us);
	if (sent_us < arrived_us)
		return;
	waits->reply_sum_us += shortened(sent_us - arrived_us);
	waits->slow_replies += sent_us - arrived_us >= SLOW_WAIT_US;
	waits->replies++;
}

/*
 * Times an answer to data that was acknowledged before: rack_mstamp is when that data
 * was sent. Without SACKs only the jiffy of that is known.
 */
static __always_inline void time_answer(const struct tcp_sock *tp, struct waits *waits, bool is_recovery)
{
	u64 bytes_acked, sent_us, wait_us;
	u32 rtt_us, then;

	READ(bytes_acked, tp->bytes_acked);
	READ(sent_us, tp->rack_mstamp);
	if (!sent_us && bytes_acked > 1) {
		READ(then, tp->lsndtime);
		sent_us = waits->arrived_us -
			  jiffies_to_us(jiffies_since(waits->arrived_jiffies, then));
	}
	if (!sent_us || sent_us > waits->arrived_us)
		return;
	wait_us = waits->arrived_us - sent_us;
	if (bytes_acked > 1) {	/* more than our SYN */
		if (is_recovery)
			note_first_byte(waits, wait_us);
		else
			count_answer(waits, wait_us);
		return;
	}
	/* Only our SYN: its ACK has established the connection. */
	READ(rtt_us, tp->rack_rtt_us);
	if (rtt_us <= wait_us)
		note_first_byte(waits, wait_us - rtt_us);
}

/* Ends the peer's turn at its data, unless the peer sent that before our latest data reached it. */
static __always_inline void end_peers_turn(const struct tcp_sock *tp, const struct tcp_skb_cb *cb,
					   u32 *turn, struct waits *waits)
{
	bool is_acked, is_recovery, by_sample;
	u32 snd_nxt, snd_una, ack_seq;
	u64 sent_us, wait_us, mstamp;

	READ(snd_nxt, tp->snd_nxt);
	READ(ack_seq, cb->ack_seq);
	if (ack_seq != snd_nxt) {
		waits->crossings++;
		return;
	}
	READ(snd_una, tp->snd_una);
	is_acked = snd_una == snd_nxt;
	is_recovery = sent_again(tp, waits);
	waits->arrived_jiffies = bpf_jiffies64();
	READ(mstamp, tp->rack_mstamp);
	by_sample = !is_acked && !is_recovery && mstamp;
	waits->arrived_us = by_sample ? 0 : bpf_ktime_get_ns() / 1000;
	waits->by_sample = by_sample;
	if (is_acked) {
		time_answer(tp, waits, is_recovery);
	} else if (!by_sample) {
		READ(sent_us, tp->tcp_mstamp);
		wait_us = sent_us < waits->arrived_us ? waits->arrived_us - sent_us : 0;
		if (is_recovery)
			note_first_byte(waits, wait_us);
		else
			count_answer(waits, wait_us);
	}
	READ(waits->retrans, tp->total_retrans);
	*turn = turn_after(snd_nxt);
}

/* Runs for every segment, before the kernel processes it. */
static __always_inline void take_turns(struct sock *sk, u64 skb, u32 *turn,
				       struct waits *waits)
{
	const struct tcp_skb_cb *cb = control_block(skb);
	const struct tcp_sock *tp = (const void *)sk;

	if (*turn != PEERS_TURN) {
		if (*turn == our_turn(tp))
			return;
		end_our_turn(sk, *turn, waits);
		*turn = PEERS_TURN;
	}
	if (carries_data(cb))
		end_peers_turn(tp, cb, turn, waits);
}
