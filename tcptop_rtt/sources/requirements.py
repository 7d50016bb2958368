"""What loading the BPF program needs of this machine and this user; checked before bcc is imported."""

from __future__ import annotations

from pathlib import Path

from tcptop_rtt.model.errors import TcptopError

BTF_PATH = Path("/sys/kernel/btf/vmlinux")

_CAP_SYS_ADMIN, _CAP_PERFMON, _CAP_BPF = 21, 38, 39  # include/uapi/linux/capability.h


def require_bpf() -> None:
    """Check whether loading the BPF program may succeed.

    :raises TcptopError: it cannot succeed, and why
    """
    _require_capabilities()
    _require_btf()


def _require_capabilities() -> None:
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError as error:
        raise TcptopError("/proc is not mounted: run mount -t proc proc /proc") from error
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
