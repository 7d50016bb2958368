"""The real Prometheus, on loopback, with its data in a directory of the test; and our exporter for it."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.live.program import END_S, PROGRAM, START_S
from tests.ports import free_port
from tests.waiting import becomes

SCRAPE_S = 1
_CONFIG = """
global:
  scrape_interval: {scrape}s
  evaluation_interval: {scrape}s
rule_files: {rules}
remote_read: {remote_read}
scrape_configs:
  - job_name: tcptop-rtt
    honor_labels: {honor_labels}
    static_configs:
      - targets: {targets}
"""


def fetched(url: str, **headers: str) -> bytes:
    """What is there."""
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - of this machine
    with urllib.request.urlopen(request, timeout=START_S) as answer:  # noqa: S310
        body: bytes = answer.read()
        return body


@contextmanager
def exporting(*options: str, host: str = "", before: tuple[str, ...] = ()) -> Iterator[int]:
    """The program as an exporter; its port.

    :param host: an IPv4 address; none: it is told only the port
    """
    port = free_port()
    command = [*before, PROGRAM, "--prometheus", f"{host}:{port}".lstrip(":"), *options]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == f"metrics at http://{host or '127.0.0.1'}:{port}/metrics\n"
            yield port
            process.terminate()
            assert process.wait(END_S) == 0
        finally:
            process.kill()


def scraped(port: int) -> str:
    """What the exporter tells."""
    return fetched(f"http://127.0.0.1:{port}/metrics").decode()


class Server:
    """A running server that is asked by Prometheus' API, on loopback; :meth:`close` ends it.

    :param command: starts it
    :param log: a file for what it says
    """

    def __init__(self, port: int, command: Sequence[str | Path], log: Path) -> None:
        self.port = port
        with log.open("wb") as said:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            assert becomes(self._is_ready, START_S), "it does not begin"
        except BaseException:
            self.close()
            raise

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"it has ended with {self.process.returncode}"
        with suppress(OSError):
            fetched(f"http://127.0.0.1:{self.port}/-/ready")
            return True
        return False

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()

    def api(self, path: str, **parameters: str) -> Any:
        """The data of an answer."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        answer = json.loads(fetched(url))
        assert answer["status"] == "success", answer
        return answer["data"]

    def value(self, query: str) -> float | None:
        """The one value that a query brings now; None: there is none yet."""
        result = self.api("query", query=query)["result"]
        assert len(result) <= 1, result
        return float(result[0]["value"][1]) if result else None

    def wait_for(self, query: str, holds: Callable[[float], bool], timeout_s: float = START_S) -> float:
        """The value of a query once it holds."""
        values: list[float | None] = []

        def is_there() -> bool:
            values.append(self.value(query))
            return values[-1] is not None and holds(values[-1])

        if not becomes(is_there, timeout_s) or values[-1] is None:
            pytest.fail(f"{query} stays {values[-1]}")
        return values[-1]


class Prometheus(Server):
    """The real one.

    :param targets: the ports that it scrapes
    :param honor_labels: whether they say themselves which instance they tell of
    :param remote: a server from which it reads as well, in its remote-read protocol
    """

    def __init__(
        self,
        place: Path,
        targets: tuple[int, ...],
        rules: tuple[Path, ...] = (),
        scrape_s: int = SCRAPE_S,
        honor_labels: bool = False,
        remote: str = "",
    ) -> None:
        port, config = free_port(), place / "prometheus.yml"
        names = json.dumps([str(path) for path in rules])
        addresses = json.dumps([f"127.0.0.1:{target}" for target in targets])
        honors = "true" if honor_labels else "false"
        reads = json.dumps([{"url": remote, "read_recent": True}] if remote else [])
        config.write_text(
            _CONFIG.format(
                scrape=scrape_s, rules=names, targets=addresses, honor_labels=honors, remote_read=reads
            )
        )
        options = (f"--config.file={config}", f"--storage.tsdb.path={place / 'data'}")
        command = ["prometheus", *options, f"--web.listen-address=127.0.0.1:{port}"]
        super().__init__(port, command, place / "prometheus.log")


@contextmanager
def prometheus(
    place: Path, target: int, rules: tuple[Path, ...] = (), others: tuple[int, ...] = ()
) -> Iterator[Prometheus]:
    """A server that ends with the block.

    :param others: ports that it scrapes, too
    """
    with closing(Prometheus(place, (target, *others), rules)) as server:
        yield server


def promtool(*arguments: str, text: str = "", place: Path | None = None) -> str:
    """What it says; it must find nothing wrong."""
    ended = subprocess.run(
        ["promtool", *arguments], input=text, capture_output=True, text=True, check=False, cwd=place
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr
