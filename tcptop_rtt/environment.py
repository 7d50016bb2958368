"""The environment: which variables the program keeps, and which user started it.

The program runs as root, often in the environment of another user. Its libraries read variables that name
files to write (``TEXTUAL_LOG``), modules to import (``TEXTUAL_DRIVER``) or headers to compile (``CPATH``).
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_KEPT = (
    # They describe the terminal.
    *("TERM", "COLORTERM", "NO_COLOR", "TERM_PROGRAM", "COLUMNS", "LINES"),
    # They choose the language and the time zone.
    *("LANG", "LANGUAGE", "TZ"),
    # Some processors need these for numpy to compute correctly.
    *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"),
)
_KEPT_PREFIX = "LC_"
_ZONES = ("/usr/share/zoneinfo/", "/etc/localtime")
_GETENT = "/usr/bin/getent"
ANSWER_S = 1.0
"""How long the password database may take to answer."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@contextmanager
def reachable_directory() -> Iterator[None]:
    """Stay in the root directory for a moment if the working directory has no path under it.

    This is the case after ``nsenter --root``. Rich asks for the path when it is imported. It copes with a
    deleted directory, but not with the error of Landlock, which keeps libc from looking for the path.
    """
    try:
        os.getcwd()
    except FileNotFoundError:
        pass
    except OSError:
        here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        os.chdir("/")
        try:
            yield
        finally:
            os.fchdir(here)
            os.close(here)
        return
    yield


class Invoker(NamedTuple):
    """The user who started the program, also through sudo."""

    uid: int
    config_home: str
    """The directory of the user's settings; empty: there is none."""
    is_known: bool = True
    """Whether the password database has answered."""


def invoker() -> Invoker:
    """Return the user who started the program. Call this before :func:`clean`.

    Root takes no directory from the environment, because the environment may be another user's. sudo's
    ``SUDO_UID`` names the user, and the password database has the user's home directory.
    """
    uid, is_root = os.geteuid(), 0 in (os.getuid(), os.geteuid())
    sudo_uid, chosen = os.environ.get("SUDO_UID", ""), os.environ.get("XDG_CONFIG_HOME", "")
    if is_root and sudo_uid.isascii() and sudo_uid.isdigit():
        uid = int(sudo_uid)
    elif not is_root and os.path.isabs(chosen):
        return Invoker(uid, chosen)
    home = home_of(uid)
    settings = str(Path(home, ".config")) if os.path.isabs(home) else ""
    return Invoker(uid, settings, is_known=_answer(uid) is not None)


def owner_of_files(uid: int) -> tuple[int, int] | None:
    """Return the user and group that new files get; None: those of this process."""
    if os.geteuid() != 0 or uid == 0:
        return None
    user = _user(uid)
    return (uid, user.pw_gid) if user else None


def home_of(uid: int) -> str:
    """Return the home directory that the password database has; empty: there is none."""
    user = _user(uid)
    return user.pw_dir if user else ""


def _user(uid: int) -> pwd.struct_passwd | None:
    """Return a user's entry in the password database (passwd(5)); None: there is none."""
    fields = os.fsdecode(_answer(uid) or b"").rstrip("\n").split(":")
    if len(fields) != pwd.struct_passwd.n_fields or fields[2] != str(uid):
        return None
    name, password, _, gid, *texts = fields
    return pwd.struct_passwd((name, password, uid, int(gid), *texts))


@lru_cache
def _answer(uid: int) -> bytes | None:
    """Return what the password database says of a user; None: it does not answer in time.

    It may be another machine's, which is down. A process that waits for it can be ended, a thread cannot.
    """
    try:
        return subprocess.run(
            [_GETENT, "passwd", str(uid)],
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=ANSWER_S,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired:
        return None
    except OSError:  # such as no descriptor, which the start complains of
        return b""


def state_directory() -> str:
    """Return the directory of ``--keep``: the machine's for root, the user's own for others."""
    if os.geteuid() == 0:
        return "/var/lib/tcptop-rtt"
    return str(Path(home_of(os.geteuid()) or "/", ".local/state/tcptop-rtt"))


def clean() -> dict[str, str]:
    """Remove all variables that are not kept, for this process and for its C libraries.

    :return: the environment as it was; only a command that the program runs may get it
    """
    before = dict(os.environ)
    for name, value in before.items():
        if not ((name in _KEPT or name.startswith(_KEPT_PREFIX)) and _names_no_file(name, value)):
            del os.environ[name]
    os.environ["PATH"] = _PATH
    # Rights are given up thread by thread, and no computation here is faster with several threads.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    # A silent name server then blocks a thread for seconds, not for half a minute: resolv.conf(5).
    os.environ["RES_OPTIONS"] = "timeout:2 attempts:1"
    return before


def _names_no_file(name: str, value: str) -> bool:
    """Return whether a value names no file but a translation or a time zone of the system."""
    if name != "TZ":
        return "/" not in value
    zone = value.removeprefix(":")
    return ".." not in zone and (not zone.startswith("/") or zone.startswith(_ZONES))
