// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The RTT samples of a socket: counted in a window, and reported once the window is over. */

static __always_inline void read_samples(struct record *r, const struct rtt_window *w)
{
	r->window_start = w->window_start;
	r->rtt_samples = w->rtt_samples;
	r->rtt_lo_us = w->rtt_lo_us;
	r->rtt_hi_us = w->rtt_hi_us;
	r->last_rtt_us = w->last_rtt_us;
	r->rtt_sum_us = w->rtt_sum_us;
}

/* Reports the latest ACK's sample by itself, if on_segment() has not counted it yet. */
static __always_inline void take_single_sample(struct record *r, struct sock *sk,
					       struct rtt_window *w)
{
	struct rack rack = latest_sample(sk);

	if (same_sample(&rack, &w->rack))
		return;
	r->single_rtt_us = sample_between(&w->rack, &rack);
	w->rack = rack;
}

/* Whether the window is over. Its samples stay there until the next sample comes. */
static __always_inline bool window_is_over(const struct rtt_window *w,
					   const struct control *control)
{
	return bpf_jiffies64() - w->window_start >= control->report_interval_jiffies;
}

static __always_inline void add_sample(struct rtt_window *w, u32 rtt_us)
{
	if (!w->rtt_samples || rtt_us < w->rtt_lo_us)
		w->rtt_lo_us = rtt_us;
	if (!w->rtt_samples || rtt_us > w->rtt_hi_us)
		w->rtt_hi_us = rtt_us;
	w->last_rtt_us = rtt_us;
	w->rtt_sum_us += rtt_us;
	w->rtt_samples++;
}

/* A failed reservation costs as much as a report, so the next one is tried only after an interval. */
static __always_inline bool may_reserve_again(const struct rtt_window *w,
					      const struct control *control)
{
	return (u32)bpf_jiffies64() - w->reserve_failed_at >= control->report_interval_jiffies;
}

/*
 * Sends the samples of the window if it is over, and the new sample of the traced
 * socket. False if the ring buffer has no room: the samples then stay.
 */
static __always_inline bool report_segment(struct sock *sk, struct rtt_window *w, bool due,
					   bool traced, u32 rtt_us)
{
	u64 key = (u64)sk;
	struct connection *c = connections.lookup(&key);
	struct record *r;

	if (!c) {
		/* Another CPU has closed the connection, so its slot is freed. */
		w->sock = 0;
		return true;
	}
	r = records.ringbuf_reserve(sizeof(*r));
	if (!r) {
		if (traced)
			count_dropped();
		w->reserve_failed_at = bpf_jiffies64();
		return false;
	}
	fill_record(r, KIND_SEGMENT, sk, c);
	if (due)
		read_samples(r, w);
	if (traced)
		r->single_rtt_us = rtt_us;
	submit_record(r);
	return true;
}

/*
 * Counts the sample of the previous ACK, if it had one. The first sample of a
 * window sends those of the previous window, so a socket sends at most one record
 * per report interval.
 */
static __always_inline void take_sample(struct sock *sk, struct rtt_window *w)
{
	struct rack rack = latest_sample(sk);
	struct control *control;
	bool due, traced;
	u32 rtt_us;

	if (same_sample(&rack, &w->rack))
		return;
	rtt_us = sample_between(&w->rack, &rack);
	w->rack = rack;
	control = shared_control();
	if (!control || (!rtt_us && !rack.mstamp))
		return;
	due = window_is_over(w, control);
	traced = control->traced_sock == (u64)sk;
	if (due && w->rtt_samples)
		due = may_reserve_again(w, control);
	if ((due && w->rtt_samples) || traced)
		due = report_segment(sk, w, due, traced, rtt_us) && due;
	if (due) {
		w->window_start = bpf_jiffies64();
		barrier();	/* By the changed start a scan sees that the samples are changing. */
		w->rtt_samples = 0;
		w->rtt_sum_us = 0;
	}
	add_sample(w, rtt_us);
}
