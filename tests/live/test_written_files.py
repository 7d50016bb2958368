"""Files that root writes: new ones, for one user alone, wherever others may have put something before."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.live.program import NOBODY, PROGRAM, START_S, complaint, run

_SUDO = {"SUDO_UID": str(NOBODY)}
_ALONE = (
    *("unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /var/lib; cd /var/lib; eval "$0"; exec "$@"'),
)
"""With a directory for the state of programs that is empty but for what a script puts there."""


def _kept(script: str) -> subprocess.CompletedProcess[str]:
    """What ``--keep`` does there, and then owner, mode and name of all there is."""
    listed = 'umask 0; "$@"; find /var/lib -mindepth 1 -printf "%U %m %P %l\\n"'
    return run(
        "--keep", "1h", "--count", "2", "--lport", "1", before=(*_ALONE, script, "sh", "-c", listed, "sh")
    )


def test_a_recording_is_of_who_has_called_sudo_and_for_nobody_else(nobodys: Path) -> None:
    file = nobodys / "it"
    command = ("--count", "1", "--lport", "1", "--record", str(file))
    ended = run(*command, env=os.environ | _SUDO, umask=0)
    assert (ended.returncode, ended.stderr) == (0, "")
    status = file.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (NOBODY, NOBODY, 0o600)


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "pipe"])
def test_a_recording_goes_into_nothing_that_is_there(kind: str, nobodys: Path) -> None:
    file, other = nobodys / "it", nobodys / "other"
    if kind == "file":
        file.write_text("precious")
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(other)
    if kind == "link":
        other.write_text("precious")
    ended = run("--count", "1", "--record", str(file), env=os.environ | _SUDO)
    assert complaint(ended) == (f"tcptop-rtt: {file} is there already: name another file, or remove it first")
    assert not other.exists() or other.read_text() == "precious"
    assert not file.is_file() or file.read_text() == "precious"
    assert file.lstat().st_uid == os.geteuid()


def test_what_is_kept_is_roots_alone() -> None:
    ended = _kept("true")
    assert ended.returncode == 0, ended.stderr
    # What other connections of the machine do may be saved beside it.
    pattern = r"^\d+ \d+ tcptop-rtt(?: |/lock |/kept_.*)$"
    directory, lock, kept = sorted(re.findall(pattern, ended.stdout, re.MULTILINE), key=len)
    assert directory == "0 700 tcptop-rtt "
    assert lock == "0 600 tcptop-rtt/lock "
    assert re.fullmatch(r"0 600 tcptop-rtt/kept_\d{20}\.jsonl\.zst ", kept)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"mkdir tcptop-rtt; chown {NOBODY} tcptop-rtt", "others can write to it"),
        ("mkdir tcptop-rtt; chmod 770 tcptop-rtt", "others can write to it"),
        ("mkdir its; ln -s its tcptop-rtt", "it is not a directory"),
        ("mkdir -m 700 tcptop-rtt; ln -s ../its tcptop-rtt/lock", "Too many levels of symbolic links"),
    ],
    ids=["owner", "mode", "link", "lock"],
)
def test_nothing_is_kept_where_somebody_else_could_write(script: str, why: str) -> None:
    ended = _kept(script)
    assert ended.stderr == f"tcptop-rtt: cannot keep anything in /var/lib/tcptop-rtt: {why}\n"
    assert "kept_" not in ended.stdout
    assert not re.search(r" its/|\d its $", ended.stdout.replace("0 755 its ", ""))


def test_what_comes_by_a_pipe_is_kept_in_a_file_without_a_name(tmp_path: Path) -> None:
    file, trace, theirs = tmp_path / "it", tmp_path / "trace", tmp_path / "theirs"
    theirs.mkdir()
    lines = run("--json", "--count", "2", "--lport", "1", "--record", str(file)).stdout.encode()
    for given in (file.read_bytes(), lines):
        ended = subprocess.run(
            ["strace", "-f", "-o", str(trace), "-e", "trace=%file", PROGRAM, "--replay", "-", "--json"],
            input=given,
            capture_output=True,
            env=os.environ | {name: str(theirs) for name in ("TMPDIR", "TMP", "TEMP")},
            cwd=theirs,
            timeout=START_S,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, b"")
        asked = trace.read_text(errors="replace")
        assert re.search(r"openat\(.*O_RDWR.*O_TMPFILE.*, 0600\) += \d+", asked)
        for place, how in re.findall(r'openat\(AT_FDCWD, "([^"]*)", (.*O_CREAT.*)\) += \d+', asked):
            # Python tries the directory by a file that it removes at once.
            assert re.fullmatch(r".*O_EXCL\|O_NOFOLLOW.*, 0600", how)
            assert re.search(rf'unlink\("{place}"\) += 0', asked)
        assert f'"{theirs}/' not in asked
