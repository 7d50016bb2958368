// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * What is known of each connection: the maps that hold it, from birth to end,
 * the records that tell of it, and the RTT samples of its socket.
 */

/* The RTT samples of one socket in one interval. Written under the socket's lock only. */
struct meter {
	u64		sock;		/* 0: free */
	struct rack	rack;		/* the latest sample, counted */
	u64		interval;	/* the jiffy it began at */
	u32		rtt_samples;
	u32		rtt_lo_us;
	u32		rtt_hi_us;
	u32		last_rtt_us;
	u32		refused;	/* the jiffy at which a report found no room */
	u8		pad[12];
};
_Static_assert(sizeof(struct meter) == 64, "keep meter in one cache line");

/* What is known of a connection from birth to end. */
struct connection {
	u64		id;
	u64		born_ns;
	struct meter	meter;		/* in use while another socket has its seat in meters */
	u64		retrans_reported; /* the jiffy of the latest report of one */
	u32		tgid;		/* 0: not known yet */
	u32		scan;		/* the latest one that has told of a descriptor of it */
	u8		direction;
	u8		born_seen;
	u8		closed;		/* told of as such: only its process is still to be named */
	u8		pad[5];
};
_Static_assert(sizeof(struct connection) == 104, "padding is explicit");

BPF_RINGBUF_OUTPUT(records, RING_PAGES);
/*
 * Memory is taken for what is there, and given back at its end. A map that
 * drops the oldest would forget connections that live.
 */
BPF_F_TABLE("hash", u64, struct connection, connections, MAX_CONNECTIONS, BPF_F_NO_PREALLOC);
/*
 * An array, as its look-up costs a segment nothing; each socket has one seat
 * that it may find taken. Of the kernel's arrays only those that may be mapped
 * begin on a cache line's edge; in another each meter lies in two lines.
 */
BPF_F_TABLE("array", int, struct meter, meters, 1 << METER_BITS, BPF_F_MMAPABLE);
BPF_F_TABLE("array", int, struct control, controls, 1, BPF_F_MMAPABLE);
BPF_PERCPU_ARRAY(ids, u64, 1);
BPF_PERCPU_ARRAY(scratch, struct entry, 1);
BPF_PERCPU_ARRAY(spares, struct connection, 1);

static __always_inline struct control *shared(void)
{
	int zero = 0;

	return controls.lookup(&zero);
}

static __always_inline void count_lost(void)
{
	struct control *control = shared();

	if (control)
		__sync_fetch_and_add(&control->lost, 1);
}

static __always_inline void count_untracked(void)
{
	struct control *control = shared();

	if (control)
		__sync_fetch_and_add(&control->untracked, 1);
}

static __always_inline struct record *reserve(void)
{
	struct record *r = records.ringbuf_reserve(sizeof(struct record));

	if (!r)
		count_lost();
	return r;
}

