"""``requirements/``, by which ``./setup`` installs, agrees with ``pyproject.toml`` and what is installed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import NamedTuple

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools.lock import MACHINES, PYTHONS, ROOT, SOURCE_ONLY, groups

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


class Locked(NamedTuple):
    """One version of a package."""

    name: str
    version: str
    marker: Marker | None

    def is_for(self, **environment: str) -> bool:
        """Whether it is installed there."""
        return self.marker is None or self.marker.evaluate(environment)


def _lines(name: str) -> list[str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    joined = text.replace("\\\n", "").splitlines()
    return [line for line in joined if line and not line.lstrip().startswith("#")]


def _locked(name: str) -> list[Locked]:
    found = []
    for line in _lines(name):
        if line.startswith("--"):
            continue
        requirement = Requirement(line.partition(" --hash=")[0])
        (pin,) = requirement.specifier
        assert pin.operator == "==", line
        found.append(Locked(canonicalize_name(requirement.name), pin.version, requirement.marker))
    return found


def _wanted(name: str) -> list[str]:
    """What ``pyproject.toml`` asks for."""
    build = [*PROJECT["build-system"]["requires"], *groups()["build"]]
    if name == "build":
        return build
    extras = PROJECT["project"]["optional-dependencies"].values()
    program = [*PROJECT["project"]["dependencies"], *(one for extra in extras for one in extra)]
    everything = [*program, *build, *(one for group in groups().values() for one in group)]
    return program if name == "program" else everything


LOCKS = ("build", "program", "development")
PLACES = [
    {"python_version": python, "python_full_version": f"{python}.9", "platform_machine": machine}
    for python in PYTHONS
    for machine in MACHINES
]


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_one_version_and_hashes_and_comes_as_a_wheel(name: str) -> None:
    options, packages = ["--only-binary=:all:"], []
    if name == "development":
        options += [f"--no-binary={package}" for package in SOURCE_ONLY]
    lines = _lines(name)
    assert lines[: len(options)] == options  # pip forgets the second where it comes before the first
    for line in lines[len(options) :]:
        package, *hashes = line.split(" --hash=")
        packages.append(package)
        assert hashes, line
        assert all(_HASH.fullmatch(f"--hash={one.strip()}") for one in hashes), line
    assert len(packages) == len(set(packages))


@pytest.mark.parametrize("name", LOCKS)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: "-".join(list(place.values())[::2]))
def test_every_requirement_is_met_by_one_locked_version(name: str, place: dict[str, str]) -> None:
    there: dict[str, str] = {}
    for one in _locked(name):
        if one.is_for(**place):
            assert one.name not in there, one
            there[one.name] = one.version
    for text in _wanted(name):
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate(place):
            version = there.get(canonicalize_name(wanted.name))
            assert version is not None, f"{text}: run ./setup lock"
            assert wanted.specifier.contains(version), f"{text}, locked {version}: run ./setup lock"


@pytest.mark.parametrize("name", ["build", "program"])
def test_what_root_installs_is_what_is_tested(name: str) -> None:
    assert set(_locked(name)) <= set(_locked("development"))


def _needed(wanted: Iterable[str]) -> Iterator[Requirement]:
    """Requirements that hold here, and what these require in turn, as the packages themselves say."""
    left, seen = [(Requirement(text), "") for text in wanted], set()
    while left:
        requirement, extra = left.pop()
        key = (canonicalize_name(requirement.name), extra, *sorted(requirement.extras))
        holds = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if key in seen or not holds:
            continue
        seen.add(key)
        yield requirement
        for text in metadata.requires(requirement.name) or ():
            left += [(Requirement(text), extra) for extra in ("", *requirement.extras)]


@pytest.mark.parametrize("name", LOCKS)
def test_all_that_is_needed_is_locked_and_nothing_else(name: str) -> None:
    here = {str(key): str(value) for key, value in default_environment().items()}
    locked = {one.name: one.version for one in _locked(name) if one.is_for(**here)}
    needed = list(_needed(_wanted(name)))
    assert {canonicalize_name(one.name) for one in needed} == set(locked)
    for one in needed:
        assert one.specifier.contains(locked[canonicalize_name(one.name)]), one


def test_what_is_installed_here_is_what_is_locked() -> None:
    here = {str(key): str(value) for key, value in default_environment().items()}
    for one in _locked("development"):
        if one.is_for(**here):
            assert Version(metadata.version(one.name)) == Version(one.version), one
