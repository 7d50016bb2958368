// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Reads the round-trip time that the kernel keeps of a socket, and its latest sample. */

/*
 * When the latest sample was taken, where the kernel does not keep that: it came
 * with the latest ACK, but if nothing is in flight, at most one RTT after the latest
 * data was sent.
 */
static __always_inline void date_sample_by_acks(struct record *r, struct tcp_sock *tp)
{
	u32 now = bpf_jiffies64(), then, packets_out;
	u64 bytes_acked, age_us, sent_us;

	READ(bytes_acked, tp->bytes_acked);
	if (bytes_acked <= 1 || !r->srtt_us)	/* no more than our SYN */
		return;
	READ(then, tp->rcv_tstamp);
	age_us = jiffies_to_us(jiffies_since(now, then));
	READ(packets_out, tp->packets_out);
	READ(then, tp->lsndtime);
	sent_us = jiffies_to_us(jiffies_since(now, then));
	if (!packets_out && sent_us > age_us + r->srtt_us)
		age_us = sent_us - r->srtt_us;
	r->sampled_us = r->time_ns / 1000 - age_us;
}

/* The record has its time already. */
static __always_inline void read_rtt(struct record *r, struct tcp_sock *tp)
{
	u32 value;

	READ(value, tp->srtt_us);
	r->srtt_us = value >> 3;
	READ(value, tp->mdev_us);
	r->rttvar_us = value >> 2;
	READ(r->min_rtt_us, tp->min_rtt_us);
	/* When the segment of the latest sample was sent; 0: no sample since the handshake. */
	READ(r->sampled_us, tp->rack_mstamp);
	if (r->sampled_us) {
		READ(value, tp->rack_rtt_us);
		r->sampled_us += value;
	} else {
		date_sample_by_acks(r, tp);
	}
}

/*
 * An RTT sample as tcp_sock keeps it. The members rack.mstamp and so on are named
 * rack_mstamp here. Where the peer sends no SACKs, the kernel keeps none: mstamp
 * stays 0, and the others are here what changes by a sample, srtt_us and mdev_us.
 */
struct rack {
	u64	mstamp;
	u32	rtt_us;
	u32	end_seq;
};

static __always_inline struct rack latest_sample(struct sock *sk)
{
	const struct tcp_sock *tp = (const void *)sk;
	struct rack rack;

	READ(rack.mstamp, tp->rack_mstamp);
	if (rack.mstamp) {
		READ(rack.rtt_us, tp->rack_rtt_us);
		READ(rack.end_seq, tp->rack_end_seq);
	} else {
		READ(rack.rtt_us, tp->srtt_us);
		READ(rack.end_seq, tp->mdev_us);
	}
	return rack;
}

static __always_inline bool same_sample(const struct rack *a, const struct rack *b)
{
	return a->mstamp == b->mstamp && a->rtt_us == b->rtt_us && a->end_seq == b->end_seq;
}

/*
 * The sample by which the second differs from the first. Without SACKs it is what
 * tcp_rtt_estimator() has added an eighth of to srtt_us, which has eighths itself.
 * 0: the handshake's, which is not counted.
 */
static __always_inline u32 sample_between(const struct rack *before, const struct rack *after)
{
	u32 rtt_us;

	if (after->mstamp)
		return after->rtt_us;
	if (!before->rtt_us)
		return 0;
	rtt_us = after->rtt_us - before->rtt_us + (before->rtt_us >> 3);
	return (s32)rtt_us > 0 ? rtt_us : 1;
}
