// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Watches every TCP socket of the machine and reports its round-trip time.
 *
 * This is bcc's dialect of BPF C. What is read of the kernel's structures is
 * in the table of sources/kernel_types.py, which puts their definitions, made
 * from the running kernel's BTF, before this text. bcc turns a plain
 * "p->field" into a checked read in the function that received p, so fields
 * of the kernel's structures are read in helpers only.
 */

#define AF_INET			2
#define AF_INET6		10
#define IPPROTO_TCP		6
#define IPPROTO_MPTCP		262
#define ECONNABORTED		103	/* include/uapi/asm-generic/errno.h */
#define SOCK_DEAD		0	/* enum sock_flags in include/net/sock.h */
#define PF_KTHREAD		0x00200000	/* include/linux/sched.h */
#define S_IFMT			0170000
#define S_IFSOCK		0140000
#define COMM_LEN		16
#define CA_NAME_LEN		16
#define MAX_PID_NS_LEVEL	32	/* include/linux/pid_namespace.h */

/* A field that this kernel lacks is of type struct missing, and reads as 0. */
#define IS_MISSING(src) \
	_Generic(&(src), struct missing *: 1, const struct missing *: 1, default: 0)
#define OR_ZERO(src, value) \
	_Generic(&(src), struct missing *: 0, const struct missing *: 0, default: (value))

/*
 * All programs are told the types of what they get, so that the verifier
 * allows plain loads, which cost a fortieth of a checked read. They are
 * volatile, as it refuses those that the compiler has merged over two fields.
 */
#ifdef CHECKED_READS
/* The comma takes a const away, which would let the compiler assume the 0. */
#define READ(dst, src) do {						\
	typeof(((void)0, OR_ZERO(src, src))) __value = 0;		\
	READ_BYTES(__value, src);					\
	(dst) = __value;						\
} while (0)
#else
#define READ(dst, src)	((dst) = OR_ZERO(src, *(const volatile typeof(src) *)&(src)))
#endif
/* Arrays, and what lies behind a pointer without a type. */
#define READ_BYTES(dst, src) do {					\
	if (!IS_MISSING(src))						\
		bpf_probe_read_kernel(&(dst), sizeof(dst), (const void *)&(src)); \
} while (0)

/* What a record is about; mirrored by Kind in sources/record.py. */
enum kind {
	KIND_OPEN	= 1,	/* a connection begins */
	KIND_STATE	= 2,	/* its TCP state has changed */
	KIND_SEGMENT	= 3,	/* a segment came: for rtt_* of an interval, or to the focused socket */
	KIND_RETRANS	= 4,	/* a segment was sent again; tells of retransmissions only */
	KIND_OWNER	= 5,	/* a process was seen using the socket; tells its name only */
	KIND_CLOSE	= 6,	/* the kernel is done with it */
	KIND_ENTRY	= 7,	/* a scan's view: one per open descriptor, and one where there is none */
	KIND_MPTCP	= 8,	/* a scan's view of who holds an MPTCP socket: its inode, and the process */
};

enum direction {
	DIRECTION_UNKNOWN,
	DIRECTION_OUT,
	DIRECTION_IN,
};

/*
 * What the ring buffer carries; mirrored by RECORD in sources/record.py, which
 * also checks the size. From bytes_acked to probes it is what user space
 * keeps and shows as it is.
 */
