"""The kernel's structures for probe.bpf.c: only the members that it reads, where this kernel has them.

:data:`STRUCTS` is the one table of what is read. A member that a kernel has moved needs no change. A renamed
member needs another path in its entry.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.waited import SLOW_WAITS, WAITED
from tcptop_rtt.sources.loader.btf import Btf, Member
from tcptop_rtt.sources.loader.code import KERNEL_FUNCTION


class Field(NamedTuple):
    """A member that is read."""

    paths: tuple[str, ...] = ()
    """Where it may be, the first choice first; empty if it has the name that is used here."""
    tells: tuple[str, ...] = ()
    """The fields of a row or listener that are unknown without it; empty if the program needs it."""


def _at(*paths: str) -> Field:
    return Field(paths)


def _for(*tells: str, at: tuple[str, ...] = ()) -> Field:
    return Field(at, tells)


_ESSENTIAL = Field()
_CHRONOGRAPH = ("busy_us", "rwnd_limited_us", "sndbuf_limited_us")
_RESENT = ("resent_fast", "resent_timeout", "resent_probe")
_WAITS = tuple(sorted(WAITED | SLOW_WAITS))

STRUCTS: dict[str, dict[str, Field]] = {
    "bpf_iter_meta": {"seq": _ESSENTIAL},
    "bpf_iter__task_file": {"meta": _ESSENTIAL, "task": _ESSENTIAL, "file": _ESSENTIAL},
    "task_struct": {
        "flags": _ESSENTIAL,
        "tgid": _ESSENTIAL,
        "group_leader": _ESSENTIAL,
        "real_parent": _ESSENTIAL,
        "comm": _ESSENTIAL,
        "start_boottime": _ESSENTIAL,
        "real_cred": _for("uid"),
        "thread_pid": _for("pid"),
    },
    # The PID of a process in a PID namespace other than the initial one.
    "pid": {"level": _for("pid"), "numbers": _for("pid")},
    "upid": {"nr": _for("pid"), "ns": _for("pid")},
    "pid_namespace": {"inode": _for("pid", at=("ns.inum",))},
    "cred": {"euid": _for("uid", at=("euid.val",))},
    "file": {"f_inode": _ESSENTIAL, "private_data": _ESSENTIAL},
    "inode": {"i_mode": _ESSENTIAL, "i_ino": _ESSENTIAL},
    "socket": {"sk": _ESSENTIAL, "file": _ESSENTIAL},
    "socket_alloc": {"i_ino": _at("vfs_inode.i_ino")},
    "net": {"inum": _at("ns.inum")},
    "inet_bind_bucket": {"fastreuse": _for("direction")},
    "tcp_congestion_ops": {"name": _for("congestion_control")},
    "sk_buff": {"cb": _for(*_WAITS, *_RESENT)},
    "tcp_skb_cb": {
        "seq": _for(*_WAITS),
        "end_seq": _for(*_WAITS),
        "ack_seq": _for(*_WAITS),
        "tcp_gso_segs": _for(*_RESENT),
    },
    "sock_common": {"skc_state": _ESSENTIAL},
    "sock": {
        "skc_family": _at("__sk_common.skc_family"),
        "skc_num": _at("__sk_common.skc_num"),
        "skc_dport": _at("__sk_common.skc_dport"),
        "skc_rcv_saddr": _at("__sk_common.skc_rcv_saddr"),
        "skc_daddr": _at("__sk_common.skc_daddr"),
        "skc_v6_rcv_saddr": _at("__sk_common.skc_v6_rcv_saddr"),
        "skc_v6_daddr": _at("__sk_common.skc_v6_daddr"),
        "skc_net": _at("__sk_common.skc_net.net"),
        "skc_state": _at("__sk_common.skc_state"),
        "skc_bound_dev_if": _for("interface", at=("__sk_common.skc_bound_dev_if",)),
        "skc_flags": _at("__sk_common.skc_flags"),
        "sk_protocol": _ESSENTIAL,
        "sk_socket": _ESSENTIAL,
        "sk_err": _ESSENTIAL,
        "sk_shutdown": _for("connect_error"),
        "sk_lock_owned": _at("sk_lock.owned"),
        "sk_uid": _for("uid", at=("sk_uid.val",)),
        "sk_pacing_rate": _for("pacing_rate_bps"),
        "sk_ack_backlog": _for("queue"),
        "sk_max_ack_backlog": _for("queue_limit"),
        "sk_drops": _for("drops", at=("sk_drops.counter",)),
    },
    "inet_connection_sock": {
        "icsk_bind_hash": _for("direction"),
        "icsk_retransmits": _ESSENTIAL,
        "icsk_ca_state": _for(*_RESENT),
        "icsk_probes_out": _ESSENTIAL,
        "icsk_rto": _for("rto_us"),
        "icsk_ca_ops": _for("congestion_control"),
        "lrcvtime": _for("last_received_ms", *_WAITS, at=("icsk_ack.lrcvtime",)),
    },
    "tcp_sock": {
        "rack_mstamp": _at("rack.mstamp"),
        "rack_rtt_us": _at("rack.rtt_us"),
        "rack_end_seq": _at("rack.end_seq"),
        "tcp_mstamp": _for(*_WAITS),
        "first_tx_mstamp": _for(*_WAITS),
        "srtt_us": _ESSENTIAL,
        "mdev_us": _for("rttvar_us"),
        "min_rtt_us": _for("min_rtt_us", at=("rtt_min.s[0].v",)),
        "snd_cwnd": _for("cwnd"),
        "snd_ssthresh": _for("ssthresh"),
        "mss_cache": _for("mss", "delivery_rate_bps"),
        "lost": _for("lost"),
        "bytes_acked": _ESSENTIAL,
        "bytes_received": _ESSENTIAL,
        "total_retrans": _ESSENTIAL,
        "chrono_type": _for(*_CHRONOGRAPH),
        "chrono_start": _for(*_CHRONOGRAPH),
        "chrono_busy": _for(*_CHRONOGRAPH, at=("chrono_stat[0]",)),
        "chrono_rwnd_limited": _for(*_CHRONOGRAPH, at=("chrono_stat[1]",)),
        "chrono_sndbuf_limited": _for(*_CHRONOGRAPH, at=("chrono_stat[2]",)),
        "packets_out": _for("in_flight"),
        "sacked_out": _for("in_flight"),
        "lost_out": _for("in_flight"),
        "retrans_out": _for("in_flight"),
        "rate_delivered": _for("delivery_rate_bps"),
        "rate_interval_us": _for("delivery_rate_bps"),
        "write_seq": _for("notsent_bytes"),
        "snd_nxt": _for("notsent_bytes", "unacked_bytes", *_WAITS),
        "snd_una": _for("unacked_bytes", *_WAITS),
        "rcv_nxt": _for("recv_q_bytes"),
        "copied_seq": _for("recv_q_bytes"),
        "snd_wnd": _for("snd_wnd_bytes"),
        "rcv_wnd": _for("rcv_wnd_bytes"),
        "lsndtime": _for("last_sent_ms"),
        "rcv_tstamp": _for("last_ack_ms"),
        "segs_in": _for("segs_in"),
        "segs_out": _for("connect_error"),
        "data_segs_in": _for("data_segs_in"),
        "data_segs_out": _for("data_segs_out"),
        "dsack_dups": _for("dsack_dups"),
        "rcv_rtt_us": _for("rcv_rtt_us", at=("rcv_rtt_est.rtt_us",)),
    },
}
OPTIONAL = {"bpf_iter__tcp": {"meta": _ESSENTIAL, "sk_common": _ESSENTIAL}}  # Linux 5.9
"""Structures that the program can do without."""


class KernelTypes(NamedTuple):
    """What a kernel has of :data:`STRUCTS`."""

    text: str
    """C definitions."""
    lacking: frozenset[str]
    """The fields of a row that this kernel does not have."""


def kernel_types(btf: Btf, optional: Mapping[str, dict[str, Field]] = OPTIONAL) -> KernelTypes:
    """The types of the running kernel.

    :param optional: structures that are used besides :data:`STRUCTS` where the kernel has them
    :raises TcptopError: an essential member is missing; says which
    """
    structs = STRUCTS | {name: fields for name, fields in optional.items() if btf.struct(name)}
    lines = [*(f"struct {name};" for name in structs), "struct seq_file;", "struct missing { };"]
    lacking: set[str] = set()
    for struct, fields in structs.items():
        number = btf.struct(struct)
        if number is None:
            raise _lacks(f"struct {struct}")
        lines += [f"struct {struct} {{", "\tunion {", f"\t\tu8 all[{btf.size(number)}];"]
        for name, field in fields.items():
            member = _find(btf, number, name, field)
            if member is None and not field.tells:
                raise _lacks(f"{struct}.{field.paths[0] if field.paths else name}")
            if member is None:
                lacking.update(field.tells)
            lines += _definition(name, member, structs.keys())
        lines += ["\t};", "};"]
    if "bpf_iter__tcp" not in structs:
        lines.append("#define NO_TCP_ITERATOR")
    if btf.arguments_of_tracepoint("tcp_retransmit_skb") > len(("sk", "skb")):  # Linux 6.15
        lines.append("#define TELLS_FAILED_RETRANSMITS")
    cast = btf.function("bpf_rdonly_cast")  # Linux 6.2
    if cast:
        lines.append(f"#define RDONLY_CAST {KERNEL_FUNCTION | cast}")
        lines.append(f"#define TCP_SOCK_TYPE {btf.struct('tcp_sock')}")
    return KernelTypes("\n".join(lines) + "\n", frozenset(lacking))


def _lacks(what: str) -> TcptopError:
    return TcptopError(
        f"Linux {os.uname().release} has no '{what}': boot Linux 5.8 or later, or report a newer one"
    )


def _find(btf: Btf, struct: int, name: str, field: Field) -> Member | None:
    found = (btf.member(struct, path) for path in field.paths or (name,))
    return next((member for member in found if member), None)


def _definition(name: str, member: Member | None, structs: object) -> list[str]:
    """The definition of one member at its offset; for a bit field also how to mask out other bits."""
    bits = f"#define {name}_SHIFT {{}}\n#define {name}_MASK {{:#x}}"
    if member is None:
        return [f"\t\tstruct missing {name};", bits.format(0, 0)]
    first = member.offset_bits // 8
    last = (member.offset_bits + member.size_bits + 7) // 8
    padding = f"u8 before_{name}[{first}]; " if first else ""
    if member.pointer_to is not None:
        known = member.pointer_to in structs or member.pointer_to == "seq_file"  # type: ignore[operator]
        kind = f"struct {member.pointer_to} *{name}" if known else f"void *{name}"
    elif member.scalar and last - first in (1, 2, 4, 8):
        kind = f"u{8 * (last - first)} {name}"
    else:
        kind = f"u8 {name}[{last - first}]"
    lines = [f"\t\tstruct {{ {padding}{kind}; }};"]
    if member.size_bits <= 8:
        lines.append(bits.format(member.offset_bits % 8, (1 << member.size_bits) - 1))
    return lines
