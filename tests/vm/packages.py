"""What the lab takes from package archives: stock kernels, their headers, other programs.

Nothing is installed. Each set of packages is unpacked once, under the cache, beside a list of SHA-256 sums
that every later use is checked against.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.vm.archive import HOST, SUITES, Archive, LabError, alone, cache_directory, debian

NEWEST = "newest"

_SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Kernel:
    """A stock kernel, unpacked."""

    architecture: str
    """As Debian names it."""
    release: str
    """As ``uname -r`` says."""
    tree: Path
    """The files of its package."""

    @property
    def image(self) -> Path:
        """What a boot loader would load."""
        in_boot = self.tree / "boot" / f"vmlinuz-{self.release}"
        return in_boot if in_boot.exists() else self.modules / "vmlinuz"

    @property
    def modules(self) -> Path:
        """The directory of its modules."""
        return self.tree / "usr/lib/modules" / self.release


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _line(release: str) -> str:
    """Of which line a release is: ``6.1`` for ``6.1.0-49-amd64``."""
    return ".".join(release.split(".")[:2])


@cache
def releases(architecture: str) -> dict[str, str]:
    """The kernel that each suite installs: ``{"bookworm": "6.1.0-49-amd64"}``.

    The archive is asked anew: an old list may lack a whole line, which would then go untested unseen.
    """
    archive = debian(architecture)
    archive.update()
    found = {}
    for offer in archive.ask("apt-cache", "madison", f"linux-image-{architecture}").splitlines():
        name, version, source = (word.strip() for word in offer.split("|"))
        suite = source.split()[1].partition("/")[0]
        fields = archive.ask("apt-cache", "show", f"{name}={version}")
        needed = re.search(r"^Depends: .*\blinux-image-(\d\S+)", fields, re.MULTILINE)
        if needed:
            found[suite] = needed[1]
    if missing := set(SUITES[architecture]) - set(found):
        raise LabError(f"the package archive has no kernel of {', '.join(sorted(missing))}")
    return found


def release(name: str, architecture: str) -> str:
    """The kernel of a suite, or the newest of a line such as 6.12, or of all (``newest``)."""
    every = releases(architecture)
    fitting = [release for suite, release in every.items() if name in (suite, _line(release), NEWEST)]
    if not fitting:
        known = sorted({*every, *map(_line, every.values()), NEWEST})
        raise LabError(f"no {architecture} kernel {name} in the package archive, only {', '.join(known)}")
    return max(fitting, key=_numbers)


def kernel(name: str, architecture: str = "amd64") -> Kernel:
    """The one that :func:`release` says, fetched where missing."""
    archive = debian(architecture)
    found = release(name, architecture)
    image = f"linux-image-{found}"
    # Linux 7 comes in parts.
    parts = {f"linux-{part}-{found}" for part in ("binary", "modules")} & set(archive.depends(image))
    return Kernel(architecture, found, unpacked(archive, image, *sorted(parts)))


def headers(kernel: Kernel) -> Path:
    """The headers that a distribution would compile against."""
    name = f"linux-headers-{kernel.release}"
    archive = debian(kernel.architecture)
    parts = [part for part in archive.depends(name) if re.match(r"linux-(headers|kbuild)-", part)]
    return unpacked(archive, name, *parts)


def tools(package: str) -> Path:
    """Programs that fit this machine."""
    return unpacked(HOST, package)


def system(architecture: str, packages: Sequence[str]) -> Path:
    """A Debian with these packages and what they need, and with nothing else."""
    archive = debian(architecture)
    name = "+".join([*packages, architecture])
    return unpacked(archive, *archive.with_dependencies(packages), name=name)


def unpacked(archive: Archive, *packages: str, name: str = "") -> Path:
    """The files of some packages as one tree, fetched where missing, checked where cached.

    :param name: of the tree in the cache, else that of the first package
    """
    place = cache_directory() / (name or packages[0])
    with alone("packages"):
        if place.exists() and not _intact(place):
            print(f"lab: {place} is damaged: fetching it again", file=sys.stderr)
            shutil.rmtree(place)
        if not place.exists():
            _unpack(archive, packages, place)
    return place / "tree"


def _intact(place: Path) -> bool:
    check = ["sha256sum", "--quiet", "--check", _SUMS]
    return not subprocess.run(check, cwd=place, check=False).returncode


def _unpack(archive: Archive, packages: Sequence[str], place: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache_directory()) as work:
        new = Path(work, "new")
        new.mkdir()
        archive.download(packages, Path(work))
        for package in Path(work).glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", package, new / "tree"], check=True)
        _merge_usr(new / "tree")
        for modules in (new / "tree/usr/lib/modules").glob("*/kernel"):
            # The package leaves this to its installation.
            subprocess.run(["busybox", "depmod", "-b", new / "tree/usr", modules.parent.name], check=True)
        listing = "find tree -type f -print0 | xargs -0r sha256sum >" + _SUMS
        subprocess.run(listing, shell=True, cwd=new, check=True)  # noqa: S602  # a fixed command
        new.rename(place)


def _merge_usr(tree: Path) -> None:
    """As on a machine where /lib and the like are links into /usr: this is laid over such a one."""
    for name in ("bin", "lib", "sbin"):
        if (tree / name).is_dir() and not (tree / name).is_symlink():
            shutil.copytree(tree / name, tree / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(tree / name)