struct record {
	u64	id;
	u64	sock;
	u64	time_ns;		/* CLOCK_MONOTONIC */
	u64	born_ns;
	u64	started_ns;		/* CLOCK_BOOTTIME, of the process: with tgid it is the only one ever */
	u64	sampled_us;		/* CLOCK_MONOTONIC, of the latest ACK with a sample; 0: there is none */
	u64	interval;		/* the one that rtt_* are of: the jiffy it began at */
	u32	kind;
	u32	tgid;			/* 0: this record does not tell of a process */
	u32	pid;			/* the same in user space's PID namespace; 0: it is in another one */
	u32	process_uid;
	u32	rtt_samples;
	u32	rtt_lo_us;
	u32	rtt_hi_us;
	u32	last_rtt_us;
	u32	single_rtt_us;		/* a sample by itself; 0: none */
	u32	min_rtt_us;
	u16	lport;
	u8	direction;
	u8	born_seen;
	u8	port_chosen;		/* by connect(), so it is no listener's */
	u8	pad[3];
	char	comm[COMM_LEN];
	u64	bytes_acked;
	u64	bytes_received;
	u32	uid;
	u32	netns;
	u32	srtt_us;
	u32	rttvar_us;
	u32	cwnd;
	u32	ssthresh;
	u32	mss;
	u32	retrans;
	u32	lost;
	u32	ifindex;		/* of the interface that it is bound to; 0: of none */
	u16	rport;
	u8	family;			/* 4 or 6 */
	u8	state;
	u8	laddr[16];
	u8	raddr[16];
	u8	backoff;
	u8	probes;
	u8	more_pad[2];
};
_Static_assert(sizeof(struct record) == 216, "keep RECORD in sources/record.py in step");

/* Who may use a socket; mirrored by Hold in sources/record.py. */
enum hold {
	HOLD_SOCKET	= 1,	/* it has been given to a process, or is the kernel's */
	HOLD_FILE	= 2,	/* a file stands for it */
	HOLD_DEAD	= 4,	/* an orphan: whoever held it is gone */
};

/* What a scan tells of each socket: mirrored by ENTRY in sources/record.py. */
struct entry {
	struct record record;
	u64	pacing_rate;		/* bytes per second */
	u64	delivery_rate;		/* bytes per second */
	u64	inode;			/* a subflow has that of its MPTCP socket; 0: none */
	u32	hold;			/* enum hold */
	u32	pad;
	u64	busy_us;		/* kept as it is from here to the end */
	u64	rwnd_limited_us;
	u64	sndbuf_limited_us;
	u32	rcv_rtt_us;
	u32	rto_us;
	u32	in_flight;
	u32	unacked;
	u32	unsent;
	u32	unread;
	u32	snd_wnd;
	u32	rcv_wnd;
	u32	last_sent_ms;		/* ago; ~0: never */
	u32	last_received_ms;
	u32	last_ack_ms;
	u32	segs_in;
	u32	data_segs_in;
	u32	data_segs_out;
	char	congestion_control[CA_NAME_LEN];
};
_Static_assert(sizeof(struct entry) == 344, "keep ENTRY in sources/record.py in step");

/* What tcp_sock keeps of its latest RTT sample. */
struct rack {
	u64	mstamp;
	u32	rtt_us;
	u32	end_seq;
};

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

/* Shared memory with user space; mirrored by CONTROL in sources/record.py. */
struct control {
	u32	interval_jiffies;	/* user space sets it: between two records of a socket, at least */
	u32	scan;			/* user space counts its scans here */
	u64	focus;			/* user space sets the socket whose every ACK it wants */
	u64	lost;			/* records that found no room, counted here */
	u64	untracked;		/* connections that there was no memory for, counted here */
	u32	time_wait;		/* met by a scan of sockets, counted here, and set to 0 by user space */
	u32	syn_recv;		/* likewise */
};
_Static_assert(sizeof(struct control) == 40, "keep CONTROL in sources/record.py in step");

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

/* A whole TCP socket, of a type that its fields may be read by; NULL if it is none. */
static __always_inline struct sock *as_tcp(struct sock *sk)
{
#ifdef CHECKED_READS
	u16 family, protocol;

	READ(family, sk->skc_family);
	READ(protocol, sk->sk_protocol);
	if (protocol != IPPROTO_TCP || (family != AF_INET && family != AF_INET6))
		return NULL;
	return sk;
#else
	return (struct sock *)bpf_skc_to_tcp_sock(sk);
#endif
}

/*
 * What the hook is given is a whole TCP socket always, so that there is
 * nothing to find out: where the kernel has a cast for it, no call is left.
 */
