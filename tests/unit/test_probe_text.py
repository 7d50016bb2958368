"""What the BPF program asks of the kernel."""

from __future__ import annotations

import re
from pathlib import Path

import tcptop_rtt

PLACE = Path(tcptop_rtt.__file__).parent

_READS = {
    *("bpf_get_current_pid_tgid", "bpf_get_current_task", "bpf_get_smp_processor_id"),
    *("bpf_jiffies64", "bpf_ktime_get_ns"),
    *("bpf_probe_read_kernel", "bpf_probe_read_kernel_str"),
    *("bpf_skc_to_tcp_sock", "bpf_sock_from_file"),  # casts
    *("bpf_htonl", "bpf_ntohs"),  # macros
    "bpf_seq_write",  # what an iterator answers its reader
}
"""Helpers that change nothing of the kernel's but maps of the program's own."""


def test_it_calls_only_what_reads() -> None:
    files = [PLACE / "probe.bpf.c", *PLACE.glob("bpf/*.h")]
    text = "".join(file.read_text() for file in files)
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
    called = set(re.findall(r"\bbpf_\w+(?=\()", code))
    assert "bpf_probe_read_kernel" in called
    assert called <= _READS, called - _READS
