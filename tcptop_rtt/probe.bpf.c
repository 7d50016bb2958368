// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Watches every TCP socket of the machine and reports its round-trip time.
 *
 * The language is bcc's dialect of C. This file has the BPF programs, the files in
 * bpf/ have what they call. bcc rewrites the use of maps in its main text only, so
 * there is no #include: sources/loader/files.py puts those files before this one.
 */

#define TCP_CA_RECOVERY		3	/* enum tcp_ca_state in include/uapi/linux/tcp.h */
#define TCP_CA_LOSS		4

/*
 * Runs for every segment of an established connection: at the entry of
 * tcp_rcv_established(), or at the tracepoint tcp_probe near its beginning.
 */
int on_segment(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = as_established((struct sock *)ctx->args[0]);
	u64 skb = ctx->args[1];
	struct connection *c;
	struct rtt_window *slot;

	if (!sk)
		return 0;
	slot = slot_of(sk);
	if (!slot)
		return 0;
	if (slot->sock == (u64)sk) {
		take_sample(sk, slot);
		take_turns(sk, skb, &slot->turn, &slot->waits);
		return 0;
	}
	c = conn_find_or_track(sk);
	if (!c)
		return 0;
	take_sample(sk, &c->window);
	take_turns(sk, skb, &c->window.turn, &c->window.waits);
	/* The slot is used from the next segment on, because another socket may claim it at the same time. */
	if (!slot->sock)
		claim_slot(slot, &c->window);
	return 0;
}

int on_set_state(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = as_tcp((struct sock *)ctx->args[0]);
	int before = ctx->args[1], after = ctx->args[2];
	struct connection *c;
	struct record *r;
	struct rtt_window *w;
	u32 kind;

	if (!sk || after == BPF_TCP_LISTEN)
		return 0;
	if (before == BPF_TCP_LISTEN) {
		/* This clone of a listener has no addresses yet, so it is not reported. */
		if (after == BPF_TCP_SYN_RECV)
			conn_open(sk, DIRECTION_IN);
		return 0;
	}
	c = connection_of(sk, after);
	if (!c)
		return 0;
	kind = kind_of_change(before, after);
	r = new_record(kind, sk, c);
	if (r) {
		r->state = after;
		w = window_of(sk, c);
		/* on_segment() sees established connections only, so it may have missed this sample. */
		take_single_sample(r, sk, w);
		if (kind == KIND_CLOSE) {
			read_samples(r, w);
			read_end(r, sk, before);
		}
		if (!c->tgid && is_holders_act(sk, before, after) && locked_by_current(sk))
			name_user(r, c);
		submit_record(r);
	}
	if (kind != KIND_CLOSE)
		return 0;
	leave_last_entry(sk, c, after);
	/* The peer has reset it, and an unknown process still holds it: on_destroy() reports that process. */
	if (!c->tgid && has_holder(sk))
		c->closed = true;
	else
		conn_close(sk);
	return 0;
}

/* The last event of a socket. If the peer has reset it, its holder closes it here. */
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
		r = reserve_record();
		if (r) {
			init_partial_record(r, KIND_USER, sk, c);
			name_user(r, c);
			submit_record(r);
		}
	}
	conn_close(sk);
	return 0;
}

/* Whether sending again has failed. The tracepoint tells of that only where it has such an argument. */
static __always_inline bool failed_to_send(struct bpf_raw_tracepoint_args *ctx)
{
#ifdef TELLS_FAILED_RETRANSMITS
	return (int)ctx->args[2];
#else
	return false;
#endif
}

/* Counts why a segment is sent again: for a loss shown by ACKs, after a timeout, or as a loss probe. */
static __always_inline void count_resent(struct connection *c, struct sock *sk, u64 skb)
{
	u32 state = ca_state_of(sk), segments = segments_of(skb);

	if (state == TCP_CA_LOSS)
		c->resent_timeout += segments;
	else if (state == TCP_CA_RECOVERY)
		c->resent_fast += segments;
	else
		c->resent_probe += segments;
}

/*
 * Reports retransmissions while a silent peer sends no ACK, because not every scan
 * sees a socket without a descriptor. The kernel counts the timeout after this.
 */
int on_retransmit(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = as_tcp((struct sock *)ctx->args[0]);
	struct connection *c;
	struct control *control = shared_control();
	struct record *r;
	u64 key = (u64)sk, now = bpf_jiffies64();

	if (!sk)
		return 0;
	c = connections.lookup(&key);
	if (!control || !c)
		return 0;
	if (!failed_to_send(ctx))
		count_resent(c, sk, ctx->args[1]);
	if (now - c->retrans_reported < control->report_interval_jiffies)
		return 0;
	c->retrans_reported = now;
	r = reserve_record();
	if (!r)
		return 0;
	init_partial_record(r, KIND_RETRANS, sk, c);
	read_retransmits(r, sk);
	submit_record(r);
	return 0;
}

/* Writes an entry per descriptor of a TCP or MPTCP socket, of all processes and namespaces. */
BPF_ITER(task_file)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct control *control = shared_control();
	struct connection *c;
	struct entry *e;
	struct sock *any, *sk;
	u8 state;

	if (!task || !file || !control)
		return 0;
	control->reader = bpf_get_current_pid_tgid() >> 32;	/* A scan runs in its reader. */
	any = socket_of(file);
	if (!any)
		return 0;
	sk = as_tcp(any);
	if (!sk) {
		write_mptcp(seq, task, file, any);
		return 0;
	}
	READ(state, sk->skc_state);
	if (state == BPF_TCP_CLOSE)
		return 0;
	e = new_entry();
	if (!e)
		return 0;
	if (state == BPF_TCP_LISTEN) {
		fill_listener(e, sk);
		read_process(&e->record, task);
		bpf_seq_write(seq, e, sizeof(*e));
		return 0;
	}
	c = conn_for_scan(sk);
	if (!c)
		return 0;
	c->scan = control->scan;
	fill_entry(e, sk, c);
	e->hold = HOLD_SOCKET | HOLD_FILE;
	read_user(&e->record, c, task);
	write_entry(seq, e, sk, c);
	return 0;
}

#ifndef NO_TCP_ITERATOR
/*
 * Writes the listeners of a network namespace, and its connections without a
 * descriptor, after the scan of descriptors. Such connections wait to be accepted,
 * are closed by their process but not by TCP, are subflows of MPTCP, or belong to
 * the kernel or io_uring.
 */
BPF_ITER(tcp)
{
	struct sock_common *common = ctx->sk_common;
	struct control *control = shared_control();
	struct sock *sk;
	u8 state;

	if (!common || !control)
		return 0;
	control->reader = bpf_get_current_pid_tgid() >> 32;	/* A scan runs in its reader. */
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
		write_listener(ctx->meta->seq, sk);
	else
		write_unheld(ctx->meta->seq, sk, control);
	return 0;
}
#endif
