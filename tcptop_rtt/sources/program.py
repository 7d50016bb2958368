"""probe.bpf.c, compiled and attached: the only module that speaks bcc, but for its headers in btf.py.

It imports nothing but bcc, so that it can compile while the rest of the program is still being imported.
"""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from bcc import BPF, libbcc

from tcptop_rtt.errors import TcptopError
from tcptop_rtt.sources.btf import BTF_PATH, kernel_source

MAX_CONNECTIONS = 1 << 17
METER_BITS = 17
RING_BYTES = 1 << 22

_CLOCK_MONOTONIC_COARSE = 6  # include/uapi/linux/time.h; its resolution is one jiffy
_CAP_SYS_ADMIN, _CAP_PERFMON, _CAP_BPF = 21, 38, 39  # include/uapi/linux/capability.h

_FTRACE_SWITCH = Path("/proc/sys/kernel/ftrace_enabled")


class _Hook(NamedTuple):
    """A place in the kernel that every segment of an established connection comes by."""

    name: str
    attach_type: int  # enum bpf_attach_type in include/uapi/linux/bpf.h
    target: bytes


_FENTRY = _Hook("fentry", 24, b"tcp_rcv_established")
_TCP_PROBE = _Hook("tcp_probe", 23, b"tcp_probe")
_HOOKS = {"auto": (_FENTRY, _TCP_PROBE), "fentry": (_FENTRY,), "tcp_probe": (_TCP_PROBE,)}
"""By what ``source`` says, the first choice first."""

_READ_TRACEPOINT = b"tcp_rcv_space_adjust"
_TRACEPOINTS = {
    b"inet_sock_set_state": b"on_set_state",
    b"tcp_retransmit_skb": b"on_retransmit",
}


