"""What the program takes from its environment: how the terminal is, and what its reader reads.

It runs as root, perhaps in the environment of somebody else. Its libraries read variables that name
files to write (``TEXTUAL_LOG``), modules to import (``TEXTUAL_DRIVER``) or headers to compile (``CPATH``).
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import NamedTuple

_KEPT = (
    # of the terminal
    *("TERM", "COLORTERM", "NO_COLOR", "TERM_PROGRAM", "COLUMNS", "LINES"),
    # of the reader
    *("LANG", "LANGUAGE", "TZ"),
    # Some processors need these for numpy to compute correctly.
    *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"),
)
_KEPT_PREFIX = "LC_"
_ZONES = ("/usr/share/zoneinfo/", "/etc/localtime")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Invoker(NamedTuple):
    """Who has started the program, before sudo made it root's."""

    uid: int
    config_home: str
    """Where their settings are; empty: nowhere."""


def invoker() -> Invoker:
    """To be asked before :func:`clean`.

    Root takes no directory from the environment, which may be that of whoever it works for: sudo's
    ``SUDO_UID`` tells the user, and the password database the home directory.
    """
    uid, is_root = os.geteuid(), 0 in (os.getuid(), os.geteuid())
    sudo_uid, chosen = os.environ.get("SUDO_UID", ""), os.environ.get("XDG_CONFIG_HOME", "")
    if is_root and sudo_uid.isascii() and sudo_uid.isdigit():
        uid = int(sudo_uid)
    elif not is_root and os.path.isabs(chosen):
        return Invoker(uid, chosen)
    try:
        home = pwd.getpwuid(uid).pw_dir
    except (KeyError, OverflowError):
        return Invoker(uid, "")
    return Invoker(uid, str(Path(home, ".config")) if os.path.isabs(home) else "")


def owner_of_files(uid: int) -> tuple[int, int] | None:
    """User and group that new files get; None: it is the user that this runs as."""
    if os.geteuid() != 0 or uid == 0:
        return None
    try:
        return uid, pwd.getpwuid(uid).pw_gid
    except (KeyError, OverflowError):
        return None


def home_of(uid: int) -> str:
    """The home directory by the password database; empty: there is none."""
    try:
        return pwd.getpwuid(uid).pw_dir
    except (KeyError, OverflowError):
        return ""


def state_directory() -> str:
    """Where what is always kept goes: of the machine for root, of the user for others."""
    if os.geteuid() == 0:
        return "/var/lib/tcptop-rtt"
    return str(Path(home_of(os.geteuid()) or "/", ".local/state/tcptop-rtt"))


def clean() -> dict[str, str]:
    """Remove every other variable, for this process and for the C libraries in it.

    :return: the environment as it was, which is good for nobody but a command that is run
    """
    before = dict(os.environ)
    for name, value in before.items():
        if not ((name in _KEPT or name.startswith(_KEPT_PREFIX)) and _names_no_file(name, value)):
            del os.environ[name]
    os.environ["PATH"] = _PATH
    # Of a thread are the rights that are given up, and nothing is computed here that several would do sooner.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    # A name server that does not answer holds a thread up for seconds, not for half a minute: resolv.conf(5).
    os.environ["RES_OPTIONS"] = "timeout:2 attempts:1"
    return before


def _names_no_file(name: str, value: str) -> bool:
    """Whether a value leads nowhere but to the translations and time zones of the system."""
    if name != "TZ":
        return "/" not in value
    zone = value.removeprefix(":")
    return ".." not in zone and (not zone.startswith("/") or zone.startswith(_ZONES))
