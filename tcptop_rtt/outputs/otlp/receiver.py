"""Sends requests to an OTLP receiver, and interprets its answers by the rules of OTLP/HTTP."""

from __future__ import annotations

import gzip
import http.client
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from email.message import Message
from email.utils import parsedate_to_datetime

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)

from tcptop_rtt.view import format as fmt
from tcptop_rtt.web.address import WebAddress
from tcptop_rtt.web.client import Answer, RedirectedError, WebClient, WebError, brief, plainly

PATH = "/v1/metrics"
_TYPE = "application/x-protobuf"
_MOST_BYTES = 4 << 20
"""The size limit of an answer, as OTLP recommends."""
_FASTEST = 1
_TRANSIENT = (
    http.client.TOO_MANY_REQUESTS,
    http.client.BAD_GATEWAY,
    http.client.SERVICE_UNAVAILABLE,
    http.client.GATEWAY_TIMEOUT,
)
_LONGEST_WAIT_S = 3600.0
"""The limit for the wait that a receiver asks for."""
_GRPC_PORT = 4317


class NotTakenError(Exception):
    """The receiver has not accepted a request; the message is one line that gives the reason.

    :param is_transient: the receiver may accept the same request later
    :param after_s: seconds to wait, as the receiver asks for; None if it does not
    """

    def __init__(self, why: str, is_transient: bool, after_s: float | None = None) -> None:
        super().__init__(why)
        self.is_transient = is_transient
        self.after_s = after_s


class Receiver:
    """An OTLP receiver. One thread pushes; any thread may cancel.

    :param headers: sent with each request, in addition to those of OTLP
    :param timeout_s: limit for each request, up to the last byte of the answer
    """

    def __init__(self, address: WebAddress, headers: Mapping[str, str], timeout_s: float) -> None:
        self._path = address.path if address.path.endswith(PATH) else address.path + PATH
        self._port = address.port
        self._is_of_use = True
        self._client = WebClient(address, timeout_s, _MOST_BYTES, lambda: self._is_of_use)
        ours = {"Content-Type": _TYPE, "Content-Encoding": "gzip"}
        self._headers = {"User-Agent": "tcptop-rtt", **headers, **ours}
        self.name = address.name.removesuffix(PATH) + PATH
        """The address for messages, without the user's name and password."""

    def cancel(self) -> None:
        """Stop pushing, and make the request in progress, if any, fail soon."""
        self._is_of_use = False
        self._client.cancel()

    def push(self, bodies: Iterable[bytes]) -> str:
        """Send the requests in turn. Return the receiver's complaint; empty if none.

        :raises NotTakenError: a request was not accepted
        """
        said = ""
        for body in bodies:
            said = self._push(body) or said
        return said

    def _push(self, body: bytes) -> str:
        try:
            answer = self._client.post(self._path, gzip.compress(body, _FASTEST), self._headers)
        except RedirectedError as error:
            raise NotTakenError(str(error), is_transient=False) from None
        except WebError as error:
            hint = f" ({_GRPC_PORT} is for gRPC: take 4318)" if self._port == _GRPC_PORT else ""
            raise NotTakenError(f"{error}{hint}", is_transient=True) from None
        if answer.status in (200, 202):
            return _complaint(answer.body)
        is_transient = answer.status in _TRANSIENT
        why = f"it answers {answer.status}{self._explained(answer)}"
        raise NotTakenError(why, is_transient, _retry_after_s(answer.headers) if is_transient else None)

    def _explained(self, answer: Answer) -> str:
        if answer.status in (401, 403):
            for_user = self._client.address.for_user
            return f": it asks for credentials: --otlp-headers FILE, or {for_user}"
        text = plainly(answer)
        if answer.headers.get_content_type() == _TYPE:
            with suppress(DecodeError):
                # The body is a google.rpc.Status, which has the same fields: 1 a number, 2 the message.
                text = brief(ExportMetricsPartialSuccess.FromString(answer.body).error_message)
        return f": {text}" if text else ""


def _complaint(body: bytes) -> str:
    """Return the complaint in the answer to an accepted request; empty if there is none."""
    try:
        partial = ExportMetricsServiceResponse.FromString(body).partial_success
    except DecodeError:
        raise NotTakenError("its answer is not OTLP", is_transient=False) from None
    if count := partial.rejected_data_points:
        return f"it has refused {count} {fmt.noun(count, 'number')}: {brief(partial.error_message)}"
    return f"it says: {brief(partial.error_message)}" if partial.error_message else ""


def _retry_after_s(headers: Message) -> float | None:
    """Return the seconds to wait by Retry-After, seconds or a date; None if absent or malformed."""
    text = str(headers.get("Retry-After", "")).strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_S)
