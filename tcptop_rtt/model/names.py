"""Names of hosts and services, as front ends ask for them. Whoever asks does not wait."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from numpy.typing import NDArray


class Address(NamedTuple):
    """An address as a row has it."""

    family: int
    raw: bytes  # 16 bytes, IPv4 ones v4-mapped


class Names:
    """What is known so far: here nothing, as where names are not wanted. Empty: no name, or none yet.

    Names are others' words, but harmless ones: letters, digits, ``-``, ``_`` and ``.``, and no address.
    """

    version = 0
    """Grows with each name that comes or goes."""
    netns = 0
    """The network namespace that they are looked up in; 0: not known."""

    def host(self, address: Address) -> str:  # noqa: ARG002
        """The name of a host."""
        return ""

    def service(self, port: int) -> str:  # noqa: ARG002
        """The name of a port."""
        return ""

    def hosts_named(self, word: str) -> list[Address]:  # noqa: ARG002
        """Hosts with that in their name, in small letters."""
        return []

    def ports_named(self, word: str) -> list[int]:  # noqa: ARG002
        """Ports with that in their name, in small letters."""
        return []

    def ask(self, addresses: Iterable[Address], ports: Iterable[int]) -> None:
        """Look these up next: they are in sight."""

    def ask_later(self, families: NDArray[Any], addresses: NDArray[Any], ports: NDArray[Any]) -> None:
        """Look these up when there is nothing else to do. Columns of rows, which never change."""


NO_NAMES = Names()
