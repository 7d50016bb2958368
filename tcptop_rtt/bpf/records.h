// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Records, from the room that they take to all that they tell of a connection. */

static __always_inline struct record *reserve_record(void)
{
	struct record *r = records.ringbuf_reserve(sizeof(struct record));

	if (!r)
		count_dropped();
	return r;
}

/* User space polls, so no record wakes it. */
static __always_inline void submit_record(struct record *r)
{
	records.ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

/* The identity of a connection. The caller adds what the record is about. */
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

/* All that a record has of a connection, except its process and its samples. */
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

/* The record of something that happened to sk; NULL if there is no room. */
static __always_inline struct record *
new_record(u32 kind, struct sock *sk, const struct connection *c)
{
	struct record *r = reserve_record();

	if (r)
		fill_record(r, kind, sk, c);
	return r;
}
