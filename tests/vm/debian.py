"""A fresh Debian in a directory, and commands that run in it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.vm.archive import LabError, mirror

_REACHING_ARCHIVES = (
    *("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt"),
    *("/etc/apt/apt.conf", "/etc/apt/apt.conf.d", "/etc/pip.conf", "/etc/xdg/pip"),
)
"""What this machine needs to reach archives of packages, those of them that it has."""

_INSIDE = """
cd "$1"
for place in proc sys dev; do mount --rbind /$place $place; done
mount -t tmpfs tmpfs run
shift
exec chroot . "$@"
"""


def fresh(suite: str, directory: Path) -> Path:
    """Install the least of a Debian there, with its archive as this machine's."""
    command = [
        "debootstrap",
        "--variant=minbase",
        "--include=ca-certificates",
        suite,
        str(directory),
        mirror(),
    ]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError as error:
        raise LabError("debootstrap is missing") from error
    if done.returncode:
        raise LabError(f"debootstrap {suite} failed: {done.stdout[-2000:]}")
    for name in _REACHING_ARCHIVES:
        here, there = Path(name), directory / name[1:]
        there.parent.mkdir(parents=True, exist_ok=True)
        if here.is_dir():
            shutil.copytree(here, there, dirs_exist_ok=True)
        elif here.exists():
            shutil.copy(here, there)
    return directory


def run(root: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in it, with the devices and the processes of this machine."""
    command = ["unshare", "--mount", "sh", "-ec", _INSIDE, "sh", str(root), "/bin/sh", "-ec", script]
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
    }
    return subprocess.run(command, env=environment, capture_output=True, text=True)
