"""What ``./setup`` installs as root, takes away and leaves alone: a copy of it in places of its own."""

from __future__ import annotations

import os
import platform
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.program import NOBODY

SETUP = Path(__file__).parents[2] / "setup"
LIMIT_S = 600.0


class Machine:
    """An empty place for the program, one for its link, and a checkout with what uninstalling looks at."""

    def __init__(self, place: Path) -> None:
        self.opt, self.bin, self.checkout, self.share, self.cache = (
            place / name for name in ("opt", "bin", "checkout", "share", "cache")
        )
        folders = ("tcptop_rtt", "tests", "bench", "tools")
        for directory in (self.bin, *(self.checkout / name for name in folders)):
            directory.mkdir(parents=True)
        self.link = self.bin / "tcptop-rtt"
        text = SETUP.read_text()
        for there, here in (
            ("\nopt=/opt/tcptop-rtt\n", f"\nopt={self.opt}\n"),
            ("/usr/local/bin/tcptop-rtt /usr/bin/tcptop-rtt", f"{self.link} {place}/sbin/tcptop-rtt"),
            ("\nshare=/usr/local/share ", f"\nshare={self.share} "),
            ("\ncache=/var/cache/tcptop-rtt ", f"\ncache={self.cache} "),
        ):
            assert text.count(there) == 1
            text = text.replace(there, here)
        (self.checkout / "setup").write_text(text)

    def check_out(self) -> None:
        """The project, as far as it is installed."""
        for name in (
            "pyproject.toml",
            "README.md",
            "LICENSE",
            "LICENSE-GPL",
            "requirements",
            "tcptop_rtt",
            "share",
        ):
            source = SETUP.parent / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, self.checkout / name, ignore=ignored, dirs_exist_ok=True)
            else:
                shutil.copy(source, self.checkout)

    def setup(self, command: str, *before: str, umask: int = -1, **environment: str) -> tuple[int, list[str]]:
        """The exit code, and the lines that it says.

        :param before: a command that starts it
        :param environment: more variables
        """
        ended = subprocess.run(
            [*before, "sh", self.checkout / "setup", command],
            env=os.environ | environment,
            umask=umask,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        return ended.returncode, ended.stderr.splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_uninstall_removes_what_is_its_own_and_names_the_packages(machine: Machine) -> None:
    (machine.opt / "venv").mkdir(parents=True)
    (machine.opt / "packages").write_text("tmux\nno-such-package\nstrace\ntmux\n")
    machine.link.symlink_to(machine.opt / "venv/bin/tcptop-rtt")
    (machine.bin / "other").touch()
    machine.cache.mkdir()
    page, other = machine.share / "man/man1/tcptop-rtt.1", machine.share / "man/man1/tcptop-rtt-run.1"
    page.parent.mkdir(parents=True)
    page.symlink_to(machine.opt / "venv/share/man/man1/tcptop-rtt.1")
    other.symlink_to("/nowhere/tcptop-rtt-run.1")
    for name in (".venv", ".mypy_cache", "tests/__pycache__", "tools/__pycache__", "dist"):
        (machine.checkout / name).mkdir()
    package = Path("dist/tcptop-rtt_1.0_amd64.deb")
    (machine.checkout / package).touch()
    code, (removed, named) = machine.setup("uninstall")
    assert code == 0
    places = f"{machine.link} {page} {machine.opt} {machine.cache} .venv .mypy_cache {package}"
    assert removed == f"setup: removed: {places}"
    assert not machine.cache.exists()
    assert list(page.parent.iterdir()) == [other]
    remove = "(apt-get purge --autoremove|dnf remove)"
    assert re.fullmatch(f"setup: packages .* stay; to remove them: sudo {remove} strace tmux", named)
    assert shutil.which("tmux")
    assert shutil.which("strace")
    assert not machine.opt.exists()
    assert [place.name for place in machine.bin.iterdir()] == ["other"]
    left = {place.name for place in machine.checkout.rglob("*")}
    assert left == {"setup", "tcptop_rtt", "tests", "bench", "tools"}


def test_uninstall_of_nothing_says_so(machine: Machine) -> None:
    assert machine.setup("uninstall") == (0, ["setup: nothing was installed"])


def test_a_command_of_that_name_from_elsewhere_is_left_alone(machine: Machine) -> None:
    machine.link.symlink_to("/nowhere/tcptop-rtt")
    refused = f"setup: {machine.link} is not from here: move it away first"
    assert machine.setup("install") == (1, [refused])
    assert machine.setup("uninstall") == (0, ["setup: nothing was installed"])
    assert machine.link.is_symlink()
    assert not machine.opt.exists()


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_a_symbolic_link_in_its_place_is_not_followed(machine: Machine, command: str) -> None:
    machine.opt.symlink_to(machine.bin)
    (machine.bin / "other").touch()
    assert machine.setup(command) == (1, [f"setup: {machine.opt} is a symbolic link: not touched"])
    assert [place.name for place in machine.bin.iterdir()] == ["other"]
    assert machine.opt.is_symlink()


# What others can change is not trusted


def _owned(place: Path) -> None:
    os.chown(place, NOBODY, NOBODY)


@pytest.mark.parametrize("command", ["install", "uninstall"])
@pytest.mark.parametrize("part", ["", "venv/bin/python3", "packages"])
@pytest.mark.parametrize(
    "give", [_owned, lambda it: it.chmod(0o775), lambda it: it.chmod(0o757)], ids=["owner", "group", "all"]
)
def test_a_place_that_others_can_change_is_not_touched(
    machine: Machine, give: Callable[[Path], None], part: str, command: str
) -> None:
    (machine.opt / "venv/bin").mkdir(parents=True)
    for name in ("venv/bin/python3", "packages"):
        (machine.opt / name).write_text("tmux\n")
    give(machine.opt / part)
    refused = (
        f"setup: others than root can change {machine.opt}, or something in it: not touched; "
        f"to begin anew, run 'sudo rm -rf {machine.opt}'"
    )
    assert machine.setup(command) == (1, [refused])
    assert (machine.opt / "packages").read_text() == "tmux\n"
    assert not machine.link.is_symlink()


@pytest.mark.parametrize("command", ["install", "packages"])
def test_a_place_below_one_that_others_can_change_is_not_made(machine: Machine, command: str) -> None:
    parent = machine.opt.parent
    parent.chmod(0o777)
    remedy = f"run 'sudo chown root {parent} && sudo chmod go-w {parent}'"
    assert machine.setup(command) == (1, [f"setup: others than root can change {parent}: {remedy}"])
    assert not machine.opt.exists()


def test_the_environment_decides_nothing_of_an_installation(machine: Machine, tmp_path: Path) -> None:
    machine.check_out()
    theirs, ran = tmp_path / "theirs", tmp_path / "ran"
    python = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    for site in (theirs, theirs / python, theirs / ".local" / python):
        site.mkdir(parents=True, exist_ok=True)
        mark = f"open({str(ran)!r}, 'a').write(__name__)\n"
        for module in ("sitecustomize", "usercustomize", "hatchling", "pip", "json", "venv"):
            (site / f"{module}.py").write_text(mark)
        (site / "any.pth").write_text(f"import sys; {mark}")
    interpreter = theirs / "python"
    interpreter.write_text(f"#!/bin/sh\necho ran >{ran}\n")
    interpreter.chmod(0o755)
    settings = {"log": ran, "cache-dir": theirs / "cache", "find-links": theirs, "no-binary": ":all:"}
    lines = [f"{name} = {value}\n" for name, value in settings.items()]
    for place in ("pip.conf", ".config/pip/pip.conf", ".pip/pip.conf"):
        (theirs / place).parent.mkdir(parents=True, exist_ok=True)
        (theirs / place).write_text(f"[global]\n{''.join(lines)}[install]\ntarget = {theirs}/target\n")
    before = set(theirs.rglob("*"))
    code, said = machine.setup(
        "install",
        umask=0,
        **{name: str(theirs) for name in ("HOME", "XDG_CONFIG_HOME", "PYTHONPATH", "PYTHONUSERBASE")},
        **{f"PIP_{name}": str(theirs / name.lower()) for name in ("TARGET", "PREFIX", "ROOT", "LOG", "SRC")},
        PIP_CONFIG_FILE=str(theirs / "pip.conf"),
        PIP_PYTHON=str(interpreter),
        PIP_NO_BINARY=":all:",
        PYTHONHOME=str(theirs),
        TMPDIR=str(theirs),
    )
    assert (code, said) == (0, [f"setup: making {machine.opt / 'venv'}"])
    assert not ran.exists()
    assert set(theirs.rglob("*")) == before
    made = [machine.opt, *machine.opt.rglob("*")]
    assert len(made) > 1000
    for one in made:
        status = one.lstat()
        assert status.st_uid == 0, one
        assert stat.S_ISLNK(status.st_mode) or not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH), one
    ended = subprocess.run([machine.link, "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("tcptop-rtt ")
    # What it is built with is not there to stay.
    assert not list(machine.opt.rglob("hatchling"))
    assert machine.setup("install") == (0, [])  # and a second time it has nothing to do


# What is installed is what is locked


def test_a_file_of_another_hash_is_not_installed(machine: Machine) -> None:
    machine.check_out()
    for lock in (machine.checkout / "requirements").iterdir():
        text = lock.read_text()
        start = text.index("\nhatchling==") if "\nhatchling==" in text else 0
        lock.write_text(text[:start] + re.sub(r"sha256:[0-9a-f]{8}", f"sha256:{'0' * 8}", text[start:]))
    code, lines = machine.setup("install")
    assert code == 1
    assert "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE" in "\n".join(lines)
    assert (
        lines[-1]
        == "setup: could not install what requirements/build.txt names: pip says above what is wrong"
    )
    assert not machine.link.is_symlink()


def test_a_machine_without_wheels_is_named_before_anything_is_made(machine: Machine) -> None:
    machine.check_out()
    other, its = {"x86_64": ("i686", "i686"), "aarch64": ("armv7l", "armv[78]l")}[platform.machine()]
    code, (line,) = machine.setup("install", "setarch", other)
    assert code == 1
    assert re.match(f"setup: not all that requirements/ names has wheels for {its}: install bcc's", line)
    assert not machine.opt.exists()