static __always_inline struct sock *as_established(struct sock *sk)
{
#if defined(RDONLY_CAST) && !defined(CHECKED_READS)
	void *(*cast)(const void *obj, u32 type) = (void *)RDONLY_CAST;

	return cast(sk, TCP_SOCK_TYPE);
#else
	return as_tcp(sk);
#endif
}

/* True while a task, not a softirq, works on the socket: lock_sock(). */
static __always_inline bool locked_by_current(struct sock *sk)
{
	int owned;

	READ(owned, sk->sk_lock_owned);
	return owned;
}

static __always_inline bool is_kernel_thread(struct task_struct *task)
{
	u32 flags;

	READ_BYTES(flags, task->flags);
	return flags & PF_KTHREAD;
}

/* Before Linux 5.17 the rest of a longer name that it had before follows the end of one. */
static __always_inline void read_comm(char *comm, struct task_struct *task)
{
	__builtin_memset(comm, 0, COMM_LEN);
	bpf_probe_read_kernel_str(comm, COMM_LEN, &task->comm);
}

/* What a process is called in the PID namespace that user space is in; 0: it is in another one. */
static __always_inline u32 pid_of(struct task_struct *leader, u32 tgid)
{
#ifdef PID_NAMESPACE	/* Its inode. It is left out for the initial one, where each has the kernel's number. */
	struct pid *pid = NULL;
	struct upid *upid;
	struct pid_namespace *namespace;
	u32 deepest = 0, number = 0, level, inode;

	READ_BYTES(pid, leader->thread_pid);
	if (!pid || IS_MISSING(pid->numbers))
		return 0;
	READ_BYTES(deepest, pid->level);
	upid = (struct upid *)&pid->numbers;
	#pragma clang loop unroll(disable)
	for (level = 1; level <= MAX_PID_NS_LEVEL && level <= deepest; level++) {
		namespace = NULL;
		inode = 0;
		READ_BYTES(namespace, upid[level].ns);
		READ_BYTES(inode, namespace->inode);
		if (inode == PID_NAMESPACE) {
			READ_BYTES(number, upid[level].nr);
			break;
		}
	}
	return number;
#else
	return tgid;
#endif
}

/* The process of a task: its name is its first thread's. */
static __always_inline void read_process(struct record *r, struct task_struct *task)
{
	struct task_struct *leader;
	const struct cred *cred;

	READ_BYTES(leader, task->group_leader);
	READ_BYTES(r->tgid, leader->tgid);
	r->pid = pid_of(leader, r->tgid);
	READ_BYTES(r->started_ns, leader->start_boottime);
	READ_BYTES(cred, leader->real_cred);
	READ_BYTES(r->process_uid, cred->euid);
	read_comm(r->comm, leader);
}

static __always_inline bool is_v4_mapped(const u8 *addr)
{
	const u32 *words = (const u32 *)addr;

	return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff);
}

static __always_inline void map_v4(u8 *addr, u32 v4)
{
	u32 *words = (u32 *)addr;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = v4;
}

static __always_inline void read_endpoints(struct record *r, struct sock *sk)
{
	u16 family, dport;
	u32 v4;

	READ(family, sk->skc_family);
	READ(r->lport, sk->skc_num);
	READ(dport, sk->skc_dport);
	r->rport = bpf_ntohs(dport);
	r->family = 6;
	if (family == AF_INET6) {
		READ_BYTES(r->laddr, sk->skc_v6_rcv_saddr);
		READ_BYTES(r->raddr, sk->skc_v6_daddr);
		if (is_v4_mapped(r->raddr))
			r->family = 4;
		return;
	}
	r->family = 4;
	READ(v4, sk->skc_rcv_saddr);
	map_v4(r->laddr, v4);
	READ(v4, sk->skc_daddr);
	map_v4(r->raddr, v4);
}