/* The worker polls, so no record wakes it. */
static __always_inline void submit(struct record *r)
{
	records.ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

/* Everything but the owner and the samples. */
static __always_inline void fill(struct record *r, u32 kind, struct sock *sk,
				 const struct connection *c)
{
	__builtin_memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->id = c->id;
	r->sock = (u64)sk;
	r->time_ns = bpf_ktime_get_ns();
	r->born_ns = c->born_ns;
	r->direction = c->direction;
	r->born_seen = c->born_seen;
	read_endpoints(r, sk);
	read_identity(r, sk);
	read_rtt(r, (struct tcp_sock *)sk);
	read_counters(r, (struct tcp_sock *)sk);
	read_retransmits(r, sk);
}

/* A record that tells one thing only. */
static __always_inline void begin_brief(struct record *r, u32 kind, struct sock *sk,
					const struct connection *c)
{
	__builtin_memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->id = c->id;
	r->sock = (u64)sk;
	r->time_ns = bpf_ktime_get_ns();
	r->born_ns = c->born_ns;
	r->born_seen = c->born_seen;
}

/* The record of something that happened to sk; NULL if there is no room. */
static __always_inline struct record *
begin_record(u32 kind, struct sock *sk, const struct connection *c)
{
	struct record *r = reserve();

	if (r)
		fill(r, kind, sk, c);
	return r;
}

/*
 * The verifier lets nobody shift what it knows to be a pointer; with its bytes
 * swapped it is a number.
 */
static __always_inline u64 address_of(struct sock *sk)
{
	u64 swapped = __builtin_bswap64((u64)sk);

	asm volatile("" : "+r"(swapped));	/* lest the compiler leave both swaps out */
	return __builtin_bswap64(swapped);
}

static __always_inline void start_meter(struct meter *m, struct sock *sk)
{
	__builtin_memset(m, 0, sizeof(*m));
	m->rack = latest_sample(sk);
	m->sock = (u64)sk;
}

/* State for a socket seen for the first time. */
static __always_inline void begin(struct connection *c, struct sock *sk,
				  enum direction direction, bool born_seen)
{
	int zero = 0;
	u64 *id;

	__builtin_memset(c, 0, sizeof(*c));
	id = ids.lookup(&zero);
	/* Of two that a softirq makes the counter give the same number the sockets differ. */
	if (id)
		c->id = ++*id << 24 | (address_of(sk) >> 7 & 0xfff) << 12 |
			(bpf_get_smp_processor_id() & 0xfff);
	c->born_ns = bpf_ktime_get_ns();
	c->direction = direction;
	c->born_seen = born_seen;
	start_meter(&c->meter, sk);
}

/* A connection older than the probe. Two CPUs may meet it at once: the first wins. */
static __always_inline struct connection *adopt(struct sock *sk)
{
	struct connection fresh;
	u64 key = (u64)sk;

	begin(&fresh, sk, DIRECTION_UNKNOWN, false);
	if (connections.insert(&key, &fresh) && !connections.lookup(&key))
		count_untracked();
	return connections.lookup(&key);
}

static __always_inline struct connection *find_or_adopt(struct sock *sk)
{
	u64 key = (u64)sk;
	struct connection *c = connections.lookup(&key);

	return c ? c : adopt(sk);
}

/*
 * What a scan tells of a connection that there is no memory for: no segment
 * of it is counted, and its socket's address stands for an id.
 */
static __always_inline struct connection *find_adopt_or_borrow(struct sock *sk)
{
	struct connection *c = find_or_adopt(sk);
	int zero = 0;

	if (c)
		return c;
	c = spares.lookup(&zero);
	if (!c)
		return NULL;
	begin(c, sk, DIRECTION_UNKNOWN, false);
	c->id = (u64)sk;
	return c;
}

/* Neighbours in memory are neighbours in meters, so that thousands of them take few pages. */
#define SEAT_SHIFT	(31 - __builtin_clz((u32)sizeof(struct tcp_sock)))

/* The only seat in meters that the socket may take. */
static __always_inline struct meter *seat_of(struct sock *sk)
{
	int seat = address_of(sk) >> SEAT_SHIFT & ((1 << METER_BITS) - 1);

	return meters.lookup(&seat);
}

/* A connection that begins now; whatever this address held before is over. */
static __always_inline struct connection *give_birth(struct sock *sk, enum direction direction)
{
	struct connection fresh;
	struct meter *m = seat_of(sk);
	u64 key = (u64)sk;

	if (m && m->sock == key)
		m->sock = 0;
	begin(&fresh, sk, direction, true);
	if (connections.update(&key, &fresh))
		count_untracked();
	return connections.lookup(&key);
}

static __always_inline void end(struct sock *sk)
{
	struct meter *m = seat_of(sk);
	u64 key = (u64)sk;

	if (m && m->sock == key)
		m->sock = 0;
	connections.delete(&key);
}

/* The meter in use, when its connection is known. */
static __always_inline struct meter *meter_of(struct sock *sk, struct connection *c)
{
	struct meter *m = seat_of(sk);

	return m && m->sock == (u64)sk ? m : &c->meter;
}

/* The owner comes last, as a scan that finds the seat taken reads it. */
static __always_inline void take_seat(struct meter *seat, const struct meter *m)
{
	struct meter copy = *m;

	copy.sock = 0;
	*seat = copy;
	barrier();
	seat->sock = m->sock;
}

/* Name the current process as the owner, as it is the one using the socket. */
static __always_inline void name_owner(struct record *r, struct connection *c)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	if (is_kernel_thread(task))
		return;
	read_process(r, task);
	c->tgid = r->tgid;
}

