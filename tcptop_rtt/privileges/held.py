"""Which rights processes have, as ``/proc`` shows them: the real ones, not the intended ones."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tcptop_rtt.model.reach import Rights
from tcptop_rtt.privileges.capabilities import names_of

_STATUS_BYTES = 1 << 16
_MOST = 4
"""If there are more capabilities, only their number is shown."""


class Held:
    """The rights that this process and its helper hold.

    :param helper: PID of the process that has rights in place of this one; None if there is none
    :param landlock: the Landlock version that limits this process, which /proc does not show; 0 if none
    :param left: what could not be given up
    """

    def __init__(self, helper: int | None = None, landlock: int = 0, left: tuple[str, ...] = ()) -> None:
        self._helper = helper
        self._landlock = landlock
        self._left = left

    def rights(self) -> Rights:
        """The present rights, as pairs of holder and rights; empty if they cannot be read."""
        try:
            return tuple(self._look())
        except OSError:
            return ()

    def _look(self) -> Iterator[tuple[str, str]]:
        landlock = f", Landlock {self._landlock}" if self._landlock else ""
        yield "held", of_this_process() + landlock
        if self._helper is not None:
            try:
                yield "by its helper", of(self._helper)
            except OSError:
                yield "by its helper", "none: the helper has ended"
        yield from (("not given up", one) for one in self._left)


def of_this_process() -> str:
    """The rights of this process: the most that any of its threads has."""
    with os.scandir("/proc/self/task") as threads:
        return _words([_status(f"{thread.path}/status") for thread in threads])


def of(pid: int) -> str:
    """The rights of another process.

    :raises OSError: there is no such process
    """
    return _words([_status(f"/proc/{pid}/status")])


def _words(threads: list[dict[str, str]]) -> str:
    return ", ".join(_parts(threads))


def _parts(threads: list[dict[str, str]]) -> Iterator[str]:
    for name, word in (("Uid", "UID"), ("Gid", "GID")):
        numbers = sorted({int(number) for thread in threads for number in thread[name].split()})
        yield f"{word} {'/'.join(map(str, numbers))}"
    if groups := {group for thread in threads for group in thread["Groups"].split()}:
        yield f"{len(groups)} more groups" if len(groups) > 1 else "1 more group"
    yield _capabilities(_all(threads, "CapPrm")) or "no capabilities"
    if may_get := _all(threads, "CapBnd") & ~_all(threads, "CapPrm"):
        yield f"may get {_capabilities(may_get)}"
    if all(thread["NoNewPrivs"] == "1" for thread in threads):
        yield "no new privileges"
    if all(thread.get("Seccomp") == "2" for thread in threads):
        yield "seccomp"


def _capabilities(mask: int) -> str:
    names = names_of(mask)
    return " ".join(names) if len(names) <= _MOST else f"{len(names)} capabilities"


def _all(threads: list[dict[str, str]], name: str) -> int:
    mask = 0
    for thread in threads:
        mask |= int(thread[name], 16)
    return mask


def _status(path: str) -> dict[str, str]:
    with open(path, "rb") as file:
        lines = file.read(_STATUS_BYTES).decode("latin-1").split("\n")
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
