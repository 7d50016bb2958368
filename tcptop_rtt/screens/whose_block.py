"""The details of one connection: the processes that hold it, and its peer's names."""

from __future__ import annotations

from tcptop_rtt.model.names import NO_NAMES, Address
from tcptop_rtt.model.reach import SocketUse
from tcptop_rtt.model.snapshot import NamedProcess, Trace
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import naming
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.shown import Shown
from tcptop_rtt.widgets.facts import Block, Fact

HOLDERS = 50
"""At most so many of a socket's holders are listed by name."""
DESCRIPTORS, BLOCKED = 8, 10
"""At most so many of a socket's descriptors, and of the threads blocked on it, are listed."""
NOBODY = "no thread in read, write or epoll; poll and select cannot be seen"


def whose(row: Shown, trace: Trace | None, glyphs: Glyphs) -> Block:
    """Returns all that is known of the processes that hold the connection, and the names of the peer."""
    process = trace.process if trace else None
    uid = f"uid {row.uid or 0}"
    facts = [
        *([Fact("host", fmt.printable(row.host, glyphs))] if row.host else []),
        Fact("process", fmt.process(row, glyphs)),
        Fact("PID", fmt.pid(row)),
        Fact(
            "user",
            f"{fmt.printable(trace.user, glyphs)} ({uid})" if trace and trace.user else uid,
            of=("uid",),
        ),
        *_peer(row),
    ]
    if process is not None:
        facts += [
            Fact("command", fmt.printable(process.cmdline, glyphs) or fmt.UNKNOWN),
            Fact("started", fmt.moment(process.started)),
            Fact("CPU, memory", f"{process.cpu_percent:.1f}% of a core, {fmt.size(process.rss_bytes)}"),
        ]
    else:
        facts.append(Fact("command", fmt.UNKNOWN))
    if trace is not None and trace.holder_note:
        facts.append(Fact("", fmt.printable(trace.holder_note, glyphs), "warn"))
    if trace is not None and trace.holders:
        first = trace.holders[:HOLDERS]
        holders = ", ".join(_process(holder, glyphs) for holder in first)
        more = len(trace.holders) - len(first)
        facts.append(Fact("held by", f"{holders} and {more:,} more" if more else holders))
    if trace is not None and trace.use is not None:
        facts += _use(trace.use, glyphs)
    if trace is not None and trace.parents:
        facts.append(Fact("started by", ", by ".join(_process(parent, glyphs) for parent in trace.parents)))
    path = trace.cgroup_path if trace else None
    facts += [
        Fact("cgroup", fmt.printable(path, glyphs) if path else fmt.UNKNOWN),
        Fact("netns", _namespace(row, trace, glyphs)),
    ]
    return Block("WHOSE IT IS", tuple(facts))


def _process(process: NamedProcess, glyphs: Glyphs) -> str:
    return f"{fmt.printable(process.comm, glyphs)} {process.pid or fmt.UNKNOWN}"


def _use(use: SocketUse, glyphs: Glyphs) -> list[Fact]:
    descriptors, blocked = use.descriptors[:DESCRIPTORS], use.blocked[:BLOCKED]
    threads = [f"{fmt.printable(one.comm, glyphs)} {one.tid} in {one.call}" for one in blocked]
    more = len(use.blocked) - len(blocked)
    return [
        Fact("descriptor", ", ".join(map(str, descriptors))),
        Fact("blocked on it", ", ".join([*threads, *([f"{more} more"] if more else [])]) or NOBODY),
    ]


def _namespace(row: Shown, trace: Trace | None, glyphs: Glyphs) -> str:
    if not row.netns:
        return fmt.UNKNOWN
    name = fmt.printable(trace.netns_name, glyphs) if trace else ""
    return f"{name} ({row.netns})" if name else str(row.netns)


def _peer(row: Shown) -> list[Fact]:
    names = row.names
    if names is NO_NAMES:
        return []
    name, service = names.host(Address(row.family, row.raddr)), naming.service(row, names)
    facts = [Fact("peer's name", name or fmt.NOTHING)]
    if service:
        facts.append(Fact("its service", f"{service} ({row.rport})"))
    if name and row.netns and names.netns and row.netns != names.netns:
        facts.append(Fact("", "the name is by our resolver: that of its network namespace may know another"))
    return facts
