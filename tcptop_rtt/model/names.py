"""Names of hosts and services as front ends ask for them, without waiting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from numpy.typing import NDArray


class Address(NamedTuple):
    """An address as a row has it."""

    family: int
    raw: bytes  # 16 bytes, IPv4 ones v4-mapped


class Names:
    """The names that are known so far. This class knows none; an empty text means no name, or none yet.

    Names come from others, but are harmless: letters, digits, ``-``, ``_`` and ``.``, and never an address.
    """

    version = 0
    """Grows with each name that is added or removed."""
    netns = 0
    """The network namespace of the look-ups; 0: unknown."""

    def host(self, address: Address) -> str:  # noqa: ARG002
        """Return the name of a host."""
        return ""

    def service(self, port: int) -> str:  # noqa: ARG002
        """Return the name of a port."""
        return ""

    def hosts_named(self, word: str) -> list[Address]:  # noqa: ARG002
        """Return the hosts whose name contains a word in lower case."""
        return []

    def ports_named(self, word: str) -> list[int]:  # noqa: ARG002
        """Return the ports whose name contains a word in lower case."""
        return []

    def ask(self, addresses: Iterable[Address], ports: Iterable[int]) -> None:
        """Look these up next, as they are on the screen."""

    def ask_later(self, families: NDArray[Any], addresses: NDArray[Any], ports: NDArray[Any]) -> None:
        """Look these up when idle. The arguments are columns of rows, which never change."""


NO_NAMES = Names()
