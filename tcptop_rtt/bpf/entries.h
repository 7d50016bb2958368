// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Entries: a scan writes them for the connections, listeners and MPTCP sockets
 * that it meets, and a followed connection leaves one behind at its end.
 */

#define IPPROTO_MPTCP		262
#define S_IFMT			0170000
#define S_IFSOCK		0140000

/*
 * Copies the waits, and adds the latest answer if it is not counted yet. The count
 * is compared last, so that no answer is added twice: a reported count never falls.
 */
static __always_inline void copy_waits(struct entry *e, struct sock *sk, const struct rtt_window *w)
{
	const struct waits *waits = &w->waits;
	struct rack sample;

	e->answers = waits->answers;
	e->answer_sum_us = waits->answer_sum_us;
	e->replies = waits->replies;
	e->reply_sum_us = waits->reply_sum_us;
	e->slow_answers = waits->slow_answers;
	e->slow_replies = waits->slow_replies;
	e->crossings = waits->crossings;
	e->first_byte_us = waits->first_byte_us;
	barrier();
	if (!sample_of_answer(sk, w->turn, waits, &sample))
		return;
	barrier();
	if (waits->answers == e->answers) {
		e->answers++;
		e->answer_sum_us += sample.rtt_us;
		e->slow_answers += sample.rtt_us >= SLOW_WAIT_US;
		if (!e->first_byte_us)
			e->first_byte_us = sample.rtt_us;
	}
}

static __always_inline void copy_resent(struct entry *e, const struct connection *c)
{
	e->resent_fast = c->resent_fast;
	e->resent_timeout = c->resent_timeout;
	e->resent_probe = c->resent_probe;
}

static __always_inline void fill_entry(struct entry *e, struct sock *sk, struct connection *c)
{
	fill_record(&e->record, KIND_ENTRY, sk, c);
	read_details(e, sk);
	copy_resent(e, c);
	copy_waits(e, sk, window_of(sk, c));
}

/*
 * Sends the final entry of a followed connection. For any other connection its
 * record is enough: scans read the other fields while it lasts.
 */
static __always_inline void leave_last_entry(struct sock *sk, struct connection *c, int state)
{
#ifdef FOLLOW
	struct entry *e;

	if (!c->followed)
		return;
	e = last_entries.ringbuf_reserve(sizeof(struct entry));
	if (!e) {
		count_dropped();
		return;
	}
	__builtin_memset(e, 0, sizeof(*e));
	fill_entry(e, sk, c);
	e->record.state = state;
	last_entries.ringbuf_submit(e, BPF_RB_NO_WAKEUP);
#endif
}

/* An empty entry. */
static __always_inline struct entry *new_entry(void)
{
	int zero = 0;
	struct entry *e = scratch_entries.lookup(&zero);

	if (e)
		__builtin_memset(e, 0, sizeof(*e));
	return e;
}

/*
 * Reads the samples that on_segment() has not reported yet: those of a window that
 * is over, and the latest ACK's. If the socket is idle, they would wait for long.
 * The socket is not locked, so the window is checked again after the copy.
 */
static __always_inline void read_unreported_samples(struct record *r, struct sock *sk,
						    struct rtt_window *w)
{
	struct control *control = shared_control();

	take_single_sample(r, sk, w);
	if (!control)
		return;
	read_samples(r, w);
	barrier();
	/* The copy is consistent if its window was over, and no other window has begun since. */
	if (w->window_start != r->window_start || !window_is_over(w, control))
		r->rtt_samples = 0;
}

/* An entry that does not fit is written again by the next read, so its sample is marked as unreported. */
static __always_inline void write_entry(struct seq_file *seq, struct entry *e, struct sock *sk,
					struct connection *c)
{
	struct rtt_window *w = window_of(sk, c);
	struct rack counted = w->rack, written;

	read_unreported_samples(&e->record, sk, w);
	written = w->rack;
	if (bpf_seq_write(seq, e, sizeof(*e)) && same_sample(&written, &w->rack))
		w->rack = counted;
}

/* A listener is no connection. Its endpoint is enough to find the connections that it accepts. */
static __always_inline void fill_listener(struct entry *e, struct sock *sk)
{
	e->record.kind = KIND_ENTRY;
	e->record.sock = (u64)sk;
	e->record.time_ns = bpf_ktime_get_ns();
	read_endpoints(&e->record, sk);
	read_identity(&e->record, sk);
	read_queue(e, sk);
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

/* Writes which process holds an MPTCP socket. Its subflows have its inode, but no descriptor. */
static __always_inline void write_mptcp(struct seq_file *seq, struct task_struct *task,
					struct file *file, struct sock *sk)
{
	struct entry *e;
	struct inode *inode;
	u16 protocol;

	READ(protocol, sk->sk_protocol);
	if (protocol != IPPROTO_MPTCP)
		return;
	e = new_entry();
	if (!e)
		return;
	e->record.kind = KIND_MPTCP;
	READ(inode, file->f_inode);
	READ(e->inode, inode->i_ino);
	read_process(&e->record, task);
	bpf_seq_write(seq, e, sizeof(*e));
}

static __always_inline void write_listener(struct seq_file *seq, struct sock *sk)
{
	struct entry *e = new_entry();

	if (!e)
		return;
	fill_listener(e, sk);
	read_hold(e, sk);
	bpf_seq_write(seq, e, sizeof(*e));
}

static __always_inline void write_unheld(struct seq_file *seq, struct sock *sk,
					 const struct control *control)
{
	struct connection *c = conn_for_scan(sk);
	struct entry *e;

	if (!c || c->scan == control->scan)
		return;
	e = new_entry();
	if (!e)
		return;
	fill_entry(e, sk, c);
	read_hold(e, sk);
	write_entry(seq, e, sk, c);
}
