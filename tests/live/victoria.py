"""VictoriaMetrics, which takes OTLP, on loopback, with its data in a directory of the test.

Debian's Prometheus is built without OTLP. Debian 13 has a VictoriaMetrics with it that runs on
other releases, too: it is fetched once, and not installed.
"""

from __future__ import annotations

import platform
from pathlib import Path

from tests.live.prometheus import Server
from tests.ports import free_port
from tests.vm.archive import debian
from tests.vm.packages import unpacked

_SUITE = "trixie"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class VictoriaMetrics(Server):
    """The real one; ``url`` is the address to be given to ``--otlp``."""

    def __init__(self, place: Path) -> None:
        archive = debian(_ARCHITECTURES[platform.machine()])
        tree = unpacked(archive, f"victoria-metrics/{_SUITE}", name=f"victoria-metrics-{_SUITE}")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/opentelemetry"
        options = (
            f"-storageDataPath={place / 'data'}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-opentelemetry.usePrometheusNaming",
            "-search.latencyOffset=0s",  # the latest numbers are there at once
            "-search.disableCache",
            "-memory.allowedBytes=128MB",
        )
        super().__init__(port, [tree / "usr/bin/victoria-metrics", *options], place / "victoria.log")