class Program:
    """What runs in the kernel, and the ways to it.

    :param source: ``auto``, or the hook to force: ``fentry`` or ``tcp_probe``
    :raises TcptopError: it cannot run here, and why
    """

    def __init__(self, source: str = "auto") -> None:
        _require_capabilities()
        _require_btf()
        try:
            self._open(source)
        except TcptopError:
            # The verifiers of the oldest kernels refuse plain loads: Linux 5.10 was the first to take them.
            self._open(source, "-DCHECKED_READS")
        try:
            for tracepoint, program in _TRACEPOINTS.items():
                self._attach_tracepoint(tracepoint, program)
            self._files_fd = self._link_iterator("task_file")
            has_tcp = libbcc.lib.bpf_function_start(self._module.module, b"bpf_iter__tcp")
            self._sockets_fd = self._link_iterator("tcp") if has_tcp else None
        except BaseException:
            self._module.cleanup()
            raise
        self.ring_bytes = RING_BYTES
        self.ring_fd: int = self._module[b"records"].map_fd
        self.control_fd: int = self._module[b"controls"].map_fd
        self._connections = self._module[b"connections"]

    def _open(self, source: str, *flags: str) -> None:
        self._module = _compile(*flags)
        try:
            self._attach_hook(source)
        except BaseException:
            self._module.cleanup()
            raise

    def _attach_hook(self, source: str) -> None:
        """Attach to the first hook that lets us: no version tells."""
        self.hook_note = ""
        for hook in _HOOKS[source]:
            try:
                self._hook_fd = self._link_segments(hook)
            except OSError as error:
                self.hook_note = f"{hook.name} is refused: {_cause(error)}"
            else:
                self.hook = hook.name
                return
        raise TcptopError(self.hook_note + ("; use --source tcp_probe" if source == "fentry" else ""))

    def _link_segments(self, hook: _Hook) -> int:
        """Attach to a hook, by libbpf, as bcc has no way to a tracepoint whose arguments have types."""
        if hook is _FENTRY and _FTRACE_SWITCH.exists() and _FTRACE_SWITCH.read_text() == "0\n":
            # It would attach, and never run.
            raise OSError(errno.EOPNOTSUPP, "the sysctl kernel.ftrace_enabled is 0")
        code = self._module.dump_func(b"on_segment")
        with _quiet_stderr():
            target_id = _checked(libbcc.lib.libbpf_find_vmlinux_btf_id(hook.target, hook.attach_type))
            options = _LoadOptions(
                ctypes.sizeof(_LoadOptions), expected_attach_type=hook.attach_type, attach_btf_id=target_id
            )
            program_fd = _checked(
                libbcc.lib.bpf_prog_load(
                    BPF.TRACING,
                    b"on_segment",
                    b"GPL",
                    code,
                    ctypes.c_size_t(len(code) // 8),
                    ctypes.byref(options),
                )
            )
            try:
                return _checked(libbcc.lib.bpf_raw_tracepoint_open(None, program_fd))
            finally:
                os.close(program_fd)

    def _attach_tracepoint(self, tracepoint: bytes, program: bytes) -> None:
        try:
            with _quiet_stderr():
                self._module.attach_raw_tracepoint(tracepoint, program)
        except Exception as error:
            raise TcptopError(f"tracepoint {tracepoint.decode()} is refused: {_cause(error)}") from error

    def _link_iterator(self, target: str) -> int:
        try:
            with _quiet_stderr():
                program = self._module.load_func(f"bpf_iter__{target}".encode(), BPF.TRACING)
                return _checked(libbcc.lib.bcc_iter_attach(program.fd, None, 0))
        except Exception as error:
            raise TcptopError(f"iter/{target} is refused: {_cause(error)}") from error

    def watch_readers(self, watch: bool) -> None:
        """Let every read of a socket that nobody is known to own name its process, or no longer."""
        if watch:
            self._attach_tracepoint(_READ_TRACEPOINT, b"on_rcv_space_adjust")
        else:
            self._module.detach_raw_tracepoint(_READ_TRACEPOINT)

    def connection_at(self, sock: int) -> int | None:
        """The id of the connection that the kernel side has for a socket."""
        state = self._connections.get(ctypes.c_uint64(sock))
        return None if state is None else int(state.id)

    def open_files(self) -> int:
        """A file descriptor that reads as one ``ENTRY`` per descriptor of a TCP socket."""
        return _create_iterator(self._files_fd)

    def open_sockets(self) -> int | None:
        """A file descriptor; read to its end, it reports unknown sockets of the thread's own namespace.

        None before Linux 5.9.
        """
        return None if self._sockets_fd is None else _create_iterator(self._sockets_fd)

    def close(self) -> None:
        """Detach everything; the kernel keeps nothing of ours."""
        for fd in (self._hook_fd, self._files_fd, self._sockets_fd):
            if fd is not None:
                os.close(fd)
        self._module.cleanup()


def _create_iterator(link_fd: int) -> int:
    return _checked(libbcc.lib.bcc_iter_create(link_fd))


def _checked(result: int) -> int:
    """What a function of libbpf returns, unless it is an error."""
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


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


def _compile(*flags: str) -> BPF:
    text = resources.files("tcptop_rtt").joinpath("probe.bpf.c").read_bytes()
    tick_ns = round(time.clock_getres(_CLOCK_MONOTONIC_COARSE) * 1e9)
    options = [
        "-g0",  # debug information costs a tenth of the time, and nothing reads it
        f"-DRING_PAGES={RING_BYTES // os.sysconf('SC_PAGE_SIZE')}",
        f"-DMAX_CONNECTIONS={MAX_CONNECTIONS}",
        f"-DMETER_BITS={METER_BITS}",
        f"-DTICK_NS={tick_ns}",
        *flags,
    ]
    with kernel_source(), _quiet_stderr() as messages:
        try:
            return BPF(text=text, cflags=options)
        except Exception as error:
            reason = _first_line(messages)
            raise TcptopError(
                f"cannot compile for Linux {os.uname().release} (5.8 at least): {reason}"
            ) from error


def _require_capabilities() -> None:
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    held = {bit for bit in (_CAP_SYS_ADMIN, _CAP_PERFMON, _CAP_BPF) if effective >> bit & 1}
    if _CAP_SYS_ADMIN in held or {_CAP_PERFMON, _CAP_BPF} <= held:
        return
    missing = " and ".join(
        name for bit, name in ((_CAP_BPF, "CAP_BPF"), (_CAP_PERFMON, "CAP_PERFMON")) if bit not in held
    )
    raise TcptopError(f"loading a BPF program needs root ({missing} missing): run sudo tcptop-rtt")


def _require_btf() -> None:
    if not BTF_PATH.exists():
        if not Path("/sys/kernel").exists():
            raise TcptopError("/sys is not mounted: run mount -t sysfs sysfs /sys")
        raise TcptopError(f"{BTF_PATH} is missing: boot a kernel built with CONFIG_DEBUG_INFO_BTF=y")


def _cause(error: Exception) -> str:
    """Why the kernel refused, as far as it tells, and the way out."""
    try:
        lockdown = Path("/sys/kernel/security/lockdown").read_text()
    except OSError:
        lockdown = ""
    if "[confidentiality]" in lockdown:
        return "the kernel is locked down; boot it with lockdown=integrity"
    refused = isinstance(error, PermissionError) or "super-user" in str(error)  # bcc's words for EPERM
    if refused:
        return "not permitted on this machine (EPERM)"
    return error.strerror or "" if isinstance(error, OSError) else str(error)


def _first_line(messages: Path) -> str:
    lines = [line for line in messages.read_text(errors="replace").splitlines() if "error" in line]
    return lines[0] if lines else "no message from the compiler"


@contextmanager
def _quiet_stderr() -> Iterator[Path]:
    """Keep what the C libraries write to file descriptor 2 off the terminal, in a file of our own."""
    with tempfile.NamedTemporaryFile(prefix="tcptop-rtt-") as file:
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield Path(file.name)
        finally:
            os.dup2(saved, 2)
            os.close(saved)
