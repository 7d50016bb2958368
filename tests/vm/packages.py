"""What the lab takes from the machine's package archive: stock kernels, their headers, other tools.

Nothing is installed. apt checks what it downloads; each set of packages is unpacked once, under the cache,
beside a list of SHA-256 sums that every later use is checked against.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_IMAGE = re.compile(r"linux-image-((\d+\.\d+)[.\d+a-z-]*-amd64)")
_OTHER_FLAVOUR = re.compile(r"-(cloud|rt)-|deb-|-signed-")
_APT = ("-qq", "-o", "APT::Sandbox::User=root")
_SUMS = "SHA256SUMS"


class LabError(Exception):
    """The lab itself cannot work here, and why."""


@dataclass(frozen=True)
class Kernel:
    """A stock kernel, unpacked."""

    release: str
    """As ``uname -r`` says."""
    tree: Path
    """The files of its package."""

    @property
    def image(self) -> Path:
        """What a boot loader would load."""
        return self.tree / "boot" / f"vmlinuz-{self.release}"

    @property
    def modules(self) -> Path:
        """The directory of its modules."""
        return self.tree / "usr/lib/modules" / self.release


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "tcptop-rtt-lab")


def _ask(*command: str, cwd: Path | None = None) -> str:
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=cwd).stdout
    except FileNotFoundError as error:
        raise LabError(f"{command[0]} is missing: the lab takes its kernels from a Debian archive") from error


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def releases() -> dict[str, str]:
    """The newest release of each kernel line in the archive, oldest first: ``{"6.1": "6.1.0-49-amd64"}``."""
    newest: dict[str, str] = {}
    for name in _ask("apt-cache", "pkgnames", "linux-image-").split():
        found = _IMAGE.fullmatch(name)
        if found and not _OTHER_FLAVOUR.search(name):
            release, line = found.groups()
            newest[line] = max(newest.get(line, release), release, key=_numbers)
    if not newest:
        raise LabError("the package archive has no stock Debian kernel (linux-image-*-amd64)")
    return {line: newest[line] for line in sorted(newest, key=_numbers)}


@cache
def lines() -> list[str]:
    """The kernel lines that the lab tests: the oldest that the archive has, and the newest.

    The archive is asked anew: an old list may lack a whole line, which would then go untested unseen.
    """
    _ask("apt-get", *_APT, "update")
    every = list(releases())
    return sorted({every[0], every[-1]}, key=_numbers)


def kernel(line: str) -> Kernel:
    """The newest kernel of a line, fetched where missing."""
    try:
        release = releases()[line]
    except KeyError:
        raise LabError(f"the package archive has no kernel {line}, only {', '.join(releases())}") from None
    tree = unpacked(f"linux-image-{release}")
    found = Kernel(release, tree)
    if not (found.modules / "modules.dep").exists():
        # The package leaves this to its installation.
        subprocess.run(["busybox", "depmod", "-b", tree / "usr", release], check=True)
    return found


def headers(kernel: Kernel) -> Path:
    """The headers that a distribution would compile against."""
    name = f"linux-headers-{kernel.release}"
    needs = re.findall(r"Depends: (linux-(?:headers|kbuild)-\S+)", _ask("apt-cache", "depends", name))
    return unpacked(name, *needs)


def unpacked(*packages: str) -> Path:
    """The files of some packages as one tree, fetched where missing, checked where cached."""
    place = _cache() / packages[0]
    if place.exists():
        check = ["sha256sum", "--quiet", "--check", _SUMS]
        if not subprocess.run(check, cwd=place, check=False).returncode:
            return place / "tree"
        print(f"lab: {place} is damaged: fetching it again", file=sys.stderr)
        shutil.rmtree(place)
    _cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_cache()) as work:
        new = Path(work, "new")
        new.mkdir()
        _download(packages, Path(work))
        for package in Path(work).glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", package, new / "tree"], check=True)
        _merge_usr(new / "tree")
        listing = "find tree -type f -print0 | xargs -0r sha256sum >" + _SUMS
        subprocess.run(listing, shell=True, cwd=new, check=True)  # noqa: S602  # a fixed command
        new.rename(place)
    return place / "tree"


def _download(packages: Sequence[str], directory: Path) -> None:
    print("lab: fetching", *packages, file=sys.stderr)
    download = ("apt-get", *_APT, "download", *packages)
    if subprocess.run(download, cwd=directory, check=False).returncode:
        # The lists may be older than what the archive has by now.
        subprocess.run(["apt-get", *_APT, "update"], check=False)
        _ask(*download, cwd=directory)


def _merge_usr(tree: Path) -> None:
    """As on a machine where /lib and the like are links into /usr: this is laid over such a one."""
    for name in ("bin", "lib", "sbin"):
        if (tree / name).is_dir():
            shutil.copytree(tree / name, tree / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(tree / name)
