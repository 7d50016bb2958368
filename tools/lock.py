"""Makes ``requirements/`` anew from ``pyproject.toml``: versions of all that is installed, and their hashes.

Arguments go to ``uv pip compile``. Without any, versions that still fit stay; ``--upgrade`` takes the newest.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64", "aarch64")
_LIBC = "manylinux_2_36"
"""The oldest that is installed on, which is Debian 12's."""

SOURCE_ONLY = ("argparse-manpage",)
"""Packages without a wheel. Only development may have such, as building one runs its code."""

_HEAD = """\
# Made by `./setup lock` from pyproject.toml: {what}.
# What is built from source runs foreign code while it is installed: only wheels are{but}.
"""


def groups() -> dict[str, list[str]]:
    """The dependency groups of ``pyproject.toml``."""
    found: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    return found


def main(arguments: list[str]) -> None:
    """Make the files, then look whether each Python and machine has all the wheels.

    :raises subprocess.CalledProcessError: there is no solution, or a wheel is missing; uv has said which
    """
    every_group = [part for group in groups() for part in ("--group", group)]
    same = ["--constraints", "requirements/development.txt"]
    _compile("development", "what develops it", "pyproject.toml", "--all-extras", *every_group, *arguments)
    _compile("build", "what builds it", "--group", "build", *same)
    _compile("program", "what it needs itself", "pyproject.toml", "--all-extras", *same)
    for name in ("development", "build", "program"):
        for python in PYTHONS:
            for machine in MACHINES:
                _check(name, python, machine)


def _wheels(name: str) -> list[str]:
    sources = SOURCE_ONLY if name == "development" else ()
    return ["--only-binary=:all:", *(f"--no-binary={package}" for package in sources)]


def _compile(name: str, what: str, *inputs: str) -> None:
    path = ROOT / "requirements" / f"{name}.txt"
    form = ["--universal", "--python-version", PYTHONS[0], "--generate-hashes", "--no-header"]
    _uv("compile", *inputs, *form, *_wheels(name), "--output-file", str(path))
    but = f", but for {' and '.join(SOURCE_ONLY)}" if name == "development" else ""
    head = _HEAD.format(what=what, but=but) + "\n".join(_wheels(name))
    path.write_text(f"{head}\n\n{path.read_text()}")


def _check(name: str, python: str, machine: str) -> None:
    sys.stderr.write(f"lock: {name}: Python {python}, {machine}\n")
    with tempfile.TemporaryDirectory() as target:
        where = ["--target", target, "--python-version", python, "--python-platform", f"{machine}-{_LIBC}"]
        only = ["--require-hashes", "--no-deps", "--dry-run", *_wheels(name)]
        _uv("install", *where, *only, "--requirements", f"requirements/{name}.txt")


def _uv(command: str, *arguments: str) -> None:
    uv = Path(sys.prefix, "bin", "uv")
    subprocess.run([uv, "pip", command, "--quiet", *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except subprocess.CalledProcessError:
        sys.exit("lock: uv has said above what is wrong, of the file that was named last")
