"""A cache of compiled code, kept from one start to the next where nobody but root can write.

Code is looked up by all that it was made from: the kernel's types, the program's text, the flags and the
compiler. It is not read from a directory or file that anybody but root could have written to, and the kernel
checks the code that is loaded.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.machinery import PathFinder
from pathlib import Path

from tcptop_rtt.sources.loader.code import Code
from tcptop_rtt.sources.loader.files import STAND_INS
from tcptop_rtt.sources.requirements import BTF_PATH

DIRECTORY = "/var/cache/tcptop-rtt"
KEPT = 16
"""How many programs are kept: those of a few kernels, each with plain and with checked reads."""
_MOST_BYTES = 1 << 20
_HERE = Path(__file__).resolve().parent
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def key_of(text: bytes, flags: Sequence[str]) -> str:
    """The key under which a program's code is kept."""
    digest = hashlib.sha256()
    parts = [BTF_PATH.read_bytes(), text, *(flag.encode() for flag in flags), *_own_files(), *_compiler()]
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


def kept(key: str) -> Code | None:
    """The code that is kept under a key; None if there is none that can be trusted."""
    with suppress(OSError, ValueError), _directory() as directory:
        file = os.open(key, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or _is_anybodys(status) or status.st_size > _MOST_BYTES:
                return None
            digest, _, text = os.read(file, _MOST_BYTES).partition(b"\n")
        finally:
            os.close(file)
        if digest.decode() == hashlib.sha256(text).hexdigest():
            return Code.from_bytes(text)
    return None


def keep(key: str, code: Code) -> None:
    """Keep code under a key, if that is possible, and remove all but the newest ones."""
    text = code.to_bytes()
    with suppress(OSError), _directory() as directory:
        # The file has no name until it is complete: a process that is killed leaves nothing behind.
        file = os.open(".", os.O_TMPFILE | os.O_WRONLY, 0o600, dir_fd=directory)
        try:
            os.write(file, hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
            with suppress(FileNotFoundError):
                os.unlink(key, dir_fd=directory)
            os.link(f"/proc/self/fd/{file}", key, dst_dir_fd=directory, follow_symlinks=True)
        finally:
            os.close(file)
        for name in _oldest_first(directory)[:-KEPT]:
            os.unlink(name, dir_fd=directory)


def _oldest_first(directory: int) -> list[str]:
    def written(name: str) -> int:
        return os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime_ns

    return sorted(os.listdir(directory), key=written)


@contextmanager
def _directory() -> Iterator[int]:
    """A descriptor of the directory, which is made where it is missing.

    :raises OSError: it cannot be opened, or is not root's alone
    """
    if os.geteuid() != 0:
        raise PermissionError(DIRECTORY)
    directory = os.open("/", os.O_PATH | os.O_DIRECTORY)
    try:
        *above, last = DIRECTORY.strip("/").split("/")
        for name in above:
            directory = _entered(directory, name)
        with suppress(FileExistsError):
            os.mkdir(last, 0o700, dir_fd=directory)
        directory = _entered(directory, last)
        yield directory
    finally:
        os.close(directory)


def _entered(directory: int, name: str) -> int:
    """Open a directory inside another one, and close the descriptor of the outer one."""
    inside = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
    os.close(directory)
    if _is_anybodys(os.fstat(inside)):
        os.close(inside)
        raise PermissionError(name)
    return inside


def _is_anybodys(status: os.stat_result) -> bool:
    """Whether somebody other than root may have written to a file or directory."""
    return status.st_uid != 0 or bool(status.st_mode & _OTHERS_MAY_WRITE)


def _own_files() -> Iterator[bytes]:
    """Our own files that affect the code: the loader, which describes the kernel's types, and the headers."""
    for directory, files in (_HERE, "*.py"), (STAND_INS, "**/*.h"):
        yield from (path.read_bytes() for path in sorted(directory.glob(files)))


def _compiler() -> Iterator[bytes]:
    """What identifies the compiler without loading it: its files, and when they were written."""
    package = PathFinder.find_spec("bcc")
    origin = package.origin if package and package.origin else ""
    directories = ["/usr/lib64", "/usr/lib", f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}"]
    for path in (origin, *(f"{directory}/libbcc.so.0" for directory in directories)):
        with suppress(OSError):
            status = os.stat(path)
            yield f"{os.path.realpath(path)} {status.st_size} {status.st_mtime_ns}".encode()