static __always_inline void read_samples(struct record *r, const struct meter *m)
{
	r->interval = m->interval;
	r->rtt_samples = m->rtt_samples;
	r->rtt_lo_us = m->rtt_lo_us;
	r->rtt_hi_us = m->rtt_hi_us;
	r->last_rtt_us = m->last_rtt_us;
}

/* The latest ACK's sample, if the hook has not counted it yet: now it is told of by itself. */
static __always_inline void read_single_sample(struct record *r, struct sock *sk, struct meter *m)
{
	struct rack rack = latest_sample(sk);

	if (same_sample(&rack, &m->rack))
		return;
	m->rack = rack;
	r->single_rtt_us = rack.rtt_us;
}

/* What is left of an interval that is over stays in the meter until the next sample. */
static __always_inline bool is_over(const struct meter *m, const struct control *control)
{
	return bpf_jiffies64() - m->interval >= control->interval_jiffies;
}

static __always_inline void add_sample(struct meter *m, u32 rtt_us)
{
	if (!m->rtt_samples || rtt_us < m->rtt_lo_us)
		m->rtt_lo_us = rtt_us;
	if (!m->rtt_samples || rtt_us > m->rtt_hi_us)
		m->rtt_hi_us = rtt_us;
	m->last_rtt_us = rtt_us;
	m->rtt_samples++;
}

/* Where there was no room there is hardly any a segment later, and to ask costs as much as to report. */
static __always_inline bool may_ask(const struct meter *m, const struct control *control)
{
	return (u32)bpf_jiffies64() - m->refused >= control->interval_jiffies;
}

/*
 * Send what the meter holds of a past interval, and to the focus the new
 * sample. False if there is no room: what the meter holds stays there.
 */
static __always_inline bool report_segment(struct sock *sk, struct meter *m, bool due,
					   bool focused, u32 rtt_us)
{
	u64 key = (u64)sk;
	struct connection *c = connections.lookup(&key);
	struct record *r;

	if (!c) {
		/* It has ended on another CPU: whoever has its address next starts anew. */
		m->sock = 0;
		return true;
	}
	r = records.ringbuf_reserve(sizeof(*r));
	if (!r) {
		if (focused)
			count_lost();
		m->refused = bpf_jiffies64();
		return false;
	}
	fill(r, KIND_SEGMENT, sk, c);
	if (due)
		read_samples(r, m);
	if (focused)
		r->single_rtt_us = rtt_us;
	submit(r);
	return true;
}

/*
 * Account the sample that the previous ACK brought, if it brought one. The
 * interval before goes out with the first sample after it, so a socket sends
 * at most one record per interval.
 */
static __always_inline void take_sample(struct sock *sk, struct meter *m)
{
	struct rack rack = latest_sample(sk);
	struct control *control;
	bool due, focused;

	if (same_sample(&rack, &m->rack))
		return;
	m->rack = rack;
	control = shared();
	if (!control)
		return;
	due = is_over(m, control);
	focused = control->focus == (u64)sk;
	if (due && m->rtt_samples)
		due = may_ask(m, control);
	if ((due && m->rtt_samples) || focused)
		due = report_segment(sk, m, due, focused, rack.rtt_us) && due;
	if (due) {
		m->interval = bpf_jiffies64();
		barrier();	/* A scan that copies the samples sees by the interval that they change. */
		m->rtt_samples = 0;
	}
	add_sample(m, rack.rtt_us);
}
