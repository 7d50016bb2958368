// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * All that there is to tell of a connection: scans write it, and a connection
 * that is followed leaves it behind.
 */

/* The latest answer may not be counted yet. What has been told never gets less: that is looked at last. */
static __always_inline void copy_waits(struct entry *e, struct sock *sk, const struct rtt_window *w)
{
	const struct waits *waits = &w->waits;
	struct rack sample;

	e->answers = waits->answers;
	e->answer_sum_us = waits->answer_sum_us;
	e->replies = waits->replies;
	e->reply_sum_us = waits->reply_sum_us;
	e->crossings = waits->crossings;
	e->first_byte_us = waits->first_byte_us;
	barrier();
	if (!sample_of_answer(sk, w->turn, waits, &sample))
		return;
	barrier();
	if (waits->answers == e->answers) {
		e->answers++;
		e->answer_sum_us += sample.rtt_us;
		if (!e->first_byte_us)
			e->first_byte_us = sample.rtt_us;
	}
}

static __always_inline void copy_resent(struct entry *e, const struct connection *c)
{
	e->resent_fast = c->resent_fast;
	e->resent_timeout = c->resent_timeout;
	e->resent_probe = c->resent_probe;
}

static __always_inline void fill_entry(struct entry *e, struct sock *sk, struct connection *c)
{
	fill_record(&e->record, KIND_ENTRY, sk, c);
	read_details(e, sk);
	copy_resent(e, c);
	copy_waits(e, sk, window_of(sk, c));
}

/*
 * What a connection was like at its end. Of one that is not followed its record is
 * enough: a scan has read the rest of those that last.
 */
static __always_inline void leave_last_entry(struct sock *sk, struct connection *c, int state)
{
#ifdef FOLLOW
	struct entry *e;

	if (!c->followed)
		return;
	e = last_entries.ringbuf_reserve(sizeof(struct entry));
	if (!e) {
		count_dropped();
		return;
	}
	__builtin_memset(e, 0, sizeof(*e));
	fill_entry(e, sk, c);
	e->record.state = state;
	last_entries.ringbuf_submit(e, BPF_RB_NO_WAKEUP);
#endif
}
