"""Runs targets, two at a time: ``python -m tests.fuzz [SECONDS] [TARGET...]``.

Exit code 1: one has found something.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz import TARGETS, kept

AT_ONCE = 2
USUAL_S = 60
_SHOWN_CHARACTERS = 4000
"""Of what is said where nothing was raised, as where an input took too long."""
_INPUT_CHARACTERS = 20_000
"""Of an input. Lines of a stream take some 7,000."""


def main(arguments: list[str]) -> int:
    """Run what is asked for; the exit code."""
    seconds = int(arguments.pop(0)) if arguments and arguments[0].isdecimal() else USUAL_S
    names = arguments or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        print(f"fuzz: there is no {', '.join(sorted(unknown))}: {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    if importlib.util.find_spec("atheris") is None:
        print("fuzz: there is no atheris for this Python, or this machine", file=sys.stderr)
        return 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return int(not all(list(pool.map(lambda name: _is_clean(name, seconds), names))))


def _is_clean(name: str, seconds: int) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "tests.fuzz.harness", name, str(seconds), directory]
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            preexec_fn=lambda: os.nice(19),
        )
        found = [_keep(name, path) for path in Path(directory).glob("found-*")]
    said = ended.stdout + ended.stderr
    runs = next((line.split()[-1] for line in said.splitlines() if "number_of_executed_units" in line), "?")
    print(f"fuzz: {name}: {runs} inputs, {len(found) or 'nothing'} found", file=sys.stderr)
    if found or ended.returncode:
        _, raised, trace = said.partition("Uncaught Python exception")
        told = trace.partition("\nINFO:")[0] if raised else said[-_SHOWN_CHARACTERS:]
        print(told, *map(_shown, found), sep="\n", file=sys.stderr)
    return not found and not ended.returncode


def _shown(path: Path) -> str:
    """Where an input is, and the input itself, which nobody can get at after a run on another machine."""
    data = base64.b64encode(zlib.compress(path.read_bytes())).decode()
    return f"{path}: base64 of zlib:\n{data if len(data) < _INPUT_CHARACTERS else 'too long'}"


def _keep(name: str, path: Path) -> Path:
    """Put an input to those that have failed, which the tests try each time."""
    data = path.read_bytes()
    place = kept(name) / hashlib.sha256(data).hexdigest()[:16]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return place


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
