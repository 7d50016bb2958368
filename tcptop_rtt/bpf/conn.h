// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The state of the connections: the maps that hold it, how a connection is
 * opened and closed, its records, and the RTT samples of its socket.
 */

/*
 * The RTT samples of one socket in one window of time. They are counted under the
 * socket's lock. A scan takes no lock: it copies them, and writes rack only.
 */
struct rtt_window {
	u64		sock;		/* 0: free */
	struct rack	rack;		/* the latest sample that was counted or reported */
	u64		window_start;	/* the jiffy at which it began */
	u32		rtt_samples;
	u32		rtt_lo_us;
	u32		rtt_hi_us;
	u32		last_rtt_us;
	u32		reserve_failed_at; /* the jiffy at which a report found no room */
	u32		turn;		/* see waits.h */
	u64		rtt_sum_us;
	struct waits	waits;		/* since the connection was first seen */
};
_Static_assert(offsetof(struct rtt_window, waits) == 64, "one cache line for every segment");

/*
 * A connection, from its first to its last event. User space looks at what comes
 * before the window; mirrored by CONNECTION in model/records.py.
 */
struct connection {
	u64		id;
	u64		opened_ns;
	u32		tgid;		/* 0: not known yet */
	u8		direction;
	u8		open_seen;
	u8		closed;		/* KIND_CLOSE was reported; its process is not known yet */
	u8		followed;	/* as in struct record */
	struct rtt_window window;	/* in use as long as the socket has no slot */
	u64		retrans_reported; /* the jiffy of the latest KIND_RETRANS */
	u32		resent_fast;	/* see count_resent() */
	u32		resent_timeout;
	u32		resent_probe;
	u32		scan;		/* the latest one that wrote an entry for a descriptor */
};
_Static_assert(offsetof(struct connection, window) == 24, "keep CONNECTION in model/records.py in step");
_Static_assert(sizeof(struct connection) == 176, "padding is explicit");

BPF_RINGBUF_OUTPUT(records, RING_PAGES);
#ifdef FOLLOW
BPF_RINGBUF_OUTPUT(last_entries, LAST_PAGES);
#endif
/*
 * Each connection takes memory until it is closed. An LRU map would take it
 * beforehand, and forget connections that are still open.
 */
BPF_F_TABLE("hash", u64, struct connection, connections, MAX_CONNECTIONS, BPF_F_NO_PREALLOC);
/*
 * Looking up an array costs next to nothing. Each socket has one slot in it,
 * which another socket may have claimed. The flag puts each window into one
 * cache line: the values of other arrays do not begin at the edge of a line.
 */
BPF_F_TABLE("array", int, struct rtt_window, rtt_windows, 1 << RTT_WINDOW_BITS, BPF_F_MMAPABLE);
BPF_F_TABLE("array", int, struct control, controls, 1, BPF_F_MMAPABLE);
BPF_PERCPU_ARRAY(ids, u64, 1);
BPF_PERCPU_ARRAY(scratch_entries, struct entry, 1);
BPF_PERCPU_ARRAY(scratch_connections, struct connection, 1);

static __always_inline struct control *shared_control(void)
{
	int zero = 0;

	return controls.lookup(&zero);
}

static __always_inline void count_dropped(void)
{
	struct control *control = shared_control();

	if (control)
		__sync_fetch_and_add(&control->dropped_records, 1);
}

static __always_inline void count_untracked(void)
{
	struct control *control = shared_control();

	if (control)
		__sync_fetch_and_add(&control->untracked, 1);
}

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

/*
 * The address as a number. The verifier allows no shift of a pointer, but
 * swapping the bytes makes it a number.
 */
static __always_inline u64 address_of(struct sock *sk)
{
	u64 swapped = __builtin_bswap64((u64)sk);

	asm volatile("" : "+r"(swapped));	/* or the compiler would drop both swaps */
	return __builtin_bswap64(swapped);
}

/* Of a connection older than the program nobody knows whose turn it is: ours ends soon, and is not counted. */
static __always_inline void window_init(struct rtt_window *w, struct sock *sk, bool open_seen)
{
	__builtin_memset(w, 0, sizeof(*w));
	w->rack = latest_sample(sk);
	w->turn = open_seen ? PEERS_TURN : our_turn((struct tcp_sock *)sk);
	w->sock = (u64)sk;
}

/* The state of a connection that is new to the program. */
static __always_inline void conn_init(struct connection *c, struct sock *sk,
				      enum direction direction, bool open_seen)
{
	int zero = 0;
	u64 *id;

	__builtin_memset(c, 0, sizeof(*c));
	id = ids.lookup(&zero);
	/* A softirq may get the same count as the task that it interrupts; their sockets differ. */
	if (id)
		c->id = ++*id << 24 | (address_of(sk) >> 7 & 0xfff) << 12 |
			(bpf_get_smp_processor_id() & 0xfff);
	c->opened_ns = bpf_ktime_get_ns();
	c->direction = direction;
	c->open_seen = open_seen;
	window_init(&c->window, sk, open_seen);
}

/* Adds a connection older than the program. If two CPUs meet it at once, the first one wins. */
static __always_inline struct connection *conn_track_existing(struct sock *sk)
{
	struct connection fresh;
	u64 key = (u64)sk;

	conn_init(&fresh, sk, DIRECTION_UNKNOWN, false);
	if (connections.insert(&key, &fresh) && !connections.lookup(&key))
		count_untracked();
	return connections.lookup(&key);
}

