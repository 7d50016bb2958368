"""A client of Prometheus' HTTP API."""

from __future__ import annotations

import http.client
import urllib.parse
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from tcptop_rtt.model.errors import UsageError
from tcptop_rtt.web.address import web_address
from tcptop_rtt.web.client import Answer, WebClient, WebError, brief, plainly

TIMEOUT_S = 10.0
"""The time limit for a whole answer, from connecting to its last byte."""
MOST_BYTES = 32 << 20
_NOT_THERE = (404, 405, 410, 501)
"""Statuses of a server that has nothing at this address; with others it, or a proxy, may only fail now."""
_OF_THE_QUERY = "PromQL "
"""Begins a warning that is about the query, and not about data that could not be read."""


class FleetError(Exception):
    """A query has failed; the message is one line that says why."""


class Found(NamedTuple):
    """What a query has found."""

    series: list[dict[str, Any]]
    partial: str
    """Says in one line that a part is missing, and why; empty if the server says nothing of that."""


class Client:
    """Sends queries from one thread; any thread, and a signal handler, may call :meth:`cancel`."""

    def __init__(
        self,
        url: str,
        is_of_use: Callable[[], bool] = lambda: True,
        timeout_s: float = TIMEOUT_S,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Take the address of a server.

        :param is_of_use: whether the answer is still wanted; after it has become False call :meth:`cancel`

        :raises UsageError: the address is invalid
        """
        try:
            address = web_address(url)
        except ValueError:
            raise UsageError("--fleet takes an address such as http://prometheus:9090") from None
        self._path = address.path
        self._timeout_s = timeout_s
        self._client = WebClient(address, timeout_s, most_bytes, is_of_use)
        self.name = address.name
        """The address of the server, without the user's name and password."""

    def vector(self, query: str) -> Found:
        """The samples of an expression now.

        :raises FleetError: the query has failed
        """
        return self._result("query", "vector", {"query": query})

    def matrix(self, query: str, start_s: float, end_s: float, step_s: float) -> Found:
        """The series of an expression over a time range.

        :raises FleetError: the query has failed
        """
        span = {"start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": f"{step_s:.3f}"}
        return self._result("query_range", "matrix", {"query": query, **span})

    def cancel(self) -> None:
        """Make a running query fail soon."""
        self._client.cancel()

    def _result(self, path: str, kind: str, parameters: dict[str, str]) -> Found:
        reply = self._post(f"{self._path}/api/v1/{path}", parameters)
        try:
            answer = msgspec.json.decode(reply.body)  # refuses invalid UTF-8, in escapes too
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict) and answer.get("status") == "error":
            raise FleetError(f"it rejects the query: {brief(answer.get('error'))}")
        if reply.status != http.client.OK:
            raise FleetError(f"it answers {reply.status}{self._explained(reply)}")
        answer = answer if isinstance(answer, dict) and answer.get("status") == "success" else {}
        data = answer.get("data")
        result = data.get("result") if isinstance(data, dict) and data.get("resultType") == kind else None
        if not isinstance(result, list):
            raise FleetError("its answer is not that of a Prometheus server")
        return Found(result, _partial(answer))

    def _post(self, path: str, parameters: dict[str, str]) -> Answer:
        form = urllib.parse.urlencode({**parameters, "timeout": f"{self._timeout_s:g}s"})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept-Encoding": "identity"}
        try:
            reply = self._client.post(path, form, headers)
        except WebError as error:
            raise FleetError(str(error)) from None
        if reply.status in (401, 403):
            for_user = self._client.address.for_user
            raise FleetError(f"it answers {reply.status}: it asks for a user: {for_user}")
        return reply

    def _explained(self, reply: Answer) -> str:
        """What the status of an answer without data means; text to follow it."""
        if reply.status < 400 or reply.status in _NOT_THERE:
            return f": there is no Prometheus API at {self._path or '/'}"
        text = plainly(reply) or http.client.responses.get(reply.status, "")
        return f": {text}" if text else ""


def _partial(answer: dict[str, Any]) -> str:
    """That a part of an answer is missing, and why; empty if nothing says so."""
    warnings = answer.get("warnings")
    for warning in warnings if isinstance(warnings, list) else []:
        if isinstance(warning, str) and not warning.startswith(_OF_THE_QUERY):
            return f"its answer is partial: {brief(warning)}"
    return "its answer is partial" if answer.get("isPartial") is True else ""  # VictoriaMetrics has this flag
