"""Asks a server by Prometheus' HTTP API. An answer is bounded in size and time; nothing in it is trusted."""

from __future__ import annotations

import base64
import http.client
import socket
import threading
import urllib.parse
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from tcptop_rtt.model.errors import UsageError
from tcptop_rtt.model.outside import NAME_CHARACTERS
from tcptop_rtt.view import format as fmt

TIMEOUT_S = 10.0
"""For a whole answer, from connecting to its last byte."""
MOST_BYTES = 32 << 20
_CHUNK_BYTES = 1 << 16


class FleetError(Exception):
    """A question has no answer; the message is one line that says why."""


class Client:
    """One thread asks; any may cancel, and a signal handler, too."""

    def __init__(
        self,
        url: str,
        is_of_use: Callable[[], bool] = lambda: True,
        timeout_s: float = TIMEOUT_S,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Take the address of a server.

        :param is_of_use: whether what is asked is still wanted; who changes that calls :meth:`cancel`

        :raises UsageError: it is none
        """
        self._https, self._host, self._port, self._path, self._headers = _parts(url)
        self._is_of_use = is_of_use
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes
        self._lock = threading.RLock()  # a signal handler may cancel while the thread that it stops holds it
        self._socket: socket.socket | None = None
        at_port = f"[{self._host}]" if ":" in self._host else self._host
        self.name = fmt.printable(f"{at_port}:{self._port}{self._path}")
        """The server, without the user's name and password."""

    def vector(self, query: str) -> list[dict[str, Any]]:
        """The samples that an expression brings now.

        :raises FleetError: it brings none
        """
        return self._result("query", "vector", {"query": query})

    def matrix(self, query: str, start_s: float, end_s: float, step_s: float) -> list[dict[str, Any]]:
        """The series that it brings over time.

        :raises FleetError: it brings none
        """
        span = {"start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": f"{step_s:.3f}"}
        return self._result("query_range", "matrix", {"query": query, **span})

    def cancel(self) -> None:
        """Make a question that is under way fail soon."""
        with self._lock:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _result(self, path: str, kind: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
        status, body = self._post(f"{self._path}/api/v1/{path}", parameters)
        try:
            answer = msgspec.json.decode(body)  # what is no UTF-8 it refuses, escaped as it may be
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict) and answer.get("status") == "error":
            raise FleetError(f"it refuses the question: {_brief(answer.get('error'))}")
        if status != http.client.OK:
            raise FleetError(f"it answers {status}: there is no Prometheus API at {self._path or '/'}")
        data = answer.get("data") if isinstance(answer, dict) and answer.get("status") == "success" else None
        result = data.get("result") if isinstance(data, dict) and data.get("resultType") == kind else None
        if not isinstance(result, list):
            raise FleetError("what it answers is no answer of a Prometheus server")
        return result

    def _post(self, path: str, parameters: dict[str, str]) -> tuple[int, bytes]:
        """Ask, and read the answer; the whole takes no longer than the timeout, however slowly it comes."""
        connection = self._connection()
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            with self._lock:
                self._hang_up()

        timer = threading.Timer(self._timeout_s, expire)
        timer.daemon = True
        timer.start()
        try:
            connection.connect()
            with self._lock:
                self._socket = connection.sock
                if expired.is_set() or not self._is_of_use():
                    self._hang_up()
            form = urllib.parse.urlencode({**parameters, "timeout": f"{self._timeout_s:g}s"})
            connection.request("POST", path, form, self._headers)
            answer = connection.getresponse()
            if answer.status in (301, 302, 303, 307, 308):
                where = _brief(answer.headers.get("Location"))
                raise FleetError(f"it redirects to {where}: give that address, if you trust it")
            if answer.status in (401, 403):
                scheme = "https" if self._https else "http"
                raise FleetError(
                    f"it answers {answer.status}: it asks for a user: {scheme}://NAME:PASSWORD@{self.name}"
                )
            body = self._read(answer)
            if expired.is_set() or not self._is_of_use():
                raise TimeoutError  # we have hung up, which looks like an answer's end
            return answer.status, body
        except (OSError, http.client.HTTPException) as error:
            if expired.is_set() or isinstance(error, TimeoutError):
                raise FleetError(f"no answer within {self._timeout_s:g} s") from None
            raise FleetError(_reason(error)) from None
        finally:
            timer.cancel()
            with self._lock:
                self._socket = None
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._https else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=self._timeout_s)

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        body = bytearray()
        while chunk := answer.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > self._most_bytes:
                raise FleetError(f"its answer is larger than {self._most_bytes >> 20} MiB")
        if answer.length:
            raise FleetError("its answer has broken off")
        return bytes(body)


def _parts(url: str) -> tuple[bool, str, int, str, dict[str, str]]:
    """Whether it is encrypted, host, port, path, and headers."""
    example = "an address such as http://prometheus:9090"
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"--fleet takes {example}") from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise UsageError(f"--fleet takes {example}")
    if not (host + parts.path).isprintable() or " " in host + parts.path or not parts.path.isascii():
        raise UsageError(f"--fleet takes {example}")
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept-Encoding": "identity"}
    if parts.username is not None:
        pair = ":".join(urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    https = parts.scheme == "https"
    return https, host, port or (443 if https else 80), parts.path.rstrip("/"), headers


def _brief(text: object) -> str:
    """A text of the server as a part of one line."""
    words = " ".join(str(text)[: 4 * NAME_CHARACTERS].split())
    return fmt.printable(words[:NAME_CHARACTERS])


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "there is no host of that name"
    why = getattr(error, "verify_message", "") or getattr(error, "reason", "")  # of TLS
    if isinstance(error, OSError) and (why or error.strerror):
        return _brief(why or error.strerror)
    if isinstance(error, http.client.RemoteDisconnected | OSError):
        return "it hangs up without an answer"
    return f"what it answers is no HTTP: {_brief(type(error).__name__)}"
