// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* What a change of a socket's state means: whose act it is, how the connection has ended, and what is reported. */

#define EADDRNOTAVAIL		99	/* include/uapi/asm-generic/errno.h */

/*
 * Whether only a process that holds the socket changes its state so: by connect(),
 * shutdown() or close(). What a segment changes may also be done in a task that has
 * locked the socket to look at it, as our scan and "ss -i" do, because that task then
 * processes what came meanwhile: see __release_sock(). Such an end leaves an error, or
 * comes after we have sent a FIN. "ss -K" leaves an error, too: see tcp_abort().
 */
static __always_inline bool is_holders_act(struct sock *sk, int before, int after)
{
	int error;

	if (after == BPF_TCP_SYN_SENT || after == BPF_TCP_FIN_WAIT1 || after == BPF_TCP_LAST_ACK)
		return true;
	if (after != BPF_TCP_CLOSE)
		return false;
	READ(error, sk->sk_err);
	return !error && (before == BPF_TCP_SYN_SENT || before == BPF_TCP_SYN_RECV ||
			  before == BPF_TCP_ESTABLISHED || before == BPF_TCP_CLOSE_WAIT);
}

/*
 * Why the connection has ended. A connect that has sent nothing found no local port:
 * tcp_v4_connect() then goes back to the state CLOSE without an error. With Fast Open
 * the SYN waits for data, and close() may come before that.
 */
static __always_inline void read_end(struct record *r, struct sock *sk, int before)
{
	u32 segs_out;

	read_error(r, sk);
	READ(segs_out, ((struct tcp_sock *)sk)->segs_out);
	if (before == BPF_TCP_SYN_SENT && !segs_out && !r->error && !shutdown_of(sk))
		r->error = EADDRNOTAVAIL;
}

/* Whether a process still holds the socket. */
static __always_inline bool has_holder(struct sock *sk)
{
	struct socket *socket;

	READ(socket, sk->sk_socket);
	return socket;
}

/* The connection whose state changes; NULL if it is not tracked, or has been reported as closed. */
static __always_inline struct connection *connection_of(struct sock *sk, int after)
{
	u64 key = (u64)sk;
	struct connection *c;

	if (after == BPF_TCP_SYN_SENT)
		return conn_open(sk, DIRECTION_OUT);
	c = connections.lookup(&key);
	return c && !c->closed ? c : NULL;
}

/*
 * A connection that leaves SYN_RECV is reported as open. Earlier records of it are
 * possible: a simultaneous open comes from SYN_SENT, and a server may use a
 * connection of Fast Open in SYN_RECV.
 */
static __always_inline u32 kind_of_change(int before, int after)
{
	if (after == BPF_TCP_CLOSE)
		return KIND_CLOSE;
	if (after == BPF_TCP_SYN_SENT || before == BPF_TCP_SYN_RECV)
		return KIND_OPEN;
	return KIND_STATE;
}
