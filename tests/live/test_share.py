"""Man pages and shell completions: made from the parser, and tried in the real man and the real shells."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

import pytest

from tcptop_rtt.options.parser import make_parser
from tcptop_rtt.options.run_parser import make_run_parser
from tests.live.program import START_S
from tools.share import SHARE, files

ROOT = SHARE.parent
PARSERS = {"tcptop-rtt": make_parser(), "tcptop-rtt-run": make_run_parser()}
COMPLETIONS = {
    "bash": SHARE / "bash-completion/completions/tcptop-rtt",
    "zsh": SHARE / "zsh/site-functions/_tcptop-rtt",
    "fish": SHARE / "fish/vendor_completions.d/tcptop-rtt.fish",
}


def _options(name: str) -> list[str]:
    return [option for action in PARSERS[name]._actions for option in action.option_strings]


def test_all_files_are_as_the_parser_makes_them_and_all_are_installed() -> None:
    made = files()
    assert {place: (SHARE / place).read_text() for place in made} == made
    delivered = {str(path.relative_to(SHARE)) for path in SHARE.rglob("*") if path.is_file()}
    assert delivered == made.keys()
    setup = (ROOT / "setup").read_text()
    assert set(setup.partition('\npages="')[2].partition('"')[0].split()) == made.keys()


@pytest.mark.parametrize("name", PARSERS)
def test_man_shows_every_option_and_has_nothing_to_complain_of(name: str) -> None:
    shown = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", SHARE / f"man/man1/{name}.1"],
        env=os.environ | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stderr == ""
    for option in set(_options(name)) - {"-h", "--help"}:
        assert (
            f"{option} " in shown.stdout or f"{option}," in shown.stdout or f"{option}\n" in shown.stdout
        ), option
    for heading in ("SYNOPSIS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
        assert f"\n{heading}\n" in shown.stdout
    assert "tcptop-rtt run -- curl -s " in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 100


@pytest.mark.parametrize("name", PARSERS)
def test_the_documentation_tells_of_every_option(name: str) -> None:
    described = "".join((ROOT / "docs" / name).read_text() for name in ("options.md", "scripts.md"))
    wanted = {option for option in _options(name) if option.startswith("--")}
    assert not {option for option in wanted if f"`{option}" not in described}


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_the_shell_takes_its_file(shell: str) -> None:
    checked = subprocess.run([shell, "-n", COMPLETIONS[shell]], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


_SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], f"source {COMPLETIONS['bash']}"),
    "zsh": (
        ["zsh", "-f", "-i"],
        f"fpath=({COMPLETIONS['zsh'].parent} $fpath); autoload -Uz compinit; compinit -u -D",
    ),
}
_TYPED = [
    ("tcptop-rtt --sou\t", "tcptop-rtt --source "),
    ("tcptop-rtt --theme contr\t", "tcptop-rtt --theme contrast "),
    ("tcptop-rtt ru\t", "tcptop-rtt run "),
    ("tcptop-rtt run --outp\t", "tcptop-rtt run --output "),
    ("tcptop-rtt run --user nobod\t", "tcptop-rtt run --user nobody "),
    ("tcptop-rtt run --json --output /etc/nsswitc\t", "tcptop-rtt run --json --output /etc/nsswitch.conf "),
    ("tcptop-rtt run -- setpri\t", "tcptop-rtt run -- setpriv "),
]


@pytest.mark.parametrize("shell", _SHELLS)
def test_tab_completes_in_an_interactive_shell(shell: str, tmp_path: Path) -> None:
    command, prepare = _SHELLS[shell]
    for typed, wanted in _TYPED:
        # The line is completed, and becomes the arguments of printf: nothing of it runs.
        assert _completed(command, prepare, typed, tmp_path) == wanted.split()


def _completed(command: list[str], prepare: str, typed: str, home: Path) -> list[str]:
    """The words of a line, once the shell has completed it."""
    near, far = pty.openpty()
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", "PS1": "$ ", "LC_ALL": "C"}
    with subprocess.Popen(
        command, stdin=far, stdout=far, stderr=far, env=env, start_new_session=True
    ) as process:
        os.close(far)
        try:
            os.write(near, f"{prepare}; echo pre''pared\n".encode())
            _read_until(near, b"\nprepared\r\n")
            os.write(near, typed.encode() + b"\x01printf '<%s>' \x05 en''d\n")
            said = _read_until(near, b"<end>").decode()
        finally:
            os.close(near)
            process.kill()
    words = re.search(r"((?:<[^<>]*>)+)<end>", said)
    assert words, said
    return words[1].strip("<>").split("><")


def _read_until(fd: int, mark: bytes) -> bytes:
    text, deadline = b"", time.monotonic() + START_S
    while mark not in text:
        assert time.monotonic() < deadline, text
        if select.select([fd], [], [], 1.0)[0]:
            text += os.read(fd, 1 << 16)
    return text


@pytest.mark.parametrize(("typed", "wanted"), [(typed.rstrip("\t"), wanted) for typed, wanted in _TYPED])
def test_fish_completes_likewise(typed: str, wanted: str, tmp_path: Path) -> None:
    told = subprocess.run(
        ["fish", "--no-config", "-c", f"source {COMPLETIONS['fish']}; complete -C '{typed}'"],
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert wanted.split()[-1] in [line.split("\t")[0] for line in told.stdout.splitlines()]
