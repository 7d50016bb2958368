// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The maps, the structures in them, and what the program counts there. */

/*
 * The RTT samples of one socket in one window of time. They are counted under the
 * socket's lock. A scan takes no lock: it copies them, and writes rack only.
 */
struct rtt_window {
	u64		sock;		/* 0: free */
	struct rack	rack;		/* the latest sample that was counted or reported */
	u64		window_start;	/* the jiffy at which the window began */
	u32		rtt_samples;
	u32		rtt_lo_us;
	u32		rtt_hi_us;
	u32		last_rtt_us;
	u32		reserve_failed_at; /* the jiffy at which a report found no room */
	u32		turn;		/* see waits.h */
	u64		rtt_sum_us;
	struct waits	waits;		/* since the connection was first seen */
};
_Static_assert(offsetof(struct rtt_window, waits) == 64, "one cache line for every segment");

/*
 * A connection, from its first to its last event. User space reads the fields
 * before the window; CONNECTION in model/records.py mirrors these.
 */
struct connection {
	u64		id;
	u64		opened_ns;
	u32		tgid;		/* 0: not known yet */
	u8		direction;
	u8		open_seen;
	u8		closed;		/* KIND_CLOSE was reported, but the process is not known yet */
	u8		followed;	/* as in struct record */
	struct rtt_window window;	/* in use as long as the socket has no slot */
	u64		retrans_reported; /* the jiffy of the latest KIND_RETRANS */
	u32		resent_fast;	/* see count_resent() */
	u32		resent_timeout;
	u32		resent_probe;
	u32		scan;		/* number of the latest scan that wrote an entry for a descriptor */
};
_Static_assert(offsetof(struct connection, window) == 24, "keep CONNECTION in model/records.py in step");
_Static_assert(sizeof(struct connection) == 176, "padding is explicit");

BPF_RINGBUF_OUTPUT(records, RING_PAGES);
#ifdef FOLLOW
BPF_RINGBUF_OUTPUT(last_entries, LAST_PAGES);
#endif
/*
 * Each connection takes memory until it is closed. An LRU map would take all memory
 * in advance, and evict connections that are still open.
 */
BPF_F_TABLE("hash", u64, struct connection, connections, MAX_CONNECTIONS, BPF_F_NO_PREALLOC);
/*
 * A lookup in an array costs next to nothing. Each socket has one slot in it, which
 * another socket may have claimed. The flag aligns the windows to cache lines,
 * which the values of other arrays are not.
 */
BPF_F_TABLE("array", int, struct rtt_window, rtt_windows, 1 << RTT_WINDOW_BITS, BPF_F_MMAPABLE);
BPF_F_TABLE("array", int, struct control, controls, 1, BPF_F_MMAPABLE);
BPF_PERCPU_ARRAY(ids, u64, 1);
BPF_PERCPU_ARRAY(scratch_entries, struct entry, 1);
BPF_PERCPU_ARRAY(scratch_connections, struct connection, 1);

static __always_inline struct control *shared_control(void)
{
	int zero = 0;

	return controls.lookup(&zero);
}

static __always_inline void count_dropped(void)
{
	struct control *control = shared_control();

	if (control)
		__sync_fetch_and_add(&control->dropped_records, 1);
}

static __always_inline void count_untracked(void)
{
	struct control *control = shared_control();

	if (control)
		__sync_fetch_and_add(&control->untracked, 1);
}
