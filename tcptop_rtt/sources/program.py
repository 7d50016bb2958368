"""The BPF program, compiled, loaded and attached.

It imports nothing but bcc, so that it can compile while the rest of the program is still being imported.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bcc import BPF, libbcc

from tcptop_rtt.model.errors import REMEDIES, TcptopError
from tcptop_rtt.sources.limits import LAST_BYTES, Limits
from tcptop_rtt.sources.loader.compiler import compile_program
from tcptop_rtt.sources.loader.kernel_types import KERNEL_FUNCTION, KernelTypes, kernel_types
from tcptop_rtt.sources.memory import release_compiler_memory
from tcptop_rtt.sources.requirements import require_bpf

READS: tuple[tuple[str, ...], ...] = (), ("-DCHECKED_READS",)
"""Compiler flags, tried in turn: older kernels refuse plain loads of all that we read, 5.11 was the first to
take them."""

_FOLLOWING = ("-DFOLLOW", f"-DLAST_PAGES={LAST_BYTES // os.sysconf('SC_PAGE_SIZE')}")

_CLOCK_MONOTONIC_COARSE = 6  # include/uapi/linux/time.h; its resolution is one jiffy

_INITIAL_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO in include/linux/proc_ns.h

_INSTRUCTION = struct.Struct("=BBhi")  # struct bpf_insn in include/uapi/linux/bpf.h
_CALL, _PSEUDO_KFUNC_CALL = 0x85, 2

_FTRACE_SWITCH = Path("/proc/sys/kernel/ftrace_enabled")
_PACKAGE = Path(__file__).resolve().parent.parent
_PARTS = ("bpf/abi.h", "bpf/sock_read.h", "bpf/waits.h", "bpf/conn.h", "bpf/entries.h", "probe.bpf.c")
"""The files of the program, in the order in which the compiler reads them."""

_RAW_TP, _FENTRY, _ITER = 23, 24, 28  # enum bpf_attach_type in include/uapi/linux/bpf.h


class _Place(NamedTuple):
    """Where in the kernel one of our programs runs, knowing the types of what it gets."""

    program: str
    attach_type: int
    target: str


_HOOKS = {
    "fentry": _Place("on_segment", _FENTRY, "tcp_rcv_established"),
    "tcp_probe": _Place("on_segment", _RAW_TP, "tcp_probe"),
}
"""What every segment of an established connection comes by; the first choice first."""

_STATES = _Place("on_set_state", _RAW_TP, "inet_sock_set_state")
_RETRANSMITS = _Place("on_retransmit", _RAW_TP, "tcp_retransmit_skb")
_ENDS = _Place("on_destroy", _RAW_TP, "tcp_destroy_sock")
_FILES = _Place("bpf_iter__task_file", _ITER, "task_file")
_SOCKETS = _Place("bpf_iter__tcp", _ITER, "tcp")


class Program:
    """What runs in the kernel, and the ways to it.

    :param source: ``auto``, or the hook to force: ``fentry`` or ``tcp_probe``
    :param limits: None: what this machine has room for
    :param types: None: the running kernel's
    :param reads: compiler flags to try in turn, until the kernel takes the program
    :param follow: mark the connections of processes that descend from this one, from the first scan on
    :raises TcptopError: it cannot run here, and why
    """

    def __init__(
        self,
        source: str = "auto",
        limits: Limits | None = None,
        types: KernelTypes | None = None,
        reads: Sequence[Sequence[str]] = READS,
        follow: bool = False,
    ) -> None:
        require_bpf()
        limits, types = limits or Limits(), types or kernel_types()
        self.unknown = types.unknown - (set() if _inner_pid_namespace() else {"pid"})
        """The fields of a row that this kernel does not have."""
        following = _FOLLOWING if follow else ()
        for flags in reads:
            try:
                self._open(source, types.text, limits, (*flags, *following))
                break
            except TcptopError:
                if flags is reads[-1]:
                    raise
        self.jiffy_s = _jiffy_s()
        self.ring_bytes = limits.ring_bytes
        self.ring_fd: int = self._module[b"records"].map_fd
        self.last_fd: int | None = self._module[b"last_entries"].map_fd if follow else None
        self.control_fd: int = self._module[b"controls"].map_fd
        self._connections = self._module[b"connections"]
        release_compiler_memory()

    def _open(self, source: str, types: str, limits: Limits, flags: Sequence[str]) -> None:
        self._module = _compile(types, limits, flags)
        self._links: dict[_Place, int] = {}
        try:
            self._attach_hook(source)
            for place in (_STATES, _ENDS, _RETRANSMITS, _FILES):
                self._attach(place)
            if libbcc.lib.bpf_function_start(self._module.module, _SOCKETS.program.encode()):
                self._attach(_SOCKETS)
        except BaseException:
            self.close()
            raise

    def _attach_hook(self, source: str) -> None:
        """Attach to the first hook that can be attached, whatever the kernel's version."""
        self.hook_note = ""
        for self.hook, place in _HOOKS.items():
            if source in ("auto", self.hook):
                try:
                    self._links[place] = self._link(place)
                except OSError as error:
                    self.hook_note = f"{self.hook} is refused: {_cause(error)}"
                else:
                    return
        raise TcptopError(self.hook_note + ("; use --source tcp_probe" if source == "fentry" else ""))

    def _attach(self, place: _Place) -> None:
        try:
            self._links[place] = self._link(place)
        except OSError as error:
            kind = "iter/" if place.attach_type == _ITER else "tracepoint "
            raise TcptopError(f"{kind}{place.target} is refused: {_cause(error)}") from error

    def _loaded(self, place: _Place) -> int:
        """Load by libbpf: bcc has no way to a tracepoint whose arguments have types."""
        if place.attach_type == _FENTRY and _FTRACE_SWITCH.exists() and _FTRACE_SWITCH.read_text() == "0\n":
            # It would attach, and never run.
            raise OSError(errno.EOPNOTSUPP, "the sysctl kernel.ftrace_enabled is 0")
        name = place.program.encode()
        code = _with_kernel_calls(self._module.dump_func(name))
        type_id = libbcc.lib.libbpf_find_vmlinux_btf_id(place.target.encode(), place.attach_type)
        options = _LoadOptions(
            ctypes.sizeof(_LoadOptions),
            expected_attach_type=place.attach_type,
            attach_btf_id=checked(type_id),
        )
        size, license_ = ctypes.c_size_t(len(code) // 8), b"GPL"
        return checked(
            libbcc.lib.bpf_prog_load(BPF.TRACING, name, license_, code, size, ctypes.byref(options))
        )

    def _link(self, place: _Place) -> int:
        program_fd = self._loaded(place)
        try:
            if place.attach_type == _ITER:
                return checked(libbcc.lib.bcc_iter_attach(program_fd, None, 0))
            return checked(libbcc.lib.bpf_raw_tracepoint_open(None, program_fd))
        finally:
            os.close(program_fd)

    def connection_at(self, sock: int) -> int | None:
        """The id of the live connection that the kernel side has for a socket."""
        state = self._connections.get(ctypes.c_uint64(sock))
        return None if state is None or state.closed else int(state.id)

    def open_files(self) -> int:
        """A file descriptor that reads as one ``ENTRY`` per descriptor of a TCP or MPTCP socket."""
        return checked(libbcc.lib.bcc_iter_create(self._links[_FILES]))

    def open_sockets(self) -> int | None:
        """A file descriptor that reads as one ``ENTRY`` per socket of the thread's own network namespace
        that the latest scan of descriptors has not met. None before Linux 5.9.
        """
        link = self._links.get(_SOCKETS)
        return None if link is None else checked(libbcc.lib.bcc_iter_create(link))

    def hand_over_hook(self) -> int:
        """The descriptor of the hook's link, which the caller closes: the hook stays attached until then."""
        return self._links.pop(_HOOKS[self.hook])

    def close(self) -> None:
        """Detach everything; the kernel keeps nothing of ours."""
        for fd in self._links.values():
            os.close(fd)
        self._module.cleanup()


def checked(result: int) -> int:
    """What a function of libbpf returns, unless it is an error.

    :raises OSError: it is one
    """
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def _with_kernel_calls(code: bytes) -> bytes:
    """Mark the calls of kernel functions as such, which bcc's compiler has no way to."""
    marked = bytearray(code)
    for place, (operation, registers, offset, target) in enumerate(_INSTRUCTION.iter_unpack(code)):
        if operation == _CALL and target & KERNEL_FUNCTION:
            registers |= _PSEUDO_KFUNC_CALL << 4
            _INSTRUCTION.pack_into(marked, 8 * place, operation, registers, offset, target ^ KERNEL_FUNCTION)
    return bytes(marked)


class _LoadOptions(ctypes.Structure):
    """The beginning of libbpf's ``struct bpf_prog_load_opts``, as far as it is used."""

    _fields_ = (
        ("size", ctypes.c_size_t),
        ("attempts", ctypes.c_int),
        ("expected_attach_type", ctypes.c_int),
        ("prog_btf_fd", ctypes.c_uint32),
        ("prog_flags", ctypes.c_uint32),
        ("prog_ifindex", ctypes.c_uint32),
        ("kern_version", ctypes.c_uint32),
        ("attach_btf_id", ctypes.c_uint32),
        ("attach_prog_fd", ctypes.c_uint32),
    )


def _jiffy_s() -> float:
    return time.clock_getres(_CLOCK_MONOTONIC_COARSE)


def _inner_pid_namespace() -> int | None:
    """The inode of the one we are in, which no other has as long as we live; None: it is the initial one."""
    inode = os.stat("/proc/self/ns/pid").st_ino
    return inode if inode != _INITIAL_PID_NAMESPACE else None


def _text(types: str) -> bytes:
    """The kernel's types and all parts as one text, as bcc rewrites the use of maps in no file that its text
    includes. The compiler's messages name the part.
    """
    parts = (f'#line 1 "{part}"\n'.encode() + (_PACKAGE / part).read_bytes() for part in _PARTS)
    return types.encode() + b"".join(parts)


def _compile(types: str, limits: Limits, flags: Sequence[str]) -> BPF:
    namespace = _inner_pid_namespace()
    return compile_program(
        _text(types),
        "-g0",  # debug information costs a tenth of the time, and nothing reads it
        *("-Xclang", "-disable-llvm-passes"),  # bcc runs them all once more; they cost a fifth of it
        f"-DRING_PAGES={limits.ring_bytes // os.sysconf('SC_PAGE_SIZE')}",
        f"-DMAX_CONNECTIONS={limits.connections}",
        f"-DRTT_WINDOW_BITS={limits.rtt_window_bits}",
        f"-DTICK_NS={round(_jiffy_s() * 1e9)}",
        *([f"-DPID_NAMESPACE={namespace}u"] if namespace else []),
        *flags,
    )


def _cause(error: OSError) -> str:
    """Why the kernel refused, as far as is known, and the way out."""
    try:
        lockdown = Path("/sys/kernel/security/lockdown").read_text()
    except OSError:
        lockdown = ""
    if "[confidentiality]" in lockdown:
        return "the kernel is locked down; boot it with lockdown=integrity"
    if error.errno == errno.EMFILE:
        return f"no file descriptor is free{REMEDIES[errno.EMFILE]}"
    if error.errno == errno.EPERM:
        return "not permitted on this machine (EPERM)"
    return error.strerror or str(error)
