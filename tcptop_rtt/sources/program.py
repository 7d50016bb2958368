"""probe.bpf.c, compiled and attached: the only module that speaks bcc, but for its headers in btf.py.

It imports nothing but bcc, so that it can compile while the rest of the program is still being imported.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from bcc import BPF, libbcc

from tcptop_rtt.errors import TcptopError
from tcptop_rtt.sources.btf import BTF_PATH, kernel_source

MAX_CONNECTIONS = 1 << 17
METER_BITS = 17
RING_BYTES = 1 << 22

_CLOCK_MONOTONIC_COARSE = 6  # include/uapi/linux/time.h; its resolution is one jiffy
_CAP_SYS_ADMIN, _CAP_PERFMON, _CAP_BPF = 21, 38, 39  # include/uapi/linux/capability.h

_BPF_TRACE_FENTRY = 24  # include/uapi/linux/bpf.h

_FENTRY_PROGRAM = b"kfunc__tcp_rcv_established"
_READ_TRACEPOINT = b"tcp_rcv_space_adjust"
_TRACEPOINTS = {
    b"inet_sock_set_state": b"on_set_state",
    b"tcp_retransmit_skb": b"on_retransmit",
}


class _Module(BPF):  # type: ignore[misc]  # bcc has no types
    """A compiled program whose parts are attached by us, one by one, to see which the kernel refuses."""

    def _trace_autoload(self) -> None:
        pass


class Program:
    """What runs in the kernel, and the ways to it.

    :param source: ``auto``, or the hook to force: ``fentry`` or ``tcp_probe``
    :raises TcptopError: it cannot run here, and why
    """

    def __init__(self, source: str = "auto") -> None:
        _require_capabilities()
        _require_btf()
        self.hook, self.hook_note = _choose_hook(source)
        self._module = _compile(self.hook)
        try:
            self._attach()
            self._files_fd = self._link_iterator("task_file")
            self._sockets_fd = self._link_iterator("tcp")
        except BaseException:
            self._module.cleanup()
            raise
        self.ring_bytes = RING_BYTES
        self.ring_fd: int = self._module[b"records"].map_fd
        self.control_fd: int = self._module[b"controls"].map_fd
        self._connections = self._module[b"connections"]

    def _attach(self) -> None:
        for tracepoint, program in _TRACEPOINTS.items():
            self._attach_tracepoint(tracepoint, program)
        if self.hook == "fentry":
            self._attach_fentry()
        else:
            self._attach_tracepoint(b"tcp_probe", b"on_tcp_probe")

    def _attach_fentry(self) -> None:
        try:
            with _quiet_stderr():
                self._module.attach_kfunc(_FENTRY_PROGRAM)
        except Exception as error:  # bcc raises nothing narrower
            raise TcptopError(f"fentry is refused: {_cause(error)}") from error

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
                link_fd: int = libbcc.lib.bcc_iter_attach(program.fd, None, 0)
        except Exception as error:
            raise TcptopError(f"iter/{target} is refused: {_cause(error)}") from error
        if link_fd < 0:
            raise TcptopError(f"iter/{target} is refused: {os.strerror(-link_fd)}")
        return link_fd

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

    def open_sockets(self) -> int:
        """A file descriptor; read to its end, it reports unknown sockets of the thread's own namespace."""
        return _create_iterator(self._sockets_fd)

    def close(self) -> None:
        """Detach everything; the kernel keeps nothing of ours."""
        os.close(self._files_fd)
        os.close(self._sockets_fd)
        self._module.cleanup()


def _create_iterator(link_fd: int) -> int:
    fd: int = libbcc.lib.bcc_iter_create(link_fd)
    if fd < 0:
        raise OSError(-fd, os.strerror(-fd))
    return fd


def _choose_hook(source: str) -> tuple[str, str]:
    """The hook to use, and why it is not the first choice.

    Whether fentry attaches is tried, with a program that does nothing: no version tells.
    """
    if source == "tcp_probe":
        return source, ""
    error = _try_fentry()
    if not error:
        return "fentry", ""
    note = f"fentry is refused: {_cause(OSError(error, os.strerror(error)))}"
    if source == "fentry":
        raise TcptopError(f"{note}; use --source tcp_probe")
    return "tcp_probe", note


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


def _try_fentry() -> int:
    """Attach a program that does nothing, and take it off again; 0, or why not, as an error number."""
    lib = libbcc.lib
    with _quiet_stderr():
        function_id = lib.libbpf_find_vmlinux_btf_id(b"tcp_rcv_established", _BPF_TRACE_FENTRY)
        if function_id < 0:
            return -int(function_id)
        options = _LoadOptions(ctypes.sizeof(_LoadOptions), 0, _BPF_TRACE_FENTRY, attach_btf_id=function_id)
        instructions = (ctypes.c_uint64 * 2)(0xB7, 0x95)  # r0 = 0; exit
        program_fd = lib.bpf_prog_load(
            BPF.TRACING, b"try_fentry", b"GPL", instructions, ctypes.c_size_t(2), ctypes.byref(options)
        )
        if program_fd < 0:
            return -int(program_fd)
        link_fd = lib.bpf_raw_tracepoint_open(None, program_fd)
    os.close(program_fd)
    if link_fd < 0:
        return -int(link_fd)
    os.close(link_fd)
    return 0


def _compile(hook: str) -> _Module:
    text = resources.files("tcptop_rtt").joinpath("probe.bpf.c").read_bytes()
    tick_ns = round(time.clock_getres(_CLOCK_MONOTONIC_COARSE) * 1e9)
    options = [
        "-g0",  # debug information costs a tenth of the time, and nothing reads it
        f"-DRING_PAGES={RING_BYTES // os.sysconf('SC_PAGE_SIZE')}",
        f"-DMAX_CONNECTIONS={MAX_CONNECTIONS}",
        f"-DMETER_BITS={METER_BITS}",
        f"-DTICK_NS={tick_ns}",
    ]
    if hook == "fentry":
        options.append("-DHOOK_FENTRY")
    with kernel_source(), _quiet_stderr() as messages:
        try:
            return _Module(text=text, cflags=options)
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
    return "not permitted on this machine (EPERM)" if refused else str(error)


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
