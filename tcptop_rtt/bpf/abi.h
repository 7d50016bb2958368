// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The data that crosses to user space: the records of the ring buffer, the entries
 * of a scan, and the memory that both sides share. model/records.py mirrors these
 * structures, and tests/unit/test_records.py compares the two field by field.
 */

#define COMM_LEN		16
#define CA_NAME_LEN		16

/* Ids from here on are of connections that are not tracked; UNTRACKED_ID in model/records.py is the same. */
#define UNTRACKED_ID		(1ULL << 63)

/* From here on an answer or a reply is slow; SLOW_WAIT_US in model/waited.py is the same. */
#define SLOW_WAIT_US		100000

/* What a record is about; mirrored by Kind in model/records.py. */
enum kind {
	KIND_OPEN	= 1,	/* a connection was opened */
	KIND_STATE	= 2,	/* its TCP state has changed */
	KIND_SEGMENT	= 3,	/* a window is over, or the traced socket got a segment */
	KIND_RETRANS	= 4,	/* a segment was sent again; has only identity and retransmissions */
	KIND_USER	= 5,	/* a process used the socket; has only identity and process */
	KIND_CLOSE	= 6,	/* the kernel has closed the connection */
	KIND_ENTRY	= 7,	/* a scan's entry of a descriptor, or of a socket without descriptor */
	KIND_MPTCP	= 8,	/* a descriptor of an MPTCP socket: its inode and process */
};

/* Who opened a connection; mirrored by Direction in model/records.py. */
enum direction {
	DIRECTION_UNKNOWN,
	DIRECTION_OUT,
	DIRECTION_IN,
};

/*
 * What the ring buffer carries; mirrored by RECORD in model/records.py. User
 * space keeps the fields from bytes_acked to probes as they are.
 */
struct record {
	u64	id;
	u64	sock;
	u64	time_ns;		/* CLOCK_MONOTONIC */
	u64	opened_ns;
	u64	started_ns;		/* start of the process, CLOCK_BOOTTIME; unique together with tgid */
	u64	sampled_us;		/* time of the latest ACK with a sample, CLOCK_MONOTONIC; 0: none */
	u64	window_start;		/* the jiffy at which the window of rtt_* began */
	u64	rtt_sum_us;		/* of all rtt_samples */
	u32	kind;
	u32	tgid;			/* 0: the record has no process */
	u32	pid;			/* in user space's PID namespace; 0: the process is outside it */
	u32	process_uid;
	u32	rtt_samples;
	u32	rtt_lo_us;
	u32	rtt_hi_us;
	u32	last_rtt_us;
	u32	single_rtt_us;		/* a sample reported by itself; 0: none */
	u32	min_rtt_us;
	u16	lport;
	u8	direction;
	u8	open_seen;
	u8	port_chosen;		/* connect() picked lport, so no listener has it */
	u8	error;			/* sk_err of a closed connection; 0: none */
	u8	followed;		/* a descendant of user space has held it: see is_followed() */
	u8	pad;
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
	u32	ifindex;		/* interface that the socket is bound to; 0: none */
	u16	rport;
	u8	family;			/* 4 or 6 */
	u8	state;
	u8	laddr[16];
	u8	raddr[16];
	u8	retransmits;
	u8	probes;
	u8	more_pad[2];
};
_Static_assert(sizeof(struct record) == 224, "keep RECORD in model/records.py in step");

/* Who may use a socket; mirrored by Hold in model/records.py. */
enum hold {
	HOLD_SOCKET	= 1,	/* a process or the kernel itself has the socket */
	HOLD_FILE	= 2,	/* the socket has an open file */
	HOLD_DEAD	= 4,	/* the socket is an orphan: its last holder is gone */
	HOLD_UNSEEN	= 8,	/* who has the file is not known; never set here, only by sock_diag */
};

/* What a scan writes of each socket; mirrored by ENTRY in model/records.py. */
struct entry {
	struct record record;
	u64	pacing_rate;		/* bytes per second */
	u64	delivery_rate;		/* bytes per second */
	u64	inode;			/* a subflow has that of its MPTCP socket; 0: none */
	u32	hold;			/* enum hold */
	/* These three are a listener's. */
	u32	queue;			/* connections that wait to be accepted */
	u32	queue_limit;		/* how many may wait */
	u32	drops;			/* handshakes and segments dropped by the listener */
	/* User space keeps each field from here on as it is. */
	u32	first_byte_us;
	u32	dsack_dups;
	u64	busy_us;
	u64	rwnd_limited_us;
	u64	sndbuf_limited_us;
	u64	answer_sum_us;
	u64	reply_sum_us;
	u32	rcv_rtt_us;
	u32	rto_us;
	u32	in_flight;
	u32	unacked_bytes;
	u32	notsent_bytes;
	u32	recv_q_bytes;
	u32	snd_wnd_bytes;
	u32	rcv_wnd_bytes;
	u32	last_sent_ms;		/* ago; ~0: never */
	u32	last_received_ms;
	u32	last_ack_ms;
	u32	segs_in;
	u32	data_segs_in;
	u32	data_segs_out;
	u32	answers;
	u32	replies;
	u32	crossings;
	u32	resent_fast;
	u32	resent_timeout;
	u32	resent_probe;
	u32	slow_answers;		/* of the answers, those that took SLOW_WAIT_US or longer */
	u32	slow_replies;
	char	congestion_control[CA_NAME_LEN];
};
_Static_assert(sizeof(struct entry) == 416, "keep ENTRY in model/records.py in step");

/* Memory shared with user space; mirrored by CONTROL in model/records.py. */
struct control {
	/* User space writes these. */
	u32	report_interval_jiffies;	/* the least time between two records of a socket */
	u32	scan;			/* the number of the current scan */
	u64	traced_sock;		/* the socket whose every ACK is reported */
	/* The BPF program counts here. */
	u64	dropped_records;	/* records that found no room */
	u64	untracked;		/* connections that found no memory */
	u32	time_wait;		/* sockets that a scan met; user space sets it to 0 before the scan */
	u32	syn_recv;		/* likewise */
	u32	reader;			/* tgid of the process that reads the scans */
	u32	pad;
};
_Static_assert(sizeof(struct control) == 48, "keep CONTROL in model/records.py in step");
