// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Reads what an entry has beyond a record: who may hold the socket, its queues, windows, rates and ages. */

#define SOCK_DEAD		0	/* enum sock_flags in include/net/sock.h */

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
	/* SOCK_INODE(). The inode is beyond struct socket, where the verifier allows no plain load. */
	READ_BYTES(e->inode, ((struct socket_alloc *)socket)->i_ino);
}

/* Reads a listener's accept queue, and its drops, which tcp_listendrop() counts. */
static __always_inline void read_queue(struct entry *e, struct sock *sk)
{
	READ(e->queue, sk->sk_ack_backlog);
	READ(e->queue_limit, sk->sk_max_ack_backlog);
	READ(e->drops, sk->sk_drops);
}

/* chrono_type is a bit field in most kernels, so the other bits of its byte are masked out. */
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
		busy += jiffies_since(now, start);
	else if (type == 2)
		rwnd += jiffies_since(now, start);
	else if (type == 3)
		sndbuf += jiffies_since(now, start);
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
	e->in_flight = not_negative(packets_out - sacked_out - lost_out + retrans_out);
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
	e->notsent_bytes = not_negative(write_seq - snd_nxt);
	e->unacked_bytes = not_negative(snd_nxt - snd_una);
	e->recv_q_bytes = not_negative(rcv_nxt - copied_seq);
	READ(e->snd_wnd_bytes, tp->snd_wnd);
	READ(e->rcv_wnd_bytes, tp->rcv_wnd);
}

static __always_inline u32 ms_since(u32 now, u32 then)
{
	return then ? jiffies_to_us(jiffies_since(now, then)) / 1000 : ~0U;
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

/* Reads the fields that an entry has beyond a record. */
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
