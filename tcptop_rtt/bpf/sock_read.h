// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Reads the kernel's sockets and tasks. No map is used here.
 *
 * sources/loader/kernel_types.py lists the fields that are read. It makes their
 * definitions from the running kernel's BTF, and they stand before this text.
 * bcc turns a plain "p->field" into a checked read in the function that
 * received p, so only helpers read fields of the kernel's structures.
 */

#define AF_INET			2
#define AF_INET6		10
#define IPPROTO_TCP		6
#define SOCK_DEAD		0	/* enum sock_flags in include/net/sock.h */
#define PF_KTHREAD		0x00200000	/* include/linux/sched.h */
#define MAX_PID_NS_LEVEL	32	/* include/linux/pid_namespace.h */

/* A field that this kernel lacks is of type struct missing, and reads as 0. */
#define IS_MISSING(src) \
	_Generic(&(src), struct missing *: 1, const struct missing *: 1, default: 0)
#define OR_ZERO(src, value) \
	_Generic(&(src), struct missing *: 0, const struct missing *: 0, default: (value))

/*
 * The verifier knows the types of a program's arguments, so it allows plain
 * loads. One costs a fortieth of a checked read. The loads are volatile,
 * because the verifier refuses one that the compiler has merged over two fields.
 */
#ifdef CHECKED_READS
/* The comma removes const, which would let the compiler assume the 0. */
#define READ(dst, src) do {						\
	typeof(((void)0, OR_ZERO(src, src))) __value = 0;		\
	READ_BYTES(__value, src);					\
	(dst) = __value;						\
} while (0)
#else
#define READ(dst, src)	((dst) = OR_ZERO(src, *(const volatile typeof(src) *)&(src)))
#endif
/* For arrays, and for memory whose type the verifier does not know. */
#define READ_BYTES(dst, src) do {					\
	if (!IS_MISSING(src))						\
		bpf_probe_read_kernel(&(dst), sizeof(dst), (const void *)&(src)); \
} while (0)

/* The socket as a full TCP socket, whose fields may be read; NULL if it is not one. */
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
 * on_segment() always gets a full TCP socket, so nothing has to be checked.
 * The cast costs no call; kernels without it take the checked way.
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

/* Whether a task has locked the socket by lock_sock(). A softirq does not. */
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

/* Before Linux 5.17 the rest of an earlier, longer name may follow the terminating 0. */
static __always_inline void read_comm(char *comm, struct task_struct *task)
{
	__builtin_memset(comm, 0, COMM_LEN);
	bpf_probe_read_kernel_str(comm, COMM_LEN, &task->comm);
}

/* The process's PID in user space's PID namespace; 0: it is outside of it. */
static __always_inline u32 pid_of(struct task_struct *leader, u32 tgid)
{
#ifdef PID_NAMESPACE	/* its inode; not defined in the initial one, where the PID is the tgid */
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

/* The process of a task. It has the name of its first thread. */
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

#define MOST_ANCESTORS	64

/* Whether that process is among the parents of a task, the parents of those, and so on. */
static __always_inline bool descends_from(struct task_struct *task, u32 tgid)
{
	u32 above, generation;

	#pragma clang loop unroll(disable)
	for (generation = 0; generation < MOST_ANCESTORS; generation++) {
		above = 0;
		READ_BYTES(task, task->real_parent);
		READ_BYTES(above, task->tgid);
		if (above == tgid)
			return true;
		if (above <= 1)
			break;
	}
	return false;
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
	/* __inet_hash_connect() marks the ports that it picked with -1. */
	READ(bucket, ((struct inet_connection_sock *)sk)->icsk_bind_hash);
	if (bucket)
		READ(reuse, bucket->fastreuse);
	r->port_chosen = reuse < 0;
}

/* Why TCP has ended the connection; nothing where its process has. */
static __always_inline void read_error(struct record *r, struct sock *sk)
{
	int error;

	READ(error, sk->sk_err);
	r->error = error;
}

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
	READ(r->retransmits, icsk->icsk_retransmits);
	READ(r->probes, icsk->icsk_probes_out);
}

/* The latest RTT sample, as tcp_sock keeps it: its members rack.mstamp and so on have flat names here. */
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
	READ(rack.rtt_us, tp->rack_rtt_us);
	READ(rack.end_seq, tp->rack_end_seq);
	return rack;
}

static __always_inline bool same_sample(const struct rack *a, const struct rack *b)
{
	return a->mstamp == b->mstamp && a->rtt_us == b->rtt_us && a->end_seq == b->end_seq;
}

/* It is a bit field, so the rest of its byte is cut off. */
static __always_inline u32 ca_state_of(struct sock *sk)
{
	u8 bits;

	READ(bits, ((struct inet_connection_sock *)sk)->icsk_ca_state);
	return bits >> icsk_ca_state_SHIFT & icsk_ca_state_MASK;
}

/* TCP_SKB_CB() of a struct sk_buff. It comes as a number, since bcc rewrites the uses of a pointer. */
static __always_inline const struct tcp_skb_cb *control_block(u64 skb)
{
	return (const void *)(skb + offsetof(struct sk_buff, cb));
}

/* As tcp_skb_pcount() does. */
static __always_inline u32 segments_of(u64 skb)
{
	u16 segments;

	const struct tcp_skb_cb *cb = control_block(skb);

	READ(segments, cb->tcp_gso_segs);
	return segments;
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
	/* SOCK_INODE(). It lies beyond struct socket, where the verifier allows no plain load. */
	READ_BYTES(e->inode, ((struct socket_alloc *)socket)->i_ino);
}

/* Who waits to be accepted by a listener, and what it has dropped: tcp_listendrop() counts there. */
static __always_inline void read_queue(struct entry *e, struct sock *sk)
{
	READ(e->queue, sk->sk_ack_backlog);
	READ(e->queue_limit, sk->sk_max_ack_backlog);
	READ(e->drops, sk->sk_drops);
}

/* The loader defines TICK_NS, the length of a jiffy. */
static __always_inline u64 jiffies_to_us(u32 jiffies)
{
	return (u64)jiffies * TICK_NS / 1000;
}

/* It is a bit field in most kernels, so the rest of its byte is cut off. */
static __always_inline u32 chrono_type_of(const struct tcp_sock *tp)
{
	u8 bits;

	READ(bits, tp->chrono_type);
	return bits >> chrono_type_SHIFT & chrono_type_MASK;
}

/* As in tcp_get_info_chrono_stats(), the running period counts too. */
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

/* As in tcp_packets_in_flight(). */
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
	/* As in tcp_compute_delivery_rate(). */
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
	e->notsent_bytes = write_seq - snd_nxt;
	e->unacked_bytes = snd_nxt - snd_una;
	e->recv_q_bytes = rcv_nxt - copied_seq;
	READ(e->snd_wnd_bytes, tp->snd_wnd);
	READ(e->rcv_wnd_bytes, tp->rcv_wnd);
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
	READ(e->dsack_dups, tp->dsack_dups);
}

/* The fields that only a scan reads. */
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
