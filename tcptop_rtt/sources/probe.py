"""The kernel side: compiles, loads and attaches probe.bpf.c, and reads what it reports."""

from __future__ import annotations

import ctypes
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import numpy as np
from bcc import BPF, libbcc

from tcptop_rtt.errors import HookRefused, TcptopError
from tcptop_rtt.sources.btf import kernel_source
from tcptop_rtt.sources.record import CONTROL, RECORD, Batch, Records
from tcptop_rtt.sources.ringbuf import RingBuffer

HOOKS = ("fentry", "tcp_probe")
"""In the order of preference."""

MAX_CONNECTIONS = 1 << 17
METER_BITS = 17
RING_PAGES = 1 << 10

_CLOCK_MONOTONIC_COARSE = 6  # include/uapi/linux/time.h; its resolution is one jiffy
_CAP_SYS_ADMIN, _CAP_PERFMON, _CAP_BPF = 21, 38, 39  # include/uapi/linux/capability.h

_FENTRY_PROGRAM = b"kfunc__tcp_rcv_established"
_ITERATOR_PROGRAM = b"bpf_iter__task_file"
_TRACEPOINTS = {
    b"inet_sock_set_state": b"on_set_state",
    b"tcp_rcv_space_adjust": b"on_rcv_space_adjust",
    b"tcp_retransmit_skb": b"on_retransmit",
}


class _Module(BPF):  # type: ignore[misc]  # bcc has no types
    """A compiled program whose parts are attached by us, one by one, to see which the kernel refuses."""

    def _trace_autoload(self) -> None:
        pass


class Probe:
    """Every TCP socket of the machine, as the kernel knows it.

    :param source: ``auto``, or the hook to force: one of :data:`HOOKS`
    :raises TcptopError: it cannot run here, and why
    """

    def __init__(self, source: str = "auto") -> None:
        _require_capabilities()
        _require_btf()
        self.hook_note = ""
        self._module = _compile()
        try:
            self.hook = self._attach(source)
            self._link_fd = self._link_iterator()
            ring_fd = self._module[b"records"].map_fd
            self._ring = RingBuffer(ring_fd, RING_PAGES * os.sysconf("SC_PAGE_SIZE"), RECORD)
        except BaseException:
            self._module.cleanup()
            raise
        self._controls = self._module[b"controls"]
        self._counters = self._module[b"counters"]
        self._control = np.zeros(1, CONTROL)
        self._next_interval()

    def _attach(self, source: str) -> str:
        """Attach everything; return the name of the hook in use."""
        for tracepoint, program in _TRACEPOINTS.items():
            self._attach_tracepoint(tracepoint, program)
        if source == "tcp_probe":
            self._attach_tracepoint(b"tcp_probe", b"on_tcp_probe")
            return "tcp_probe"
        try:
            with _quiet_stderr():
                self._module.attach_kfunc(_FENTRY_PROGRAM)
        except Exception as error:  # bcc raises nothing narrower
            reason = _refusal("fentry/tcp_rcv_established", error)
            if source == "fentry":
                raise HookRefused(f"{reason}; try --source tcp_probe") from error
            self.hook_note = reason
            self._attach_tracepoint(b"tcp_probe", b"on_tcp_probe")
            return "tcp_probe"
        return "fentry"

    def _attach_tracepoint(self, tracepoint: bytes, program: bytes) -> None:
        try:
            with _quiet_stderr():
                self._module.attach_raw_tracepoint(tracepoint, program)
        except Exception as error:
            raise HookRefused(_refusal(f"raw tracepoint {tracepoint.decode()}", error)) from error

    def _link_iterator(self) -> int:
        try:
            with _quiet_stderr():
                program = self._module.load_func(_ITERATOR_PROGRAM, BPF.TRACING)
                link_fd: int = libbcc.lib.bcc_iter_attach(program.fd, None, 0)
        except Exception as error:
            raise TcptopError(_refusal("iter/task_file", error)) from error
        if link_fd < 0:
            raise TcptopError(_refusal("iter/task_file", OSError(-link_fd, os.strerror(-link_fd))))
        return link_fd

    def read(self) -> Batch:
        """Begin a new interval, and take what the one before has left in the ring buffer."""
        self._next_interval()
        records = self._ring.read()
        lost = sum(counters.records_lost for counters in self._counters[ctypes.c_int(0)])
        return Batch(records, lost)

    def scan(self) -> Records:
        """One pass over every open TCP socket: one ``ENTRY`` per descriptor, shape (N,)."""
        fd = libbcc.lib.bcc_iter_create(self._link_fd)
        if fd < 0:
            raise OSError(-fd, os.strerror(-fd))
        chunks = []
        try:
            while True:
                try:
                    chunk = os.read(fd, 1 << 20)
                except BlockingIOError:
                    continue  # bpf_seq_read() pauses after a million files without a socket
                if not chunk:
                    break
                chunks.append(chunk)
        finally:
            os.close(fd)
        return np.frombuffer(b"".join(chunks), RECORD)

    def ended(self, connections: dict[int, int]) -> list[int]:
        """Which of these connections, socket to id, the kernel side knows no longer: their ids."""
        table = self._module[b"connections"]
        gone = []
        for sock, connection in connections.items():
            state = table.get(ctypes.c_uint64(sock))
            if state is None or state.id != connection:
                gone.append(connection)
        return gone

    def focus(self, sock: int) -> None:
        """Report every ACK of this socket from now on; 0: of none."""
        self._control["focus"] = sock
        self._write_control()

    def _next_interval(self) -> None:
        self._control["interval"] += 1
        self._write_control()

    def _write_control(self) -> None:
        leaf = self._controls.Leaf.from_buffer_copy(self._control.tobytes())
        self._controls[ctypes.c_int(0)] = leaf

    def close(self) -> None:
        """Detach everything; the kernel keeps nothing of ours."""
        self._ring.close()
        os.close(self._link_fd)
        self._module.cleanup()


def _compile() -> _Module:
    text = resources.files("tcptop_rtt").joinpath("probe.bpf.c").read_bytes()
    tick_ns = round(time.clock_getres(_CLOCK_MONOTONIC_COARSE) * 1e9)
    options = [
        f"-DRING_PAGES={RING_PAGES}",
        f"-DMAX_CONNECTIONS={MAX_CONNECTIONS}",
        f"-DMETER_BITS={METER_BITS}",
        f"-DTICK_NS={tick_ns}",
    ]
    with kernel_source(), _quiet_stderr() as messages:
        try:
            return _Module(text=text, cflags=options)
        except Exception as error:
            release = os.uname().release
            raise TcptopError(
                f"cannot compile for this kernel ({release}; Linux 5.8 or later is needed): {_first_line(messages)}"
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
    if not Path("/sys/kernel/btf/vmlinux").exists():
        mounted = Path("/sys/kernel").exists()
        raise TcptopError(
            "the kernel has no type information (/sys/kernel/btf/vmlinux): boot one built with CONFIG_DEBUG_INFO_BTF=y"
            if mounted
            else "/sys is not mounted: run mount -t sysfs sysfs /sys"
        )


def _refusal(what: str, error: Exception) -> str:
    """Why the kernel refused, as far as it tells, and the way out."""
    try:
        lockdown = Path("/sys/kernel/security/lockdown").read_text()
    except OSError:
        lockdown = ""
    if "[confidentiality]" in lockdown:
        return f"{what} was refused: the kernel is locked down (confidentiality); boot with lockdown=integrity"
    if "super-user" in str(error):  # how bcc reports EPERM
        return f"{what} was refused (EPERM): not permitted by this machine's policy"
    return f"{what} was refused: {error}"


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
