// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Reads the kernel's tasks: the process of a task, and its ancestors. */

#define PF_KTHREAD		0x00200000	/* include/linux/sched.h */
#define MAX_PID_NS_LEVEL	32	/* include/linux/pid_namespace.h */

static __always_inline bool is_kernel_thread(struct task_struct *task)
{
	u32 flags;

	READ_BYTES(flags, task->flags);
	return flags & PF_KTHREAD;
}

/* Reads up to the terminating 0: before Linux 5.17 the rest of an earlier, longer name may follow it. */
static __always_inline void read_comm(char *comm, struct task_struct *task)
{
	__builtin_memset(comm, 0, COMM_LEN);
	bpf_probe_read_kernel_str(comm, COMM_LEN, &task->comm);
}

/* The process's PID in user space's PID namespace; 0: it is outside. */
static __always_inline u32 pid_of(struct task_struct *leader, u32 tgid)
{
#ifdef PID_NAMESPACE	/* the namespace's inode; undefined for the initial one, where the PID is the tgid */
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

/* Reads the process of a task. A process has the name of its first thread. */
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

/* Whether the process with this tgid is an ancestor of the task. */
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
