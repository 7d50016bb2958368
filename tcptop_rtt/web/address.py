"""The address of a server, as a user gives it."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from tcptop_rtt.view import format as fmt


@dataclass(frozen=True, slots=True)
class WebAddress:
    """The address of a server, and the credentials for it."""

    is_https: bool
    host: str
    port: int
    path: str
    """Without a trailing slash."""
    credentials: Mapping[str, str]
    """Headers with the user's name and password; empty if the URL has none."""

    @property
    def name(self) -> str:
        """The server's host, port and path, without the user's name and password."""
        at_port = f"[{self.host}]" if ":" in self.host else self.host
        return fmt.printable(f"{at_port}:{self.port}{self.path}")

    @property
    def for_user(self) -> str:
        """A URL of the server with placeholders for name and password."""
        return f"{'https' if self.is_https else 'http'}://NAME:PASSWORD@{self.name}"


def web_address(url: str) -> WebAddress:
    """Return the server address in a URL.

    :raises ValueError: the URL is not the address of a server
    """
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname, parts.port
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise ValueError(url)
    if not (host + parts.path).isprintable() or " " in host + parts.path or not parts.path.isascii():
        raise ValueError(url)
    credentials = {}
    if parts.username is not None:
        pair = ":".join(urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
        credentials["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    is_https = parts.scheme == "https"
    return WebAddress(is_https, host, port or (443 if is_https else 80), parts.path.rstrip("/"), credentials)
