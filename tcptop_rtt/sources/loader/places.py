"""Where in the kernel our programs run."""

from __future__ import annotations

from typing import NamedTuple

from tcptop_rtt.sources.bpf_call import TRACE_FENTRY, TRACE_ITER, TRACE_RAW_TP


class Place(NamedTuple):
    """A place in the kernel at which one of our programs runs, with arguments of known types."""

    program: str
    attach_type: int
    target: str

    @property
    def name(self) -> str:
        """The name in error messages."""
        if self.attach_type == TRACE_FENTRY:
            return f"fentry of {self.target}"
        return f"{'iter/' if self.attach_type == TRACE_ITER else 'tracepoint '}{self.target}"


HOOKS = {
    "fentry": Place("on_segment", TRACE_FENTRY, "tcp_rcv_established"),
    "tcp_probe": Place("on_segment", TRACE_RAW_TP, "tcp_probe"),
}
"""The places that every segment of an established connection passes; the first choice first."""

FILES = Place("bpf_iter__task_file", TRACE_ITER, "task_file")
SOCKETS = Place("bpf_iter__tcp", TRACE_ITER, "tcp")

ALWAYS = (
    Place("on_set_state", TRACE_RAW_TP, "inet_sock_set_state"),
    Place("on_destroy", TRACE_RAW_TP, "tcp_destroy_sock"),
    Place("on_retransmit", TRACE_RAW_TP, "tcp_retransmit_skb"),
    FILES,
)
"""The other places that the program needs."""

ALL = (*HOOKS.values(), *ALWAYS, SOCKETS)