static __always_inline void read_identity(struct record *r, struct sock *sk)
{
	struct inet_bind_bucket *bucket;
	struct net *net;
	s8 reuse = 0;

	READ(net, sk->skc_net);
	READ(r->netns, net->inum);
	READ(r->uid, sk->sk_uid);
	READ(r->ifindex, sk->skc_bound_dev_if);
	READ(r->state, sk->skc_state);
	/* __inet_hash_connect() marks the ports it picked with -1. */
	READ(bucket, ((struct inet_connection_sock *)sk)->icsk_bind_hash);
	if (bucket)
		READ(reuse, bucket->fastreuse);
	r->port_chosen = reuse < 0;
}

static __always_inline void read_rtt(struct record *r, struct tcp_sock *tp)
{
	u32 value;

	READ(value, tp->srtt_us);
	r->srtt_us = value >> 3;
	READ(value, tp->mdev_us);
	r->rttvar_us = value >> 2;
	READ(r->min_rtt_us, tp->min_rtt_us);
	/* When the segment was sent that the latest sample is of; 0: since the handshake there is none. */
	READ(r->sampled_us, tp->rack_mstamp);
	if (r->sampled_us) {
		READ(value, tp->rack_rtt_us);
		r->sampled_us += value;
	}
}

static __always_inline void read_counters(struct record *r, struct tcp_sock *tp)
{
	READ(r->cwnd, tp->snd_cwnd);
	READ(r->ssthresh, tp->snd_ssthresh);
	READ(r->mss, tp->mss_cache);
	READ(r->lost, tp->lost);
	READ(r->bytes_acked, tp->bytes_acked);
	READ(r->bytes_received, tp->bytes_received);
}

static __always_inline void read_retransmits(struct record *r, struct sock *sk)
{
	struct inet_connection_sock *icsk = (struct inet_connection_sock *)sk;

	READ(r->retrans, ((struct tcp_sock *)sk)->total_retrans);
	READ(r->backoff, icsk->icsk_retransmits);
	READ(r->probes, icsk->icsk_probes_out);
}

/* TICK_NS, the length of a jiffy, comes with the compiler command line. */
static __always_inline u64 jiffies_to_us(u32 jiffies)
{
	return (u64)jiffies * TICK_NS / 1000;
}

/* A bit field in most kernels: what its byte holds besides is cut off. */
static __always_inline u32 chrono_type_of(const struct tcp_sock *tp)
{
	u8 bits;

	READ(bits, tp->chrono_type);
	return bits >> chrono_type_SHIFT & chrono_type_MASK;
}

/* How tcp_get_info_chrono_stats() counts: the running period too. */
static __always_inline void read_chronograph(struct entry *e, struct tcp_sock *tp, u32 now)
{
	u32 type = chrono_type_of(tp), start, busy, rwnd, sndbuf;

	READ(start, tp->chrono_start);
	READ(busy, tp->chrono_busy);
	READ(rwnd, tp->chrono_rwnd_limited);
	READ(sndbuf, tp->chrono_sndbuf_limited);
	/* enum tcp_chrono */
	if (type == 1)
		busy += now - start;
	else if (type == 2)
		rwnd += now - start;
	else if (type == 3)
		sndbuf += now - start;
	e->busy_us = jiffies_to_us(busy + rwnd + sndbuf);
	e->rwnd_limited_us = jiffies_to_us(rwnd);
	e->sndbuf_limited_us = jiffies_to_us(sndbuf);
}

/* As tcp_packets_in_flight() has it. */
static __always_inline void read_in_flight(struct entry *e, struct tcp_sock *tp)
{
	u32 packets_out, sacked_out, lost_out, retrans_out;

	READ(packets_out, tp->packets_out);
	READ(sacked_out, tp->sacked_out);
	READ(lost_out, tp->lost_out);
	READ(retrans_out, tp->retrans_out);
	e->in_flight = packets_out - sacked_out - lost_out + retrans_out;
}

static __always_inline void read_rates(struct entry *e, struct tcp_sock *tp)
{
	unsigned long pacing_rate;
	u32 delivered, interval_us;

	READ(pacing_rate, ((struct sock *)tp)->sk_pacing_rate);
	e->pacing_rate = pacing_rate;
	/* tcp_compute_delivery_rate() */
	READ(delivered, tp->rate_delivered);
	READ(interval_us, tp->rate_interval_us);
	if (interval_us)
		e->delivery_rate = (u64)delivered * e->record.mss * 1000000 / interval_us;
}

