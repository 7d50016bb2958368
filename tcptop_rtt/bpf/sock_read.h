// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Reads the kernel's sockets. The files before maps.h use no map.
 *
 * sources/loader/kernel_types.py lists the fields that are read. It makes their
 * definitions from the running kernel's BTF; the loader puts them before this text.
 * bcc turns a plain "p->field" into a checked read in the function that
 * received p, so only helpers read fields of the kernel's structures.
 */

#define AF_INET			2
#define AF_INET6		10
#define IPPROTO_TCP		6

/* A field that this kernel lacks is of type struct missing, and reads as 0. */
#define IS_MISSING(src) \
	_Generic(&(src), struct missing *: 1, const struct missing *: 1, default: 0)
#define OR_ZERO(src, value) \
	_Generic(&(src), struct missing *: 0, const struct missing *: 0, default: (value))

/*
 * The verifier knows the types of a program's arguments, so it allows plain
 * loads. A plain load costs a fortieth of a checked read. The loads are volatile,
 * because the verifier refuses a load that the compiler has merged from two fields.
 */
#ifdef CHECKED_READS
/* The comma removes const, with which the compiler would assume that __value stays 0. */
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

/* The loader defines TICK_NS, the length of a jiffy. */
static __always_inline u64 jiffies_to_us(u32 jiffies)
{
	return (u64)jiffies * TICK_NS / 1000;
}

#define A_MOMENT	1000	/* jiffies */

/* The jiffies since a time. One that has been set since now was read counts as now. */
static __always_inline u32 jiffies_since(u32 now, u32 then)
{
	return then - now < A_MOMENT ? 0 : now - then;
}

/* A difference of two fields that are read without the socket's lock, and so at two times. */
static __always_inline u32 not_negative(u32 difference)
{
	return (s32)difference < 0 ? 0 : difference;
}

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
 * The cast costs no call; on kernels without it as_tcp() checks the socket.
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

/* Whether a task has locked the socket by lock_sock(), which a softirq never does. */
static __always_inline bool locked_by_current(struct sock *sk)
{
	int owned;

	READ(owned, sk->sk_lock_owned);
	return owned;
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

/* Reads why TCP ended the connection; 0 if its process did. */
static __always_inline void read_error(struct record *r, struct sock *sk)
{
	int error;

	READ(error, sk->sk_err);
	r->error = error;
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

/* icsk_ca_state is a bit field, so the other bits of its byte are masked out. */
static __always_inline u32 ca_state_of(struct sock *sk)
{
	u8 bits;

	READ(bits, ((struct inet_connection_sock *)sk)->icsk_ca_state);
	return bits >> icsk_ca_state_SHIFT & icsk_ca_state_MASK;
}

/* The directions that the process has shut down; close() shuts down both. */
static __always_inline u32 shutdown_of(struct sock *sk)
{
	u8 bits;

	READ(bits, sk->sk_shutdown);
	return bits >> sk_shutdown_SHIFT & sk_shutdown_MASK;
}

/* TCP_SKB_CB() of a struct sk_buff. skb is a number, because bcc rewrites the uses of a pointer. */
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
