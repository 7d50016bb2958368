"""Requests to one server, one at a time."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.message import Message
from typing import NamedTuple

from tcptop_rtt.model.outside import NAME_CHARACTERS
from tcptop_rtt.view import format as fmt
from tcptop_rtt.web.address import WebAddress

_CHUNK_BYTES = 1 << 16


class WebError(Exception):
    """A request has no answer; the message is one line that gives the reason."""


class RedirectedError(WebError):
    """The server redirects. The redirect is not followed, as the other server would get the credentials."""


class Answer(NamedTuple):
    """A server's answer, which is untrusted data."""

    status: int
    headers: Message
    body: bytes


class WebClient:
    """Sends requests from one thread; any thread and any signal handler may cancel a request.

    :param timeout_s: limit for a whole request, from connecting to the last byte of the answer
    :param most_bytes: limit for the size of an answer's body
    :param is_of_use: whether answers are still wanted; code that makes it false then calls :meth:`cancel`
    """

    def __init__(
        self,
        address: WebAddress,
        timeout_s: float,
        most_bytes: int,
        is_of_use: Callable[[], bool],
    ) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes
        self._is_of_use = is_of_use
        self._lock = threading.RLock()  # a signal handler may cancel in the thread that holds the lock
        self._socket: socket.socket | None = None

    def cancel(self) -> None:
        """Make the request in progress, if any, fail soon."""
        with self._lock:
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def post(self, path: str, body: bytes | str, headers: Mapping[str, str]) -> Answer:
        """Send a request and read the answer. Both together take no longer than the timeout.

        :raises RedirectedError: the server redirects
        :raises WebError: there is no answer
        """
        connection = self._connection()
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self.cancel()

        timer = threading.Timer(self._timeout_s, expire)
        timer.daemon = True
        timer.start()
        try:
            connection.connect()
            with self._lock:
                self._socket = connection.sock
                if expired.is_set() or not self._is_of_use():
                    self.cancel()
            connection.request("POST", path, body, {**headers, **self.address.credentials})
            answer = connection.getresponse()
            if answer.status in (301, 302, 303, 307, 308):
                where = brief(answer.headers.get("Location"))
                raise RedirectedError(f"it redirects to {where}: give that address, if you trust it")
            content = self._read(answer)
            if expired.is_set() or not self._is_of_use():
                raise TimeoutError  # the socket was shut down, which looks like the answer's end
            return Answer(answer.status, answer.headers, content)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            if expired.is_set() or isinstance(error, TimeoutError):
                raise WebError(f"no answer within {self._timeout_s:g} s") from None
            raise WebError(_reason(error)) from None
        finally:
            timer.cancel()
            with self._lock:
                self._socket = None
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self.address.is_https else http.client.HTTPConnection
        return kind(self.address.host, self.address.port, timeout=self._timeout_s)

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        body = bytearray()
        while chunk := answer.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > self._most_bytes:
                raise WebError(f"its answer is larger than {self._most_bytes >> 20} MiB")
        if answer.length:
            raise WebError("its answer has broken off")
        return bytes(body)


def plainly(answer: Answer) -> str:
    """Return what an answer says in plain text, :func:`brief`; empty if it says nothing so."""
    is_plain = answer.headers.get_content_type() == "text/plain"
    return brief(answer.body.decode("utf-8", "replace")) if is_plain else ""


def brief(text: object) -> str:
    """Return text from the server, shortened and made safe for one line of output."""
    words = " ".join(str(text)[: 4 * NAME_CHARACTERS].split())
    return fmt.printable(words[:NAME_CHARACTERS])


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):  # the latter: no name of a host can be like this
        return "there is no host of that name"
    why = getattr(error, "verify_message", "") or getattr(error, "reason", "")  # errors of TLS have these
    if isinstance(error, OSError) and (why or error.strerror):
        return brief(why or error.strerror)
    if isinstance(error, http.client.RemoteDisconnected | OSError):
        return "it hangs up without an answer"
    return f"its answer is not HTTP: {brief(type(error).__name__)}"
