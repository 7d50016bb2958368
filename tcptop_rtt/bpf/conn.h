// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The life of a connection: finding, opening and closing it, and its process. */

/*
 * The socket's address as a number. The verifier forbids shifting a pointer, but
 * swapping the bytes of a pointer makes it a number.
 */
static __always_inline u64 address_of(struct sock *sk)
{
	u64 swapped = __builtin_bswap64((u64)sk);

	asm volatile("" : "+r"(swapped));	/* else the compiler would drop both swaps */
	return __builtin_bswap64(swapped);
}

/*
 * Starts a window. For a connection older than the program it is not known whose
 * turn it is: ours is assumed, which ends when we send, and is not counted.
 */
static __always_inline void window_init(struct rtt_window *w, struct sock *sk, bool open_seen)
{
	__builtin_memset(w, 0, sizeof(*w));
	w->rack = latest_sample(sk);
	READ(w->waits.retrans, ((struct tcp_sock *)sk)->total_retrans);
	w->turn = open_seen ? PEERS_TURN : our_turn((struct tcp_sock *)sk);
	w->sock = (u64)sk;
}

/* Fills in a connection that is new to the program. */
static __always_inline void conn_init(struct connection *c, struct sock *sk,
				      enum direction direction, bool open_seen)
{
	int zero = 0;
	u64 *id;

	__builtin_memset(c, 0, sizeof(*c));
	id = ids.lookup(&zero);
	/* A softirq may get the same count as the task that it interrupts, but not the same address. */
	if (id)
		c->id = ++*id << 24 | (address_of(sk) >> 7 & 0xfff) << 12 |
			(bpf_get_smp_processor_id() & 0xfff);
	c->opened_ns = bpf_ktime_get_ns();
	c->direction = direction;
	c->open_seen = open_seen;
	window_init(&c->window, sk, open_seen);
}

/* Adds a connection older than the program. If two CPUs add it at once, the first one wins. */
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
 * The id of a connection that there is no memory to track: a mark, its ports, and
 * the address of its socket without the upper bits, which are ones in all of them.
 * Another connection may have that memory next.
 */
static __always_inline u64 untracked_id(struct sock *sk)
{
	u16 lport, dport;

	READ(lport, sk->skc_num);
	READ(dport, sk->skc_dport);
	return UNTRACKED_ID | (u64)((lport * 31 + dport) & 0x7fff) << 48 |
	       (address_of(sk) & 0xffffffffffff);
}

/* The connection that a scan writes an entry of. */
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
	c->id = untracked_id(sk);
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

/* Starts tracking a connection, in place of any earlier one at the same socket address. */
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
 * Whether the task descends from user space's process, which adopts its orphaned
 * descendants and so stays their ancestor.
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

/* Writes the current process into the record as the one that uses the socket. */
static __always_inline void name_user(struct record *r, struct connection *c)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	if (is_kernel_thread(task))
		return;
	read_user(r, c, task);
	c->tgid = r->tgid;
}
