"""The fleet over the real Prometheus, which scrapes real exporters that watch a link of known delay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.live.link import Link, asking, echoing
from tests.live.program import PROGRAM, START_S, Line, as_nobody, complaint, lines_of, run
from tests.live.prometheus import Prometheus, exporting, prometheus, scraped
from tests.live.terminal import Terminals
from tests.ports import free_port
from tests.unit.exposed import bucket, value

DELAY_MS = 25
"""Each way."""
BYTES = 1000


@contextmanager
def fleet(place: Path) -> Iterator[tuple[Prometheus, int, list[int]]]:
    """A server, the port of the one service, and the exporters of its client's and of its server's end."""
    port = free_port()
    with (
        Link(DELAY_MS) as link,
        exporting("--interval", "0.5", "--filter", f"rport:{port}") as client,
        exporting("--interval", "0.5", "--filter", f"lport:{port}") as server,
        prometheus(place, client, others=(server,)) as found,
    ):
        link.start(link.b, echoing(port))
        link.start(link.a, asking(port, BYTES, 0.01))
        found.wait_for(f'min(count_over_time(tcptop_connections{{service="{port}"}}[1m]))', lambda n: n >= 5)
        yield found, port, [client, server]


def rows(server: Prometheus, table: str) -> list[Line]:
    """Those of a table of the fleet, for an ordinary user."""
    asked = ("--fleet", f"http://127.0.0.1:{server.port}", "--fleet-by", table, "--fleet-range", "1m")
    found = lines_of(run(*asked, "--json", "--count", "1", before=as_nobody()))
    return [line for line in found if line["event"] == "row"]


def test_the_rows_are_what_the_exporters_say_of_a_link_of_50_ms(tmp_path: Path) -> None:
    with fleet(tmp_path) as (server, port, exporters):
        hosts = {row["instance"]: row for row in rows(server, "hosts")}
        (client, served) = (f"127.0.0.1:{exporter}" for exporter in exporters)
        assert hosts.keys() == {client, served}
        for exporter in exporters:
            row, text = hosts[f"127.0.0.1:{exporter}"], scraped(exporter)
            assert row["connections"] == value(text, "tcptop_connections", service=str(port)) == 1
            mean_us = 1e6 * (value(text, "tcptop_rtt_seconds_sum") / value(text, "tcptop_rtt_seconds_count"))
            assert row["mean_us"] >= 1000 * 2 * DELAY_MS
            # Their time differs, and the path's delay does not.
            assert abs(bucket(row["mean_us"]) - bucket(mean_us)) <= 1
            assert abs(bucket(row["p50_us"]) - bucket(2000 * DELAY_MS)) <= 1
            assert row["p50_us"] <= row["p99_us"]
            assert row["stalled"] == 0
        # Each end receives what the other one sends.
        assert hosts[client]["in_bps"] > 0
        assert 0.5 < hosts[client]["in_bps"] / hosts[served]["out_bps"] < 2
        services = {(row["direction"], row["service"]) for row in rows(server, "services")}
        assert services >= {("in", str(port)), ("out", str(port))}
        assert "10.199.0.0/24" in {row["remote_network"] for row in rows(server, "networks")}
        assert any(row["process"].startswith("python") for row in rows(server, "processes"))


def test_the_screen_goes_into_a_host_and_stays_up_without_the_server(
    tmp_path: Path, terminals: Terminals
) -> None:
    with fleet(tmp_path) as (server, port, exporters):
        terminal, address = terminals(), f"http://127.0.0.1:{server.port}"
        terminal.run(f"{PROGRAM} --fleet {address} --fleet-range 1m --interval 0.5")
        ours, other = (f"127.0.0.1:{exporter}" for exporter in exporters)
        terminal.wait_for(ours, "ms", timeout_s=START_S)
        terminal.wait_for(ours, "▁")
        assert not terminal.line_with("samples/s")  # a server does not tell how many there are
        terminal.filter(ours)
        terminal.expect(lambda: not terminal.line_with(other), "the other host gone")
        terminal.press("Enter")
        terminal.wait_for(f"{ours} > processes")
        terminal.wait_for("python", "ms")
        terminal.press("Enter")
        terminal.wait_for(f"to :{port}", "ms")
        server.close()
        terminal.wait_for("Connection refused")
        terminal.wait_for("s old", timeout_s=START_S)
        assert terminal.line_with(f"to :{port}", "ms")
        terminal.press("C-c")
        terminal.check_restored()


def test_an_answer_that_lacks_what_another_store_has_is_shown_as_partial(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/read"
    with (
        exporting("--interval", "0.5") as exporter,
        closing(Prometheus(tmp_path, (exporter,), remote=nobody)) as server,
    ):
        server.wait_for("count_over_time(tcptop_build_info[1m])", lambda n: n >= 3)
        asked = ("--fleet", f"http://127.0.0.1:{server.port}", "--fleet-range", "1m", "--count", "1")
        title, _, row = run(*asked, before=as_nobody()).stdout.strip().splitlines()
        problem = f"127.0.0.1:{server.port}: its answer is partial: remote_read: error sending request: Post"
        assert f"  ! {problem}" in title
        assert "connection refused" in title
        assert row.startswith(f"127.0.0.1:{exporter}")
        told = lines_of(run(*asked, "--json", before=as_nobody()))
        assert [line["event"] for line in told] == ["header", "problem", "row", "answer", "end"]
        assert told[1]["problem"].startswith(problem)


def refused(address: str) -> str:
    """What is said where it cannot begin."""
    return complaint(run("--fleet", address))


def test_a_server_that_is_not_there_or_knows_nothing_of_us_is_told_in_one_line(tmp_path: Path) -> None:
    nobody = free_port()
    assert refused(f"http://127.0.0.1:{nobody}") == (
        f"tcptop-rtt: cannot ask 127.0.0.1:{nobody}: Connection refused"
    )
    with prometheus(tmp_path, nobody) as server:
        assert "has no metrics of tcptop-rtt" in refused(f"http://127.0.0.1:{server.port}")
        assert "there is no Prometheus API at /elsewhere" in refused(
            f"http://127.0.0.1:{server.port}/elsewhere"
        )
    with exporting() as exporter:
        assert "there is no Prometheus API" in refused(f"http://127.0.0.1:{exporter}")
