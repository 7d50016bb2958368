// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * How long the two ends of a connection wait for each other. They take turns:
 * the peer's turn is over when data of its comes, ours at the first segment
 * that comes after we have sent. No protocol is read, and between two turns a
 * segment costs one comparison.
 */

#define LONGEST_WAIT_US	600000000ULL	/* Six of them fit into 32 bits: user space takes differences. */

/* What is counted of a socket, in the second cache line of its window. */
struct waits {
	u64	arrived_us;	/* when the peer's turn ended; 0: not known */
	u64	answer_sum_us;	/* from our last data to the first of the peer's */
	u64	reply_sum_us;	/* from the peer's last data to our next */
	u32	answers;
	u32	replies;
	u32	crossings;	/* data that the peer had sent before our latest came there */
	u32	pad[7];
};
_Static_assert(sizeof(struct waits) == 64, "keep waits in one cache line");

/* A turn is a number: 0 is the peer's, ours has what we had sent when it began. */
#define PEERS_TURN	0

static __always_inline u32 our_turn(const struct tcp_sock *tp)
{
	u32 snd_nxt;

	READ(snd_nxt, tp->snd_nxt);
	return snd_nxt << 1 | 1;
}

/* FIN counts as data, as an answer may be that. */
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

/*
 * When data of the peer's last came. The kernel keeps it in jiffies: of a
 * request of several segments that is exact enough, of one segment we know better.
 */
static __always_inline u64 last_arrival_us(struct sock *sk, const struct waits *waits, u64 now_us)
{
	u32 then, ago;
	u64 by_jiffies_us;

	READ(then, ((struct inet_connection_sock *)sk)->lrcvtime);
	ago = (u32)bpf_jiffies64() - then;
	by_jiffies_us = now_us - jiffies_to_us(ago + 1);
	return by_jiffies_us > waits->arrived_us ? by_jiffies_us : waits->arrived_us;
}

/*
 * The first segment after we have sent. The socket's clock still stands at that
 * moment: tcp_rcv_established() sets it right after the hook. If a segment was
 * sent again, it stands at the latest time.
 */
static __always_inline void end_our_turn(struct sock *sk, struct waits *waits)
{
	const struct tcp_sock *tp = (const void *)sk;
	u64 sent_us, arrived_us;
	u32 sent_again;

	READ(sent_again, tp->retrans_out);
	if (!waits->arrived_us || sent_again)
		return;
	READ(sent_us, tp->tcp_mstamp);
	arrived_us = last_arrival_us(sk, waits, bpf_ktime_get_ns() / 1000);
	if (sent_us < arrived_us)
		return;
	waits->reply_sum_us += shortened(sent_us - arrived_us);
	waits->replies++;
}

/*
 * When our latest data was sent; 0: there was none. Once it is all acknowledged,
 * its segment is the one of the latest RTT sample. Until then, the socket's clock
 * stands at the latest event, which was hardly ever another.
 */
static __always_inline u64 last_sent_us(const struct tcp_sock *tp, u32 snd_nxt)
{
	u32 snd_una;
	u64 bytes_acked, sent_us;

	READ(snd_una, tp->snd_una);
	if (snd_una != snd_nxt) {
		READ(sent_us, tp->tcp_mstamp);
		return sent_us;
	}
	READ(bytes_acked, tp->bytes_acked);
	if (bytes_acked <= 1)	/* our SYN */
		return 0;
	READ(sent_us, tp->rack_mstamp);
	return sent_us;
}

/* Data in the peer's turn: it ends, unless the data was on its way before our latest came there. */
static __always_inline void end_peers_turn(const struct tcp_sock *tp, const struct tcp_skb_cb *cb,
					   u32 *turn, struct waits *waits)
{
	u64 now_us, sent_us;
	u32 snd_nxt, ack_seq;

	READ(snd_nxt, tp->snd_nxt);
	READ(ack_seq, cb->ack_seq);
	if (ack_seq != snd_nxt) {
		waits->crossings++;
		return;
	}
	now_us = bpf_ktime_get_ns() / 1000;
	sent_us = last_sent_us(tp, snd_nxt);
	if (sent_us && sent_us <= now_us) {
		waits->answer_sum_us += shortened(now_us - sent_us);
		waits->answers++;
	}
	waits->arrived_us = now_us;
	*turn = our_turn(tp);
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
		end_our_turn(sk, waits);
		*turn = PEERS_TURN;
	}
	if (carries_data(cb))
		end_peers_turn(tp, cb, turn, waits);
}
