"""The file of settings as the program reads it as root, in a mount namespace with another home of root's."""

from __future__ import annotations

import os
import pwd
import subprocess

import pytest

from tests.live.held import Open
from tests.live.program import PROGRAM, START_S

_HOME = pwd.getpwuid(0).pw_dir
_WITH_FILE = """
set -e
mount -t tmpfs none "$1"
mkdir -p "$1/.config/tcptop-rtt"
printf %s "$2" > "$1/.config/tcptop-rtt/config.toml"
shift 2
exec "$@"
"""


def wrapped(text: str, *options: str) -> tuple[str, ...]:
    """The program, with a file of settings."""
    own = ("unshare", "--mount", "--propagation", "unchanged", "sh", "-c", _WITH_FILE, "sh", _HOME)
    return (*own, text, PROGRAM, *options)


def run(text: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        wrapped(text, *options),
        env=os.environ | {"SUDO_UID": "0"} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )


def test_columns_of_the_file_are_those_of_plain_tables() -> None:
    found = run('columns = ["why", "remote", "spark", "rtt"]', "--count", "1")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines()[1].split() == ["WHY", "REMOTE", "RTT"]


@pytest.mark.parametrize("options", [("--count", "1"), ("--json", "--count", "1")])
def test_what_is_wrong_is_one_line_and_exit_code_2(options: tuple[str, ...]) -> None:
    found = run("theme = 'pink'", *options)
    assert found.returncode == 2
    assert found.stdout == ""
    assert found.stderr.count("\n") == 1
    assert found.stderr.startswith(
        f"tcptop-rtt: {_HOME}/.config/tcptop-rtt/config.toml: theme: 'pink' is none of"
    )
    assert run("theme = 'pink'", "--no-config", *options).returncode == 0


def test_wrong_keys_are_told_with_the_file(terminal: Open) -> None:
    it = terminal("env", "SUDO_UID=0", *wrapped("[keys]\nquit = 'F99'"))
    assert it.ended() == 2
    it.wait_for(f"tcptop-rtt: {_HOME}/.config/tcptop-rtt/config.toml: keys.quit: 'F99' is no key".encode())


def test_it_is_not_looked_for_where_the_environment_says() -> None:
    found = run("", "--count", "1", HOME="/nowhere", XDG_CONFIG_HOME="/nowhere")
    assert found.returncode == 0
    assert run("theme = 'pink'", "--count", "1", HOME="/nowhere", XDG_CONFIG_HOME="/nowhere").returncode == 2
