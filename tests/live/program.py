"""The program as its users start it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

Line = dict[str, Any]
"""A line of JSON that the program writes."""

START_S = 240.0
"""How long a start may take on a busy or emulated machine."""
END_S = 60.0
"""How long an end may take there: what is told apart is an end from none."""

PROGRAM = str(Path(sys.prefix, "bin", "tcptop-rtt"))
"""The command that ``./setup`` makes: it takes no module of whoever starts it."""

NOBODY = 65534
"""The number of a user, and of a group, that own nothing."""


def as_nobody(*capabilities: str) -> tuple[str, ...]:
    """Starts a command as an ordinary user, who has these capabilities and gets no others."""
    # The checkout may be in a directory that only its owner reads.
    kept = ",".join(f"+{name}" for name in ("dac_read_search", *capabilities))
    return (
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"),
        *(f"--inh-caps={kept}", f"--ambient-caps={kept}"),
        *("env", "PYTHONDONTWRITEBYTECODE=1"),
    )


def bounded(capabilities: str) -> tuple[str, ...]:
    """Starts a command as root that has these capabilities alone, as ``,+name,+name``."""
    return ("setpriv", f"--bounding-set=-all{capabilities}", "--no-new-privs")


def mounted(*places: tuple[str | Path, str | Path]) -> tuple[str, ...]:
    """Starts a command with mounts of its own: no compiled code is kept, and directories are at other places.

    :param places: each a directory, and where it is found instead of what is there
    """
    # Only those above what is mounted are made private, as / is no mount in a chroot.
    binds = "".join(f" && mount --bind {directory} {place}" for directory, place in places)
    script = f'mount --make-rprivate / 2>&-; mount -t tmpfs -o mode=755 none /var/cache{binds} && exec "$@"'
    return ("unshare", "--mount", "--propagation", "unchanged", "sh", "-c", script, "sh")


def in_chroot() -> bool:
    """Whether the root directory of this process is not that of its mount namespace."""
    here = ("stat", "--format", "%d:%i", "/")
    # Who enters a mount namespace, be it its own, comes to the root of that.
    roots = [
        subprocess.run([*way, *here], capture_output=True, check=False).stdout
        for way in ((), ("nsenter", "--mount=/proc/self/ns/mnt"))
    ]
    return roots[0] != roots[1]


def children(pid: int) -> list[int]:
    """The processes that the first thread of one has started; none, once it has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def run(
    *arguments: str, before: tuple[str, ...] = (), given: str = "", **how: Any
) -> subprocess.CompletedProcess[str]:
    """The program until its end.

    :param before: a command that starts it
    :param given: what it can read
    :param how: of subprocess.run(), besides
    """
    command = [*before, PROGRAM, *arguments]
    return subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=START_S, check=False, **how
    )


def complaint(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line that a program which cannot run says."""
    assert (ended.returncode, ended.stdout) == (1, ""), ended
    (line,) = ended.stderr.splitlines()
    assert line.startswith("tcptop-rtt: ")
    return line


def lines_of_a_part(ended: subprocess.CompletedProcess[str]) -> list[Line]:
    """What is written with ``--json`` of a recording that may lack its end."""
    if ended.stderr:
        assert "not all of the recording can be read: it ends in the middle of a frame" in ended.stderr
        ended.stderr = ""
    return lines_of(ended)


def lines_of(ended: subprocess.CompletedProcess[str]) -> list[Line]:
    """What a program that has nothing to complain of has written with ``--json``."""
    assert (ended.returncode, ended.stderr) == (0, "")
    return [json.loads(line) for line in ended.stdout.splitlines()]
