"""Pushing metrics by OTLP: what becomes of a push that is not taken, and of those before and after it."""

from __future__ import annotations

import argparse
import base64
import os
import re
import socket
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)

from tcptop_rtt.environment import Invoker
from tcptop_rtt.model.errors import UsageError
from tcptop_rtt.outputs.otlp import encoding, pushed, receiver
from tcptop_rtt.outputs.otlp.pushed import Pushed
from tests.unit.counted import Counted, out
from tests.unit.otlp import OK, Answer, Receiving, points, self_signed, value
from tests.waiting import ENOUGH_S, becomes


@contextmanager
def pushing(url: str, refreshes: int = 1, headers: str | None = None) -> Iterator[tuple[Pushed, list[str]]]:
    """What pushes there, and what it has said so far."""
    said: list[str] = []
    options = argparse.Namespace(
        otlp=url, otlp_headers=headers, refreshes_per_update=refreshes, invoker=Invoker(os.getuid(), "")
    )
    pushes = Pushed(options, said.append)
    try:
        yield pushes, said
    finally:
        pushes.close()


def _sent(body: bytes) -> float:
    return value(points(body), "tcptop.connection.io", network_io_direction="transmit")


def test_it_is_posted_where_otlp_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushed, "LAST_S", ENOUGH_S)
    for path, asked in (
        ("", "/v1/metrics"),
        ("/a/b/", "/a/b/v1/metrics"),
        ("/x/v1/metrics", "/x/v1/metrics"),
    ):
        with Receiving(OK) as taker:
            with pushing(taker.url.replace("//", "//me:p%20w@") + path) as (pushes, said):
                assert pushes.where == f"metrics go to {taker.url.removeprefix('http://')}{asked}"
                pushes.show(Counted().take(out(1, bytes_acked=7)))
            assert (taker.paths, said) == ([asked], [])
            (headers,) = taker.headers
            assert headers["Content-Type"] == "application/x-protobuf"
            assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"me:p w"
            assert _sent(taker.bodies[0]) == 7


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An empty file that only its owner can read."""
    path = tmp_path / "headers"
    path.touch(0o600)
    return path


def test_the_headers_of_a_file_go_with_each_push(file: Path) -> None:
    file.write_text("# a key\n\nApi-Key: s3cret = 1 \nAuthorization:\tBearer x\nUser-Agent: me\n")
    with Receiving(OK) as taker:
        with pushing(taker.url, headers=str(file)) as (pushes, _):
            pushes.show(Counted().take())
        (headers,) = taker.headers
    assert headers["Api-Key"] == "s3cret = 1"
    assert headers["Authorization"] == "Bearer x"
    assert headers["User-Agent"] == "me"
    assert headers["Content-Type"] == "application/x-protobuf"


def test_names_of_headers_have_no_case_so_that_each_goes_once(file: Path) -> None:
    file.write_text("user-agent: me\napi-key: 1\nAPI-KEY: 2\n")
    with Receiving(OK) as taker:
        with pushing(taker.url, headers=str(file)) as (pushes, _):
            pushes.show(Counted().take())
        (headers,) = taker.headers
    names = [name.lower() for name in headers]
    assert (names.count("user-agent"), names.count("api-key")) == (1, 1)
    assert (headers["User-Agent"], headers["Api-Key"]) == ("me", "2")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: b\nroot:$6$x:1", "line 2 is not NAME: VALUE"),
        ("secret", "line 1 is not NAME: VALUE"),
        ("a:", "line 1 is not NAME: VALUE"),
        ("a: secret\x1b", "line 1 is not NAME: VALUE"),
        ("a b: secret", "line 1 is not NAME: VALUE"),
        ("é: secret", "line 1 is not NAME: VALUE"),
        ("content-TYPE: secret", "line 1 names a header that is not to be chosen"),
        ("a: secret\n" * 10_000, "it is larger than 64 KiB"),
    ],
    ids=lambda it: it[:10],
)
def test_a_file_of_something_else_is_refused_with_nothing_of_it_told(file: Path, text: str, why: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError) as refused, pushing("http://127.0.0.1", headers=str(file)):
        pass
    assert str(refused.value) == f"--otlp-headers {file}: {why}"


def test_a_file_that_others_can_read_or_that_is_none_is_refused(file: Path) -> None:
    file.chmod(0o640)
    missing, fifo = file.with_name("missing"), file.with_name("fifo")
    os.mkfifo(fifo, 0o600)
    for path, why in (
        (file, f"it is for others, too: run chmod go= {file}"),
        (missing, "No such file or directory"),
        (fifo, "it is not a regular file"),
        (file.parent, "it is not a regular file"),
    ):
        with pytest.raises(UsageError) as refused, pushing("http://127.0.0.1", headers=str(path)):
            pass
        assert str(refused.value) == f"--otlp-headers {path}: {why}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of others to give")
def test_a_file_of_somebody_else_is_refused(file: Path) -> None:
    os.chown(file, 65534, 65534)
    with pytest.raises(UsageError) as refused, pushing("http://127.0.0.1", headers=str(file)):
        pass
    assert str(refused.value) == f"--otlp-headers {file}: it belongs to UID 65534: run chown 0 {file}"


def test_every_so_many_refreshes_are_pushed_and_the_last_one_is() -> None:
    counted = Counted()
    with Receiving(OK) as taker:
        with pushing(taker.url, refreshes=10) as (pushes, _):
            for sent in range(1, 26):
                pushes.show(counted.take(out(1, bytes_acked=sent)))
                if sent % 10 == 1:
                    assert becomes(lambda: len(taker.bodies) == 1 + sent // 10)  # noqa: B023
        assert [_sent(body) for body in taker.bodies] == [1, 11, 21, 25]


def test_what_was_pushed_already_is_not_pushed_again_at_the_end() -> None:
    with Receiving(OK) as taker:
        with pushing(taker.url) as (pushes, _):
            pushes.show(Counted().take())
            assert becomes(lambda: bool(taker.bodies))
        assert len(taker.bodies) == 1


def test_without_a_snapshot_nothing_is_pushed() -> None:
    with Receiving(OK) as taker:
        with pushing(taker.url):
            pass
        assert taker.bodies == []


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_a_receiver_cannot_take_just_now_is_pushed_again_with_nothing_lost(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushed, "_FIRST_WAIT_S", 0.01)
    busy: Answer = (status, {}, b"")
    with Receiving(busy, busy, busy, OK) as taker:
        with pushing(taker.url, refreshes=100) as (pushes, said):
            pushes.show(Counted().take(out(1, bytes_acked=7)))
            assert becomes(lambda: len(said) == 2)
        assert [_sent(body) for body in taker.bodies] == [7] * 4
    name = taker.url.removeprefix("http://") + "/v1/metrics"
    assert said == [f"metrics do not reach {name}: it answers {status}", f"metrics reach {name} again"]


def test_pauses_grow_and_differ_and_have_a_bound() -> None:
    for failures, longest_s in ((1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (1000, 60)):
        pauses = {pushed._backoff_s(failures) for _ in range(50)}
        assert len(pauses) > 40
        assert all(longest_s / 2 <= pause_s <= longest_s for pause_s in pauses)


@pytest.mark.parametrize("as_date", [False, True])
def test_a_receiver_that_says_when_is_asked_no_sooner(as_date: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushed, "_FIRST_WAIT_S", 0.001)
    after = formatdate(time.time() + 3, usegmt=True) if as_date else "2"
    counted = Counted()
    with Receiving((503, {"Retry-After": after}, b""), OK) as taker:
        with pushing(taker.url) as (pushes, _):
            began_s = time.monotonic()
            pushes.show(counted.take(out(1, bytes_acked=1)))
            assert becomes(lambda: bool(taker.bodies))
            pushes.show(counted.take(out(1, bytes_acked=2)))
            assert becomes(lambda: len(taker.bodies) == 2)
            assert time.monotonic() - began_s > 1.9
        assert [_sent(body) for body in taker.bodies] == [1, 2]


@pytest.mark.parametrize("as_date", [False, True])
def test_one_that_says_at_once_is_asked_after_the_pause_all_the_same(
    as_date: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushed, "_FIRST_WAIT_S", 60.0)
    after = formatdate(time.time() - 3600, usegmt=True) if as_date else "0"
    with Receiving(*[(503, {"Retry-After": after}, b"")] * 20) as taker:
        with pushing(taker.url) as (pushes, _):
            pushes.show(Counted().take())
            assert becomes(lambda: bool(taker.bodies))
            assert not becomes(lambda: len(taker.bodies) > 1, 0.5)
        assert len(taker.bodies) == 2  # the last one, at the end


def test_a_receiver_that_says_never_is_asked_once_more_at_the_end() -> None:
    with Receiving((429, {"Retry-After": "9" * 50}, b""), OK) as taker:
        with pushing(taker.url) as (pushes, _):
            pushes.show(Counted().take())
            assert becomes(lambda: bool(taker.bodies))
        assert len(taker.bodies) == 2


def _answer(**fields: Any) -> bytes:
    partial = ExportMetricsPartialSuccess(**fields)
    return ExportMetricsServiceResponse(partial_success=partial).SerializeToString()


@pytest.mark.parametrize(
    ("status", "headers", "body", "why"),
    [
        (400, {"Content-Type": "application/x-protobuf"}, b"\x08\x03\x12\x05bad\x1b[", "400: bad\ufffd["),
        (400, {"Content-Type": "text/plain; charset=utf-8"}, b"no\nway \xff", "answers 400: no way \ufffd"),
        (400, {"Content-Type": "application/x-protobuf"}, b"\xff", "it answers 400"),
        (404, {"Content-Type": "text/html"}, b"<html>", "it answers 404"),
        (500, {}, b"", "it answers 500"),
        (401, {}, b"", "401: it asks for credentials: --otlp-headers FILE, or http://NAME:PASSWORD@127."),
        (307, {"Location": "http://127.0.0.1:9/steal"}, b"", "it redirects to http://127.0.0.1:9/steal"),
        (200, {}, b"<html>hello</html>", "its answer is not OTLP"),
        (200, {}, b"x" * (5 << 20), "its answer is larger than 4 MiB"),
    ],
    ids=lambda it: str(it)[:20],
)  # fmt: skip
def test_why_it_is_not_taken_is_told_in_one_line_and_it_goes_on(
    status: int, headers: dict[str, str], body: bytes, why: str
) -> None:
    counted = Counted()
    with Receiving((status, headers, body), OK) as taker:
        with pushing(taker.url) as (pushes, said):
            pushes.show(counted.take(out(1, bytes_acked=1)))
            assert becomes(lambda: bool(said))
            pushes.show(counted.take(out(1, bytes_acked=2)))
            assert becomes(lambda: len(said) == 2)
        assert _sent(taker.bodies[-1]) == 2
    assert why in said[0]
    assert said[0].isprintable()
    assert len(said) == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rejected_data_points": 1, "error_message": "a"}, "but it has refused 1 number: a"),
        ({"rejected_data_points": 3, "error_message": "a\n\x1bb"}, "but it has refused 3 numbers: a \ufffdb"),
        ({"error_message": "slow down"}, "but it says: slow down"),
    ],
)  # fmt: skip
def test_what_is_taken_in_part_is_told_and_not_pushed_again(fields: dict[str, Any], words: str) -> None:
    with Receiving((200, {}, _answer(**fields))) as taker:
        with pushing(taker.url) as (pushes, said):
            pushes.show(Counted().take())
            assert becomes(lambda: bool(said))
        assert len(taker.bodies) == 1
    (line,) = said
    assert line.endswith(words)


def test_the_same_trouble_is_told_once() -> None:
    counted = Counted()
    with Receiving((400, {}, b"")) as taker, pushing(taker.url) as (pushes, said):
        for number in range(5):
            pushes.show(counted.take())
            assert becomes(lambda: len(taker.bodies) > number)  # noqa: B023
    assert len(said) == 1


def test_a_fault_of_ours_is_told_and_the_next_push_goes_well(monkeypatch: pytest.MonkeyPatch) -> None:
    counted, requests = Counted(), encoding.requests
    with Receiving(OK) as taker:
        with pushing(taker.url) as (pushes, said):
            monkeypatch.setattr(encoding, "requests", lambda _: 1 // 0)
            pushes.show(counted.take())
            assert becomes(lambda: bool(said))
            monkeypatch.setattr(encoding, "requests", requests)
            pushes.show(counted.take(out(1, bytes_acked=3)))
            assert becomes(lambda: bool(taker.bodies))
        assert _sent(taker.bodies[-1]) == 3
    assert "unexpected ZeroDivisionError: integer division or modulo by zero: please report" in said[0]


def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pushing(f"http://127.0.0.1:{port}") as (pushes, said):
        pushes.show(Counted().take())
        assert becomes(lambda: bool(said))
    assert said == [f"metrics do not reach 127.0.0.1:{port}/v1/metrics: Connection refused"]


def test_who_speaks_grpc_is_known_by_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" * 20  # what HTTP/2 begins with
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setattr(receiver, "_GRPC_PORT", port)
        with pushing(f"http://127.0.0.1:{port}") as (pushes, said):
            pushes.show(Counted().take())
            connection, _ = listener.accept()
            with connection:
                connection.sendall(settings)
                connection.shutdown(socket.SHUT_WR)
                assert becomes(lambda: bool(said))
    assert said[0].endswith(f": its answer is not HTTP: BadStatusLine ({port} is for gRPC: take 4318)")


def test_a_receiver_that_cannot_prove_who_it_is_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, both = self_signed(tmp_path)
    for trusted in (False, True):
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with Receiving(OK, certificate=both) as taker:
            with pushing(taker.url.replace("//", "//me:secret@")) as (pushes, said):
                pushes.show(Counted().take())
                assert becomes(lambda: bool(said or taker.bodies))
            assert bool(taker.bodies) == trusted
        assert trusted or "self-signed certificate" in said[0]


def test_the_end_waits_for_a_silent_receiver_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushed, "LAST_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pushing(f"http://127.0.0.1:{port}") as (pushes, said):
            pushes.show(Counted().take())
            connection, _ = silent.accept()
            with connection:
                began_s = time.monotonic()
                pushes.close()
                assert time.monotonic() - began_s < pushed.TIMEOUT_S
    (line,) = said
    assert "the last metrics have not reached 127.0.0.1" in line


def test_who_counts_never_waits_for_who_pushes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushed, "LAST_S", 0.1)
    counted = Counted()
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pushing(f"http://127.0.0.1:{silent.getsockname()[1]}") as (pushes, _),
    ):
        began_s = time.monotonic()
        for _ in range(100):
            pushes.show(counted.take())
        assert time.monotonic() - began_s < pushed.TIMEOUT_S


@pytest.mark.parametrize(
    "url", ["", "localhost:4318", "ftp://a", "http://", "http://a:x", "http://a/?b", "http://a b"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match=re.escape("--otlp takes an address such as http://127.0.0.1:4318")):
        Pushed(argparse.Namespace(otlp=url, otlp_headers=None, refreshes_per_update=1))


def test_what_is_asked_for_is_what_the_extra_has() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["otlp"] == [pushed.REQUIREMENT]
