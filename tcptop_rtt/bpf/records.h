// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Records: reserving them in the ring buffer, filling them in, and submitting them. */

static __always_inline struct record *reserve_record(void)
{
	struct record *r = records.ringbuf_reserve(sizeof(struct record));

	if (!r)
		count_dropped();
	return r;
}

/* User space polls the ring buffer, so no record wakes it. */
static __always_inline void submit_record(struct record *r)
{
	records.ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

/* Fills in the identity of a connection. The caller adds what the record is about. */
static __always_inline void init_partial_record(struct record *r, u32 kind, struct sock *sk,
						const struct connection *c)
{
	__builtin_memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->id = c->id;
	r->sock = (u64)sk;
	r->time_ns = bpf_ktime_get_ns();
	r->opened_ns = c->opened_ns;
	r->open_seen = c->open_seen;
	r->followed = c->followed;
}

/* Fills in all that a record has of a connection, except its process and its samples. */
static __always_inline void fill_record(struct record *r, u32 kind, struct sock *sk,
					const struct connection *c)
{
	init_partial_record(r, kind, sk, c);
	r->direction = c->direction;
	read_endpoints(r, sk);
	read_identity(r, sk);
	read_rtt(r, (struct tcp_sock *)sk);
	read_counters(r, (struct tcp_sock *)sk);
	read_retransmits(r, sk);
}

/* A new record of an event of sk; NULL if the ring buffer has no room. */
static __always_inline struct record *
new_record(u32 kind, struct sock *sk, const struct connection *c)
{
	struct record *r = reserve_record();

	if (r)
		fill_record(r, kind, sk, c);
	return r;
}
