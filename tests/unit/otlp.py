"""What is pushed by OTLP, and a receiver: with the official messages."""

from __future__ import annotations

import gzip
import itertools
import ssl
import subprocess
import threading
from collections.abc import Iterable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE


class Point(NamedTuple):
    """One number, or one histogram."""

    name: str
    unit: str
    kind: str
    """The kind of its metric: ``gauge``, ``sum``, ``monotonic``, ``histogram``, ``exponential_histogram``."""
    labels: dict[str, Any]
    raw: Any

    @property
    def value(self) -> float:
        """Of a number."""
        found: float = getattr(self.raw, self.raw.WhichOneof("value"))
        return found


def plain(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes by name; each is there once."""
    pairs = [(one.key, getattr(one.value, str(one.value.WhichOneof("value")))) for one in attributes]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def points(*bodies: bytes) -> list[Point]:
    """All points of requests; fails where they are not as OTLP wants them."""
    found = []
    for body in bodies:
        (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
        (scope,) = resource.scope_metrics
        assert len({metric.name for metric in scope.metrics}) == len(scope.metrics)
        for metric in scope.metrics:
            data = getattr(metric, str(metric.WhichOneof("data")))
            kind = str(metric.WhichOneof("data"))
            if kind != "gauge":
                assert data.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
            if kind == "sum" and data.is_monotonic:
                kind = "monotonic"
            for point in data.data_points:
                assert 0 < point.start_time_unix_nano <= point.time_unix_nano
                found.append(Point(metric.name, metric.unit, kind, plain(point.attributes), point))
    keys = [(one.name, *sorted(one.labels.items())) for one in found]
    assert len({*keys}) == len(keys), "a series is there twice"
    return found


def chosen(there: list[Point], name: str, **labels: Any) -> list[Point]:
    """Those of a name that have these labels, with ``_`` for each dot."""
    return [
        one
        for one in there
        if one.name == name
        and labels.items() <= {key.replace(".", "_"): value for key, value in one.labels.items()}.items()
    ]


def value(there: list[Point], name: str, **labels: Any) -> float:
    """The sum of these; there must be one."""
    values = [one.value for one in chosen(there, name, **labels)]
    assert values, f"no {name} {labels}"
    return sum(values)


Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


class Receiving(ThreadingHTTPServer):
    """A receiver on loopback that answers as a test says, however badly, and keeps what it has taken.

    :param answers: of each request; the last one is for all that come after it, too
    :param certificate: a file with it and its key; None: it speaks without TLS
    """

    daemon_threads = True

    def __init__(self, *answers: Answer, certificate: Path | None = None) -> None:
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self._answers = itertools.chain(answers[:-1], itertools.repeat(answers[-1]))
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.url = f"https://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def take(self, path: str, headers: Message, body: bytes) -> Answer:
        """Keep a request; what it is answered."""
        self.paths.append(path)
        self.headers.append(dict(headers.items()))
        self.bodies.append(gzip.decompress(body))
        return next(self._answers)

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that does not trust it goes away."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiving

    def do_POST(self) -> None:
        """A push."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, headers, answer = self.server.take(self.path, self.headers, body)
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """It is no news."""


OK: Answer = (200, {"Content-Type": "application/x-protobuf"}, b"")
"""All is well."""


def self_signed(place: Path) -> tuple[Path, Path]:
    """A certificate of loopback that nobody vouches for, and a file that has its key, too."""
    key, certificate, both = (place / f"{name}.pem" for name in ("key", "certificate", "both"))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    return certificate, both
