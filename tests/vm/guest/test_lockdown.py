"""A kernel that is locked down, as by its boot parameter or by secure boot. There is no way back."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.live.program import PROGRAM


def _run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, "--json", "--count", "1", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def _lock_down(level: str) -> None:
    switch = Path("/sys/kernel/security/lockdown")
    if f"[{level}]" not in switch.read_text():
        switch.write_text(level)


def test_with_integrity_all_is_as_ever() -> None:
    _lock_down("integrity")
    ended = _run()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout.splitlines()[0])["hook"] == "fentry"


def test_with_confidentiality_it_goes_on_without_bpf() -> None:
    _lock_down("confidentiality")
    ended = _run()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout.splitlines()[0])["hook"] == "sock_diag"


@pytest.mark.parametrize("source", ["fentry", "tcp_probe"])
def test_with_confidentiality_one_line_says_what_to_do(source: str) -> None:
    _lock_down("confidentiality")
    ended = _run("--source", source)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("tcptop-rtt: ")
    assert "locked down" in line
    assert "lockdown=integrity" in line
