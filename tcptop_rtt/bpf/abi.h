// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * What crosses to user space: the records of the ring buffer, the entries of a
 * scan, and the memory that both sides share. sources/record.py mirrors it, and
 * both sides check the sizes.
 */

#define COMM_LEN		16
#define CA_NAME_LEN		16

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
	u32	entry_pad;
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