static __always_inline void read_queues(struct entry *e, struct tcp_sock *tp)
{
	u32 write_seq, snd_nxt, snd_una, rcv_nxt, copied_seq;

	READ(write_seq, tp->write_seq);
	READ(snd_nxt, tp->snd_nxt);
	READ(snd_una, tp->snd_una);
	READ(rcv_nxt, tp->rcv_nxt);
	READ(copied_seq, tp->copied_seq);
	e->unsent = write_seq - snd_nxt;
	e->unacked = snd_nxt - snd_una;
	e->unread = rcv_nxt - copied_seq;
	READ(e->snd_wnd, tp->snd_wnd);
	READ(e->rcv_wnd, tp->rcv_wnd);
}

static __always_inline u32 ms_since(u32 now, u32 then)
{
	return then ? (u64)(now - then) * TICK_NS / 1000000 : ~0U;
}

static __always_inline void read_ages(struct entry *e, struct tcp_sock *tp, u32 now)
{
	u32 then;

	READ(then, tp->lsndtime);
	e->last_sent_ms = ms_since(now, then);
	READ(then, ((struct inet_connection_sock *)tp)->lrcvtime);
	e->last_received_ms = ms_since(now, then);
	READ(then, tp->rcv_tstamp);
	e->last_ack_ms = ms_since(now, then);
}

static __always_inline void read_segments(struct entry *e, struct tcp_sock *tp)
{
	READ(e->segs_in, tp->segs_in);
	READ(e->data_segs_in, tp->data_segs_in);
	READ(e->data_segs_out, tp->data_segs_out);
}

/* What only a scan tells. */
static __always_inline void read_details(struct entry *e, struct sock *sk)
{
	struct inet_connection_sock *icsk = (struct inet_connection_sock *)sk;
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	const struct tcp_congestion_ops *ops;
	u32 now = bpf_jiffies64(), value;

	READ(value, tp->rcv_rtt_us);
	e->rcv_rtt_us = value >> 3;
	READ(value, icsk->icsk_rto);
	e->rto_us = jiffies_to_us(value);
	READ(ops, icsk->icsk_ca_ops);
	READ_BYTES(e->congestion_control, ops->name);
	read_in_flight(e, tp);
	read_rates(e, tp);
	read_queues(e, tp);
	read_chronograph(e, tp, now);
	read_ages(e, tp, now);
	read_segments(e, tp);
}

