"""Package archives as apt sees them: this machine's own, and the suites of Debian whose kernels are tested.

The second is a view of its own for each architecture, with its lists under the lab's cache: what is installed
here, and of which release, does not matter. Its mirror is this machine's, and Debian's keys verify it.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

SUITES = {
    "amd64": ("bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports", "testing"),
    "arm64": ("trixie",),
}
"""Of each architecture, as Debian names it."""

_FRESH_S = 900.0
_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_QUIET = ("-qq", "-o", "APT::Sandbox::User=root", "-o", "APT::Update::Error-Mode=any")


class LabError(Exception):
    """The lab itself cannot work here, and why."""


def cache_directory() -> Path:
    """Where all that the lab downloads stays."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "tcptop-rtt-lab")


@contextmanager
def alone(purpose: str) -> Iterator[None]:
    """Where several labs run at once, only one of them at a time does this."""
    cache_directory().mkdir(parents=True, exist_ok=True)
    with (cache_directory() / f"{purpose}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Archive:
    """What can be downloaded from it."""

    def __init__(self, name: str, options: Sequence[str] = ()) -> None:
        self._name = name
        self._options = tuple(part for option in options for part in ("-o", option))

    def ask(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        """What apt-get or apt-cache prints."""
        command = [program, *_QUIET, *self._options, *arguments]
        try:
            return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=cwd).stdout
        except FileNotFoundError as error:
            raise LabError(
                f"{program} is missing: the lab takes its kernels from a Debian archive"
            ) from error
        except subprocess.CalledProcessError as error:
            raise LabError(f"{program} {' '.join(arguments)} failed: its message is above") from error

    def update(self) -> None:
        """Fetch the lists anew, unless that was just done."""
        done = cache_directory() / f"{self._name}.updated"
        with alone(f"{self._name}.lists"):
            if not done.exists() or time.time() - done.stat().st_mtime > _FRESH_S:
                self.ask("apt-get", "update")
                done.touch()

    def download(self, packages: Sequence[str], directory: Path) -> None:
        """Put the files of some packages into a directory; apt checks them against the signed lists."""
        print("lab: fetching", *packages, file=sys.stderr)
        # Older lists may name what the archive no longer has.
        self.update()
        self.ask("apt-get", "download", *packages, cwd=directory)

    def with_dependencies(self, packages: Sequence[str]) -> list[str]:
        """These, and what they need, as on a machine that has nothing yet."""
        plan = self.ask("apt-get", "--simulate", "--no-install-recommends", "install", *packages)
        return re.findall(r"^Inst (\S+)", plan, re.MULTILINE)

    def depends(self, package: str) -> list[str]:
        """The packages that it needs, where it names just one for the purpose."""
        return re.findall(r"^  Depends: ([^\s<]+)", self.ask("apt-cache", "depends", package), re.MULTILINE)


HOST = Archive("host")


@cache
def debian(architecture: str) -> Archive:
    """The suites of an architecture, on this machine's mirror."""
    if not _KEYS.exists():
        raise LabError(f"{_KEYS} is missing: install debian-archive-keyring")
    view = cache_directory() / f"apt-{architecture}"
    for directory in ("lists/partial", "archives/partial"):
        (view / directory).mkdir(parents=True, exist_ok=True)
    (view / "status").touch()  # as if nothing were installed
    new = view / f"{os.getpid()}.sources"
    new.write_text(
        f"Types: deb\nURIs: {mirror()}\nSuites: {' '.join(SUITES[architecture])}\nComponents: main\n"
        f"Architectures: {architecture}\nSigned-By: {_KEYS}\nTargets: Packages\n"
    )
    new.rename(view / "debian.sources")
    return Archive(
        f"debian-{architecture}",
        (
            f"Dir::State={view}",
            f"Dir::State::status={view}/status",
            f"Dir::Cache={view}",
            f"Dir::Etc::sourcelist={view}/debian.sources",
            *(f"Dir::Etc::{none}=/dev/null" for none in ("sourceparts", "preferences", "preferencesparts")),
            f"APT::Architecture={architecture}",
            f"APT::Architectures={architecture}",
        ),
    )


def mirror() -> str:
    """Where this machine takes Debian itself from."""
    for lists in ("as they are", "updated"):
        if lists == "updated":
            HOST.update()
        for target in HOST.ask(
            "apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)"
        ).splitlines():
            origin, label, address = target.split("|")
            if origin == label == "Debian":
                return address
    raise LabError(
        "this machine's package sources have no Debian archive, from which the lab takes its kernels"
    )
