"""The Debian package: built, installed, used and removed in a fresh Debian of each release."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.vm import debian

ROOT = Path(__file__).parents[2]
RELEASES = ("bookworm", "trixie")

_PAGES = {
    "/usr/share/man/man1/tcptop-rtt.1.gz",
    "/usr/share/man/man1/tcptop-rtt-run.1.gz",
    "/usr/share/bash-completion/completions/tcptop-rtt",
    "/usr/share/fish/vendor_completions.d/tcptop-rtt.fish",
    "/usr/share/zsh/vendor-completions/_tcptop-rtt",
}
"""Where Debian's man and shells look."""
_INSTALL = """
apt-get -qq update
apt-get -qq -y --no-install-recommends install /root/*.deb
"""
_USE = """
mkdir -p /run/somewhere
cd /run/somewhere
printf 'raise SystemExit("imported from the working directory")' > numpy.py
tcptop-rtt --version
tcptop-rtt --count 1
ls -A
"""


def _said(root: Path, script: str) -> str:
    done = debian.run(root, script)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def _checkout(place: Path) -> None:
    """What belongs to the project, without what lies about here."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in names.splitlines():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place / name)


@pytest.mark.parametrize("suite", RELEASES)
def test_the_package_works_in_a_fresh_debian_and_leaves_nothing(suite: str, tmp_path: Path) -> None:
    empty = debian.fresh(suite, tmp_path / "empty")
    builder = tmp_path / "builder"
    subprocess.run(["cp", "-a", str(empty), str(builder)], check=True)
    _checkout(builder / "src")
    _said(builder, "cd /src && ./setup deb")
    (package,) = (builder / "src" / "dist").glob("*.deb")
    shutil.copy(package, empty / "root")
    _said(empty, _INSTALL)
    version, time_line, titles, *_, listed = _said(empty, _USE).splitlines()
    assert version.startswith("tcptop-rtt ")
    assert " connection" in time_line
    assert titles.split()[0] == "PROCESS"
    assert listed == "numpy.py"
    assert int(_said(empty, "dpkg -L tcptop-rtt | wc -l")) > 1000
    installed = set(_said(empty, "dpkg -L tcptop-rtt").splitlines())
    assert installed >= _PAGES
    _said(empty, "apt-get -qq -y remove tcptop-rtt")
    assert _said(empty, "find /usr /etc /opt -path '*tcptop*'") == ""
