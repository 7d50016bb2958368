"""Makes the program's code from its text, by bcc. This is the slow part: it takes a third of a second."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing

from tcptop_rtt.sources.bpf_call import map_info
from tcptop_rtt.sources.jiffy import jiffy_s
from tcptop_rtt.sources.limits import LAST_BYTES
from tcptop_rtt.sources.loader.code import Code, with_kernel_calls, with_places
from tcptop_rtt.sources.loader.files import program_text
from tcptop_rtt.sources.loader.places import ALL
from tcptop_rtt.sources.loader.request import Request

_FOLLOWING = ("-DFOLLOW", f"-DLAST_PAGES={LAST_BYTES // os.sysconf('SC_PAGE_SIZE')}")

_INITIAL_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO in include/linux/proc_ns.h


def compiler_flags(request: Request, reads: Sequence[str]) -> list[str]:
    """The flags that the program is compiled with."""
    limits, namespace = request.limits, _inner_pid_namespace()
    return [
        "-g0",  # debug information costs a tenth of the time, and nothing reads it
        *("-Xclang", "-disable-llvm-passes"),  # bcc runs the passes again anyway; they cost a fifth
        f"-DRING_PAGES={limits.ring_bytes // os.sysconf('SC_PAGE_SIZE')}",
        f"-DMAX_CONNECTIONS={limits.connections}",
        f"-DRTT_WINDOW_BITS={limits.rtt_window_bits}",
        f"-DTICK_NS={round(jiffy_s() * 1e9)}",
        *([f"-DPID_NAMESPACE={namespace}u"] if namespace else []),
        *reads,
        *(_FOLLOWING if request.follow else ()),
    ]


def compiled(flags: Sequence[str], lists_sockets: bool) -> Code:
    """The program's code for the running kernel.

    :param lists_sockets: whether the code has the iterator over sockets, where the kernel supports it
    :raises TcptopError: it cannot be compiled, and why
    """
    from tcptop_rtt.sources.loader.bcc_package import bcc_required

    with bcc_required():
        from tcptop_rtt.sources.loader.btf import Btf
        from tcptop_rtt.sources.loader.compiler import compile_program, instructions_of, map_descriptors
        from tcptop_rtt.sources.loader.kernel_types import OPTIONAL, kernel_types
    with closing(Btf()) as btf:
        types = kernel_types(btf, OPTIONAL if lists_sockets else {})
        targets = {place.name: btf.attach_target(place.attach_type, place.target) for place in ALL}
    module = compile_program(types.text.encode() + program_text(), *flags)
    descriptors = map_descriptors(module)
    places = {descriptor: place for place, descriptor in enumerate(descriptors.values())}
    return Code(
        {name: map_info(descriptor) for name, descriptor in descriptors.items()},
        {
            name: with_kernel_calls(with_places(instructions, places))
            for name in sorted({place.program for place in ALL})
            if (instructions := instructions_of(module, name))
        },
        {name: number for name, number in targets.items() if number is not None},
        types.lacking - (set() if _inner_pid_namespace() else {"pid"}),
    )


def _inner_pid_namespace() -> int | None:
    """The inode of our PID namespace, unique as long as this process lives; None if it is the initial one."""
    inode = os.stat("/proc/self/ns/pid").st_ino
    return inode if inode != _INITIAL_PID_NAMESPACE else None