static __always_inline struct connection *conn_find_or_track(struct sock *sk)
{
	u64 key = (u64)sk;
	struct connection *c = connections.lookup(&key);

	return c ? c : conn_track_existing(sk);
}

/*
 * The connection that a scan writes an entry of. If there is no memory for it,
 * it is not tracked: its id is then the address of its socket.
 */
static __always_inline struct connection *conn_for_scan(struct sock *sk)
{
	struct connection *c = conn_find_or_track(sk);
	int zero = 0;

	if (c)
		return c;
	c = scratch_connections.lookup(&zero);
	if (!c)
		return NULL;
	conn_init(c, sk, DIRECTION_UNKNOWN, false);
	c->id = (u64)sk;
	return c;
}

/* Sockets that are neighbours in memory have neighbouring slots, so few pages are in use. */
#define SLOT_SHIFT	(31 - __builtin_clz((u32)sizeof(struct tcp_sock)))

/* The only slot that the socket may claim. */
static __always_inline struct rtt_window *slot_of(struct sock *sk)
{
	int slot = address_of(sk) >> SLOT_SHIFT & ((1 << RTT_WINDOW_BITS) - 1);

	return rtt_windows.lookup(&slot);
}

/* Starts a connection. An earlier one of the same socket address is over. */
static __always_inline struct connection *conn_open(struct sock *sk, enum direction direction)
{
	struct connection fresh;
	struct rtt_window *w = slot_of(sk);
	u64 key = (u64)sk;

	if (w && w->sock == key)
		w->sock = 0;
	conn_init(&fresh, sk, direction, true);
	if (connections.update(&key, &fresh))
		count_untracked();
	return connections.lookup(&key);
}

static __always_inline void conn_close(struct sock *sk)
{
	struct rtt_window *w = slot_of(sk);
	u64 key = (u64)sk;

	if (w && w->sock == key)
		w->sock = 0;
	connections.delete(&key);
}

/* The window that the socket's samples are counted in. */
static __always_inline struct rtt_window *window_of(struct sock *sk, struct connection *c)
{
	struct rtt_window *w = slot_of(sk);

	return w && w->sock == (u64)sk ? w : &c->window;
}

/* Writes sock last, because a scan reads a slot as soon as its sock is set. */
static __always_inline void claim_slot(struct rtt_window *slot, const struct rtt_window *own)
{
	struct rtt_window copy = *own;

	copy.sock = 0;
	*slot = copy;
	barrier();
	slot->sock = own->sock;
}

/*
 * Whether user space has started the process, or one that has started it. User space
 * adopts orphans, so it is above them, too.
 */
static __always_inline bool is_followed(struct task_struct *task)
{
#ifdef FOLLOW
	struct control *control = shared_control();

	return control && control->reader && descends_from(task, control->reader);
#else
	return false;
#endif
}

static __always_inline void read_user(struct record *r, struct connection *c, struct task_struct *task)
{
	read_process(r, task);
	if (is_followed(task))
		c->followed = r->followed = true;
}

/* Puts the current process into the record, as it is the one that uses the socket. */
static __always_inline void name_owner(struct record *r, struct connection *c)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	if (is_kernel_thread(task))
		return;
	read_user(r, c, task);
	c->tgid = r->tgid;
}

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
	w->rack = rack;
	r->single_rtt_us = rack.rtt_us;
}

/* The samples of a window that is over stay until the next sample. */
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

/* A failed reservation costs as much as a report, so try again only after an interval. */
static __always_inline bool may_reserve_again(const struct rtt_window *w,
					      const struct control *control)
{
	return (u32)bpf_jiffies64() - w->reserve_failed_at >= control->report_interval_jiffies;
}

/*
 * Sends the samples of the window if it is over, and the new sample
 * of the traced socket. False if there is no room: the samples stay.
 */
static __always_inline bool report_segment(struct sock *sk, struct rtt_window *w, bool due,
					   bool traced, u32 rtt_us)
{
	u64 key = (u64)sk;
	struct connection *c = connections.lookup(&key);
	struct record *r;

	if (!c) {
		/* Another CPU has closed it, so the slot is free. */
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
 * window sends those of the window before, so a socket sends at most one record
 * per report interval.
 */
static __always_inline void take_sample(struct sock *sk, struct rtt_window *w)
{
	struct rack rack = latest_sample(sk);
	struct control *control;
	bool due, traced;

	if (same_sample(&rack, &w->rack))
		return;
	w->rack = rack;
	control = shared_control();
	if (!control)
		return;
	due = window_is_over(w, control);
	traced = control->traced_sock == (u64)sk;
	if (due && w->rtt_samples)
		due = may_reserve_again(w, control);
	if ((due && w->rtt_samples) || traced)
		due = report_segment(sk, w, due, traced, rack.rtt_us) && due;
	if (due) {
		w->window_start = bpf_jiffies64();
		barrier();	/* The changed start shows a scan that the samples change. */
		w->rtt_samples = 0;
		w->rtt_sum_us = 0;
	}
	add_sample(w, rack.rtt_us);
}
