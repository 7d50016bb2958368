"""Serves scrapes from threads of its own, so that the thread that makes the numbers never waits."""

from __future__ import annotations

import contextlib
import errno
import gzip
import ipaddress
import socket
import threading
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.outputs.prometheus.options import Address

PATH = "/metrics"
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST_CONNECTIONS = 16
"""A further connection closes the oldest one, so that idle connections keep no scrape out."""
_IDLE_S = 120
"""The timeout of an idle connection, longer than most scrape intervals."""
_FASTEST = 1

Page = Callable[[], str]


class MetricsServer:
    """Binds its port at once, and answers once there is a page.

    :param address: numeric
    :raises TcptopError: the address cannot be used; the message says why, and what to do
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._serves = False
        try:
            self._http = _Http(address)
        except OSError as error:
            raise TcptopError(f"cannot serve metrics at {address}: {_remedy(error, address)}") from None

    def show(self, page: Page) -> None:
        """Answer with this page from now on. This takes no lock, and never waits.

        :param page: returns the page; called by another thread, and not again once it has returned
        """
        self._http.page = page
        if not self._serves:
            self._serves = True
            serve = partial(self._http.serve_forever, poll_interval=None)  # type: ignore[arg-type]
            threading.Thread(target=serve, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Stop serving, and close the port."""
        if self._serves:
            self._http.socket.shutdown(socket.SHUT_RDWR)  # wakes the serving thread
            self._http.shutdown()
        self._http.server_close()


def _remedy(error: OSError, address: Address) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"the port is in use: ss -ltnp 'sport = :{address.port}' tells by whom; or take another"
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return "no address of this machine: ip address lists those there are"
        case errno.EACCES | errno.EPERM:
            return "not allowed: take a port from 1024 on, or run sudo tcptop-rtt"
    return error.strerror or str(error)


class _Http(ThreadingMixIn, HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: Address) -> None:
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self.page: Page = str
        self._making = threading.Lock()
        self._made: tuple[Page, bytes] | None = None
        self._open: dict[socket.socket, None] = {}
        super().__init__((address.host, address.port), _Handler)

    def body(self) -> bytes:
        """Return the latest page. Each page is made once, however many scrapes ask for it at a time."""
        with self._making:
            page = self.page
            if self._made is None or self._made[0] is not page:
                self._made = page, page().encode()
            return self._made[1]

    def server_bind(self) -> None:
        """Bind without HTTPServer's lookup of this machine's name, which may take seconds."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a new connection, and close the oldest ones if there are too many."""
        others = list(self._open)
        for oldest in others[: max(0, len(others) + 1 - MOST_CONNECTIONS)]:
            self._open.pop(oldest, None)
            with contextlib.suppress(OSError):  # the connection has already ended
                oldest.shutdown(socket.SHUT_RDWR)
        self._open[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection that has been served."""
        self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report nothing: a reader that disconnects is normal."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http
    timeout = _IDLE_S

    def do_GET(self) -> None:
        """Answer a scrape."""
        if self.path.partition("?")[0] != PATH:
            self._answer(404, f"metrics are at {PATH}\n".encode())
            return
        try:
            body = self.server.body()
        except Exception as error:  # a bug: this scrape shows it, and the next one may succeed
            self._answer(500, f"unexpected {type(error).__name__}: {error}\n".encode())
            return
        if "gzip" in self.headers.get("Accept-Encoding", "") and self._is_far():
            self._answer(200, gzip.compress(body, _FASTEST), "gzip")
        else:
            self._answer(200, body)

    def _is_far(self) -> bool:
        """Return whether the reader is on another machine: locally, compressing takes longer than sending."""
        return not ipaddress.ip_address(self.client_address[0].removeprefix("::ffff:")).is_loopback

    def _answer(self, code: int, body: bytes, encoding: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Type", _CONTENT_TYPE)
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Return the Server header, without any version."""
        return "tcptop-rtt"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""
