"""What ``./setup`` takes away, and what it leaves alone: a copy of it that works on places of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "setup"
LIMIT_S = 120.0


class Machine:
    """An empty place for the program, one for its link, and a checkout with what uninstalling looks at."""

    def __init__(self, place: Path) -> None:
        self.opt, self.bin, self.checkout, self.share = (
            place / name for name in ("opt", "bin", "checkout", "share")
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
        ):
            assert text.count(there) == 1
            text = text.replace(there, here)
        (self.checkout / "setup").write_text(text)

    def setup(self, command: str) -> tuple[int, list[str]]:
        """The exit code, and the lines that it says."""
        ended = subprocess.run(
            ["sh", self.checkout / "setup", command],
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
    assert removed == f"setup: removed: {machine.link} {page} {machine.opt} .venv .mypy_cache {package}"
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
