"""The files of a guest that cannot run this machine's: a small Debian of its own, and this checkout.

The checkout comes with its .venv, as far as that is plain Python; what is compiled there is Debian's here.
"""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path

from tests.vm import packages

CHECKOUT = Path(__file__).parents[2]

_COMPILED = ("msgspec", "numpy", "psutil")
_PACKAGES = (
    *("base-files", "dash", "coreutils", "util-linux", "busybox-static", "iproute2", "python3-bpfcc"),
    *(f"python3-{module}" for module in _COMPILED),
)
# Pytest would load the compiled part of the last two.
_UNUSED = ("pip", "hypothesis", "_hypothesis")
_LEFT_OUT = (".*_cache", ".git", "__pycache__", *(f"{module}*" for module in (*_COMPILED, *_UNUSED)))


def layers(architecture: str, work: Path) -> list[Path]:
    """The trees, to be laid over each other."""
    system = packages.system(architecture, _PACKAGES)
    python = next(path.name for path in (system / "usr/lib").glob("python3.*"))
    top = work / "checkout"
    _copy_checkout(top, python)
    _choose(top / "usr/lib", system / "usr/lib")
    return [top, system]


def _copy_checkout(top: Path, python: str) -> None:
    """Into the same place."""
    there = top / CHECKOUT.relative_to("/")
    shutil.copytree(CHECKOUT, there, symlinks=True, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    library = there / Path(sysconfig.get_path("purelib")).relative_to(CHECKOUT).parent
    library.rename(library.with_name(python))


def _choose(top: Path, system: Path) -> None:
    """What numpy calculates with is one of several, which Debian chooses as it installs them."""
    for choice in system.glob("*-linux-gnu/*/lib*.so.3"):
        link = top / choice.relative_to(system).parents[1] / choice.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"{choice.parent.name}/{choice.name}")
