"""A kernel whose structures have members of other names."""

from __future__ import annotations

from pathlib import Path

from tcptop_rtt.sources.requirements import BTF_PATH


def renamed(member: str, directory: Path) -> tuple[str, ...]:
    """Starts a program that finds a kernel in which this member has another name."""
    other = member[:-1] + ("x" if member[-1] != "x" else "y")
    raw = BTF_PATH.read_bytes()
    assert raw.count(f"\0{member}\0".encode()) == 1
    changed = directory / "vmlinux"
    changed.write_bytes(raw.replace(f"\0{member}\0".encode(), f"\0{other}\0".encode()))
    script = f'mount --make-rprivate /sys && mount --bind {changed} {BTF_PATH} && exec "$@"'
    return ("unshare", "--mount", "--propagation", "unchanged", "sh", "-c", script, "sh")
