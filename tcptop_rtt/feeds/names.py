"""Names of hosts and services by this machine's resolver: /etc/hosts, DNS, /etc/services and so on."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.feeds.lookups import Lookups
from tcptop_rtt.feeds.namespaces import own_netns
from tcptop_rtt.model.ids import distinct
from tcptop_rtt.model.mixing import mixed
from tcptop_rtt.model.names import Address, Names
from tcptop_rtt.model.outside import host_name_of, service_name_of

HOST_THREADS = 4
HOST_PAUSE_S = 0.05
"""With all threads at most 80 lookups a second."""
SERVICE_PAUSE_S = 0.005
LATER_S = 5.0
"""The shortest time between two searches for addresses that are not in sight."""

_HOST_NOT_FOUND, _NO_DATA = 1, 4
"""Error numbers of netdb.h that mean that there is no name. All others are failures."""

# No lookup uses Python's getnameinfo(): it would block all threads while it waits for a name server.


def look_up_host(address: Address) -> str:
    """The name of a host; empty if it has none that can be shown.

    :raises OSError: the resolver has failed or timed out
    """
    family, raw = address
    number = (socket.AF_INET, raw[12:]) if family == 4 else (socket.AF_INET6, raw)
    try:
        return host_name_of(socket.gethostbyaddr(socket.inet_ntop(*number))[0])
    except UnicodeError:
        return ""
    except socket.herror as error:
        if error.errno in (_HOST_NOT_FOUND, _NO_DATA):
            return ""
        raise


def look_up_service(port: int) -> str:
    """The name of a TCP port; empty if it has none that can be shown. Not thread-safe."""
    try:
        return service_name_of(socket.getservbyport(port, "tcp"))
    except (OSError, UnicodeError):
        return ""


class Resolver(Names):
    """Looks up names in the background, only those that are asked for.

    :param host: looks up the name of a host
    :param service: looks up the name of a port
    """

    def __init__(
        self,
        host: Callable[[Address], str] = look_up_host,
        service: Callable[[int], str] = look_up_service,
    ) -> None:
        self._hosts = Lookups(host, HOST_THREADS, HOST_PAUSE_S)
        self._services = Lookups(service, 1, SERVICE_PAUSE_S)
        self._later_s = 0.0
        self.netns = own_netns()

    @property
    def version(self) -> int:  # type: ignore[override]
        """Grows with each name that appears, changes or disappears."""
        return self._hosts.version + self._services.version

    def host(self, address: Address) -> str:
        return self._hosts.get(address)

    def service(self, port: int) -> str:
        return self._services.get(port)

    def hosts_named(self, word: str) -> list[Address]:
        return self._hosts.with_text(word)

    def ports_named(self, word: str) -> list[int]:
        return self._services.with_text(word)

    def ask(self, addresses: Iterable[Address], ports: Iterable[int]) -> None:
        self._hosts.ask(addresses)
        self._services.ask(ports)

    def ask_later(self, families: NDArray[Any], addresses: NDArray[Any], ports: NDArray[Any]) -> None:
        # With many connections, finding the distinct addresses takes some milliseconds.
        now = time.monotonic()
        if now >= self._later_s:
            self._later_s = now + LATER_S
            self._hosts.ask_later(lambda: _different(families, addresses))
            self._services.ask_later(lambda: distinct(ports).tolist())


def _different(families: NDArray[Any], addresses: NDArray[Any]) -> Iterable[Address]:
    """The distinct addresses, each once."""
    _, first = np.unique(mixed((families, addresses)), return_index=True)
    for at in first.tolist():
        yield Address(int(families[at]), addresses[at].tobytes())