static __always_inline void read_samples(struct record *r, const struct meter *m)
{
	r->interval = m->interval;
	r->rtt_samples = m->rtt_samples;
	r->rtt_lo_us = m->rtt_lo_us;
	r->rtt_hi_us = m->rtt_hi_us;
	r->last_rtt_us = m->last_rtt_us;
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

static __always_inline struct rack latest_sample(struct sock *sk)
{
	const struct tcp_sock *tp = (const void *)sk;
	struct rack rack;

	READ(rack.mstamp, tp->rack_mstamp);
	READ(rack.rtt_us, tp->rack_rtt_us);
	READ(rack.end_seq, tp->rack_end_seq);
	return rack;
}

/* What is left of an interval that is over stays in the meter until the next sample. */
static __always_inline bool is_over(const struct meter *m, const struct control *control)
{
	return bpf_jiffies64() - m->interval >= control->interval_jiffies;
}

static __always_inline void start_meter(struct meter *m, struct sock *sk)
{
	__builtin_memset(m, 0, sizeof(*m));
	m->rack = latest_sample(sk);
	m->sock = (u64)sk;
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

/* Name the current process as the owner, as it is the one using the socket. */
static __always_inline void name_owner(struct record *r, struct connection *c)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	if (is_kernel_thread(task))
		return;
	read_process(r, task);
	c->tgid = r->tgid;
}

static __always_inline bool same_sample(const struct rack *a, const struct rack *b)
{
	return a->mstamp == b->mstamp && a->rtt_us == b->rtt_us && a->end_seq == b->end_seq;
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

/* Of a listener its endpoint matters: it tells which connections were accepted, and who is to accept. */
static __always_inline void fill_listener(struct record *r, struct sock *sk)
{
	r->kind = KIND_ENTRY;
	read_endpoints(r, sk);
	read_identity(r, sk);
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

/* The owner comes last, as a scan that finds the seat taken reads it. */
static __always_inline void take_seat(struct meter *seat, const struct meter *m)
{
	struct meter copy = *m;

	copy.sock = 0;
	*seat = copy;
	barrier();
	seat->sock = m->sock;
}

/*
 * Every segment of an established connection comes by here: by fentry of
 * tcp_rcv_established(), or by the tracepoint that the function begins with.
 */
int on_segment(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = as_established((struct sock *)ctx->args[0]);
	struct connection *c;
	struct meter *seat;

	if (!sk)
		return 0;
	seat = seat_of(sk);
	if (!seat)
		return 0;
	if (seat->sock == (u64)sk) {
		take_sample(sk, seat);
		return 0;
	}
	c = find_or_adopt(sk);
	if (!c)
		return 0;
	take_sample(sk, &c->meter);
	/* It takes its seat for the next segment, lest another socket does so at this moment. */
	if (!seat->sock)
		take_seat(seat, &c->meter);
	return 0;
}

/*
 * Who acts on the socket here is its owner, but for "ss -K", which ends others'
 * with this error (tcp_abort()).
 */
static __always_inline bool acts_as_owner(struct sock *sk)
{
	int error;

	READ(error, sk->sk_err);
	return locked_by_current(sk) && error != ECONNABORTED;
}

/* Whether some process has still to let go of the socket. */
static __always_inline bool has_holder(struct sock *sk)
{
	struct socket *socket;

	READ(socket, sk->sk_socket);
	return socket;
}

/*
 * The connection that the change is about; NULL if it is about none. From
 * SYN_RECV also those come who are known: a simultaneous open passes through
 * it with the socket that connect() was called for, and a server may have
 * used Fast Open's.
 */
static __always_inline struct connection *connection_of(struct sock *sk, int before, int after)
{
	u64 key = (u64)sk;
	struct connection *c;

	if (after == BPF_TCP_SYN_SENT)
		return give_birth(sk, DIRECTION_OUT);
	c = connections.lookup(&key);
	return c && !c->closed ? c : NULL;
}

static __always_inline u32 kind_of_change(int before, int after)
{
	if (after == BPF_TCP_CLOSE)
		return KIND_CLOSE;
	if (after == BPF_TCP_SYN_SENT || before == BPF_TCP_SYN_RECV)
		return KIND_OPEN;
	return KIND_STATE;
}

int on_set_state(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = as_tcp((struct sock *)ctx->args[0]);
	int before = ctx->args[1], after = ctx->args[2];
	struct connection *c;
	struct record *r;
	struct meter *m;
	u32 kind;

	if (!sk || after == BPF_TCP_LISTEN)
		return 0;
	if (before == BPF_TCP_LISTEN) {
		/* A listener's clone: its addresses are not there yet, so that there is nothing to tell. */
		if (after == BPF_TCP_SYN_RECV)
			give_birth(sk, DIRECTION_IN);
		return 0;
	}
	c = connection_of(sk, before, after);
	if (!c)
		return 0;
	kind = kind_of_change(before, after);
	r = begin_record(kind, sk, c);
	if (r) {
		r->state = after;
		m = meter_of(sk, c);
		/* The hook sees segments of established connections only. */
		read_single_sample(r, sk, m);
		if (kind == KIND_CLOSE)
			read_samples(r, m);
		if (!c->tgid && acts_as_owner(sk))
			name_owner(r, c);
		submit(r);
	}
	if (kind != KIND_CLOSE)
		return 0;
	/* Reset by the peer, it is still held by a process that nobody knows: on_destroy() meets that one. */
	if (!c->tgid && has_holder(sk))
		c->closed = true;
	else
		end(sk);
	return 0;
}

/* The last that happens to a socket: here the owner lets go of one that the peer has reset. */
int on_destroy(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = as_tcp((struct sock *)ctx->args[0]);
	struct connection *c;
	struct record *r;
	u64 key = (u64)sk;

	if (!sk)
		return 0;
	c = connections.lookup(&key);
	if (!c)
		return 0;
	if (!c->tgid && locked_by_current(sk)) {
		r = reserve();
		if (r) {
			begin_brief(r, KIND_OWNER, sk, c);
			name_owner(r, c);
			submit(r);
		}
	}
	end(sk);
	return 0;
}

/*
 * A peer that has gone silent sends no ACK, so the hook alone would not tell.
 * The kernel counts the timeout after this: what matters is that scans see no
 * socket without a descriptor.
 */
int on_retransmit(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = as_tcp((struct sock *)ctx->args[0]);
	struct connection *c;
	struct control *control = shared();
	struct record *r;
	u64 key = (u64)sk, now = bpf_jiffies64();

	if (!sk)
		return 0;
	c = connections.lookup(&key);
	if (!control || !c || now - c->retrans_reported < control->interval_jiffies)
		return 0;
	c->retrans_reported = now;
	r = reserve();
	if (!r)
		return 0;
	begin_brief(r, KIND_RETRANS, sk, c);
	read_retransmits(r, sk);
	submit(r);
	return 0;
}

/*
 * What the hook has not reported yet and, as the socket may stay idle, may
 * not for long: an interval that is over, and the latest ACK's sample. The
 * socket is not locked here: the interval is checked again after the copy.
 */
static __always_inline void read_unreported_samples(struct record *r, struct sock *sk,
						    struct meter *m)
{
	struct control *control = shared();

	read_single_sample(r, sk, m);
	if (!control)
		return;
	read_samples(r, m);
	barrier();
	/* What was copied is whole only if it was over, and if no other interval has begun since. */
	if (m->interval != r->interval || !is_over(m, control))
		r->rtt_samples = 0;
}

static __always_inline void read_hold(struct entry *e, struct sock *sk)
{
	unsigned long flags;
	struct socket *socket;
	struct file *file;

	READ(flags, sk->skc_flags);
	if (flags & 1 << SOCK_DEAD)
		e->hold |= HOLD_DEAD;
	READ(socket, sk->sk_socket);
	if (!socket)
		return;
	e->hold |= HOLD_SOCKET;
	READ(file, socket->file);
	if (file)
		e->hold |= HOLD_FILE;
	/* SOCK_INODE(): it lies behind the socket, where the verifier allows no plain load. */
	READ_BYTES(e->inode, ((struct socket_alloc *)socket)->i_ino);
}

/* An entry that no longer fits is written anew at the next read, so that it has told of nothing yet. */
static __always_inline void write_entry(struct seq_file *seq, struct entry *e, struct sock *sk,
					struct connection *c)
{
	struct meter *m = meter_of(sk, c);
	struct rack counted = m->rack, told;

	read_unreported_samples(&e->record, sk, m);
	told = m->rack;
	if (bpf_seq_write(seq, e, sizeof(*e)) && same_sample(&told, &m->rack))
		m->rack = counted;
}

/* An empty entry to fill. */
static __always_inline struct entry *begin_entry(void)
{
	int zero = 0;
	struct entry *e = scratch.lookup(&zero);

	if (e)
		__builtin_memset(e, 0, sizeof(*e));
	return e;
}

/* The socket behind an open file, or NULL. */
static __always_inline struct sock *socket_of(struct file *file)
{
	struct socket *socket;
	struct sock *sk;
#ifdef CHECKED_READS
	struct inode *inode;
	u16 mode;

	READ(inode, file->f_inode);
	READ(mode, inode->i_mode);
	if ((mode & S_IFMT) != S_IFSOCK)
		return NULL;
	READ(socket, file->private_data);
#else
	socket = bpf_sock_from_file(file);
	if (!socket)
		return NULL;
#endif
	READ(sk, socket->sk);
	return sk;
}

/* Its subflows are TCP sockets without a descriptor: they have its inode's number. */
static __always_inline void tell_of_mptcp(struct seq_file *seq, struct task_struct *task,
					  struct file *file, struct sock *sk)
{
	struct entry *e;
	struct inode *inode;
	u16 protocol;

	READ(protocol, sk->sk_protocol);
	if (protocol != IPPROTO_MPTCP)
		return;
	e = begin_entry();
	if (!e)
		return;
	e->record.kind = KIND_MPTCP;
	READ(inode, file->f_inode);
	READ(e->inode, inode->i_ino);
	read_process(&e->record, task);
	bpf_seq_write(seq, e, sizeof(*e));
}

static __always_inline void fill_entry(struct entry *e, struct sock *sk, struct connection *c)
{
	fill(&e->record, KIND_ENTRY, sk, c);
	read_details(e, sk);
}

/* One entry per descriptor of a TCP or MPTCP socket, of every process and network namespace. */
BPF_ITER(task_file)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct control *control = shared();
	struct connection *c;
	struct entry *e;
	struct sock *any, *sk;
	u8 state;

	if (!task || !file || !control)
		return 0;
	any = socket_of(file);
	if (!any)
		return 0;
	sk = as_tcp(any);
	if (!sk) {
		tell_of_mptcp(seq, task, file, any);
		return 0;
	}
	READ(state, sk->skc_state);
	if (state == BPF_TCP_CLOSE)
		return 0;
	e = begin_entry();
	if (!e)
		return 0;
	if (state == BPF_TCP_LISTEN) {
		fill_listener(&e->record, sk);
		read_process(&e->record, task);
		bpf_seq_write(seq, e, sizeof(*e));
		return 0;
	}
	c = find_adopt_or_borrow(sk);
	if (!c)
		return 0;
	c->scan = control->scan;
	fill_entry(e, sk, c);
	e->hold = HOLD_SOCKET | HOLD_FILE;
	read_process(&e->record, task);
	write_entry(seq, e, sk, c);
	return 0;
}

#ifndef NO_TCP_ITERATOR
static __always_inline void tell_of_listener(struct seq_file *seq, struct sock *sk)
{
	struct entry *e = begin_entry();

	if (!e)
		return;
	fill_listener(&e->record, sk);
	read_hold(e, sk);
	bpf_seq_write(seq, e, sizeof(*e));
}

static __always_inline void tell_of_unheld(struct seq_file *seq, struct sock *sk,
					   const struct control *control)
{
	struct connection *c = find_adopt_or_borrow(sk);
	struct entry *e;

	if (!c || c->scan == control->scan)
		return;
	e = begin_entry();
	if (!e)
		return;
	fill_entry(e, sk, c);
	read_hold(e, sk);
	write_entry(seq, e, sk, c);
}

/*
 * After the scan of descriptors: the sockets of one network namespace that it
 * has not met. They are not accepted yet, or closed but not done, subflows of
 * MPTCP, the kernel's own, or held by io_uring alone.
 */
BPF_ITER(tcp)
{
	struct sock_common *common = ctx->sk_common;
	struct control *control = shared();
	struct sock *sk;
	u8 state;

	if (!common || !control)
		return 0;
	READ(state, common->skc_state);
	if (state == BPF_TCP_TIME_WAIT)
		control->time_wait++;
	else if (state == BPF_TCP_NEW_SYN_RECV)
		control->syn_recv++;
	if (state == BPF_TCP_CLOSE || state == BPF_TCP_TIME_WAIT || state == BPF_TCP_NEW_SYN_RECV)
		return 0;
	sk = as_tcp((struct sock *)common);
	if (!sk)
		return 0;
	if (state == BPF_TCP_LISTEN)
		tell_of_listener(ctx->meta->seq, sk);
	else
		tell_of_unheld(ctx->meta->seq, sk, control);
	return 0;
}
#endif
