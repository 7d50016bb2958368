"""Draining the ring buffer: our way, into the table's rows, against bcc's callback per record."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import tcptop_rtt
from bench.results import Result
from tcptop_rtt.model.records import RECORD, Kind
from tcptop_rtt.model.snapshot import Health
from tcptop_rtt.sources.loader.compiler import compile_program
from tcptop_rtt.sources.ringbuf import RingBuffer
from tcptop_rtt.tracking.connections import Connections

RING_BYTES = 1 << 24
RECORDS, ROUNDS = 50_000, 10
OFFERED_PER_S = 100_000
CONNECTIONS = 10_000

_ABI = Path(tcptop_rtt.__file__).with_name("bpf") / "abi.h"

# A record per system call of this process, as the hook makes them: samples of one connection and interval.
_PROGRAM = b"""
BPF_RINGBUF_OUTPUT(records, PAGES);
BPF_ARRAY(counts, u64, 2);

int on_enter(struct bpf_raw_tracepoint_args *ctx)
{
	int sent = 0, lost = 1;
	struct record *r;
	u64 *count;

	if (bpf_get_current_pid_tgid() >> 32 != PID || ctx->args[1] != NUMBER)
		return 0;
	r = records.ringbuf_reserve(sizeof(*r));
	count = counts.lookup(r ? &sent : &lost);
	if (count)
		++*count;
	if (!r)
		return 0;
	__builtin_memset(r, 0, sizeof(*r));
	r->window_start = (count ? *count : 0) / CONNECTIONS + 1;
	r->id = (count ? *count : 0) % CONNECTIONS + 1;
	r->sock = r->id << 12;
	r->time_ns = bpf_ktime_get_ns();
	r->kind = KIND;
	r->rtt_samples = 2;
	r->rtt_sum_us = 300;
	r->rtt_lo_us = 100;
	r->rtt_hi_us = r->last_rtt_us = 200;
	records.ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}
"""


def _offer() -> None:
    for _ in range(RECORDS):
        os.getppid()


def measure() -> list[Result]:
    """Processor time per record of both, in turn."""
    getppid = {"x86_64": 110, "aarch64": 173}[os.uname().machine]
    flags = [
        f"-DPAGES={RING_BYTES // os.sysconf('SC_PAGE_SIZE')}",
        f"-DPID={os.getpid()}",
        f"-DNUMBER={getppid}",
        f"-DCONNECTIONS={CONNECTIONS}",
        f"-DKIND={int(Kind.SEGMENT)}",
    ]
    module = compile_program(_ABI.read_bytes() + _PROGRAM, *flags)
    module.attach_raw_tracepoint(b"sys_enter", b"on_enter")
    table = module[b"records"]
    latest: dict[int, bytes] = {}
    called = 0

    def callback(_context: object, data: Any, _size: int) -> None:
        nonlocal called
        event = table.event(data)
        latest[event.id] = bytes(event)  # it is gone after the callback
        called += 1

    table.open_ring_buffer(callback)
    ring = RingBuffer(table.map_fd, RECORD)
    connections = Connections()
    ours_s = bcc_s = 0.0
    read = 0
    _offer()
    connections.ingest(ring.read())  # the rows are there from now on
    for _ in range(ROUNDS):
        _offer()
        start = time.process_time()
        records = ring.read()
        connections.ingest(records)
        ours_s += time.process_time() - start
        read += len(records)
        _offer()
        start = time.process_time()
        module.ring_buffer_consume()
        bcc_s += time.process_time() - start
    rows = connections.snapshot(Health("", "", 0, 0, 0)).rows
    assert rows["rtt_samples"].sum() == 2 * (RECORDS + read), "the table has not understood the records"
    lost = module[b"counts"][1].value
    module.cleanup()
    ring.close()
    ours_us, bcc_us = ours_s * 1e6 / read, bcc_s * 1e6 / called
    return [
        Result("records lost", lost, at_most=0, detail=f"of {(2 * ROUNDS + 1) * RECORDS:,} offered"),
        Result("processor time per record", ours_us, "us"),
        Result("by bcc's callback that keeps the latest", bcc_us, "us"),
        Result("ours / bcc's", ours_us / bcc_us, at_most=0.1),
        Result(f"share of a core at {OFFERED_PER_S:,}/s", ours_us * OFFERED_PER_S / 1e4, "%", at_most=10),
    ]
