"""Names that are known without anybody being asked."""

from __future__ import annotations

from tcptop_rtt.model.names import Address, Names
from tests.unit.rows import address


class Known(Names):
    """Names that a test has given."""

    def __init__(self, hosts: dict[str, str], services: dict[int, str]) -> None:
        self._hosts = {Address(6 if ":" in host else 4, address(host)): name for host, name in hosts.items()}
        self._services = services

    def host(self, address: Address) -> str:
        return self._hosts.get(address, "")

    def service(self, port: int) -> str:
        return self._services.get(port, "")

    def hosts_named(self, word: str) -> list[Address]:
        return [host for host, name in self._hosts.items() if word in name]

    def ports_named(self, word: str) -> list[int]:
        return [port for port, name in self._services.items() if word in name]
