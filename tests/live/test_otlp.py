"""Metrics by OTLP as a receiver has them: a real one is told of real traffic, and knows what is known."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.live.known_traffic import DELAY_MS, check_bytes, check_times, start
from tests.live.link import Link
from tests.live.program import END_S, PROGRAM, START_S, run
from tests.live.victoria import VictoriaMetrics
from tests.ports import free_port, serve
from tests.unit.otlp import OK, Receiving, chosen, points
from tests.unit.otlp import value as value_of
from tests.waiting import becomes

_PER_BUCKET = 2 ** (1 / 8)


@contextmanager
def pushing(url: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The program, pushing."""
    command = [PROGRAM, "--otlp", url, *options]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            where = url.removeprefix("http://")
            assert process.stdout.readline() == f"metrics go to {where}/v1/metrics\n"
            yield process
            process.terminate()
            _, complaint = process.communicate(timeout=END_S)
            assert (process.returncode, complaint) == (0, "")
        finally:
            process.kill()


def test_a_receiver_knows_the_link_the_bytes_and_the_connections_of_known_traffic(tmp_path: Path) -> None:
    port, times = free_port(), 3
    with (
        Link(DELAY_MS) as link,
        closing(VictoriaMetrics(tmp_path)) as server,
        pushing(server.url, "--interval", "0.5", "--filter", f"port:{port}"),
    ):
        start(link, port, times)
        group = f'server_port="{port}",tcptop_remote_network="10.199.0.0/24"'
        rtt = "system_network_tcp_rtt_duration_seconds"
        for role in ("client", "server"):
            labels = f'{group},network_tcp_handshake_role="{role}"'
            # What a connection brought before its process was known is counted without a process.
            ours = f'{labels},process_executable_name=~"python.*"'
            server.wait_for(f"sum(tcptop_connection_closed_total{{{ours}}})", lambda closed: closed == times)
            opened = "system_network_tcp_connection_successes_total"
            assert server.value(f"sum({opened}{{{labels}}})") == times
            assert server.value(f"sum(tcptop_connection_count{{{labels}}})") == 0
            for direction in ("transmit", "receive"):
                bytes_ = f'{{{labels},network_io_direction="{direction}"}}'
                check_bytes(server, times, f"sum(tcptop_connection_io_bytes_total{bytes_})")
        names = rtt, "system_network_tcp_handshake_duration_seconds"
        median = check_times(server, times, names, f'{group},network_tcp_handshake_role="client"', "vmrange")
        # The link holds up all, and the bucket says more than that.
        assert median * 1000 >= 2 * DELAY_MS / _PER_BUCKET
        # Each series is of one instance.
        assert server.value(f"count(count by (service_name, service_instance_id) ({rtt}_count))") == 1


def test_what_comes_between_the_last_push_and_the_end_is_pushed_at_the_end() -> None:
    times = 20
    with Receiving(OK) as receiver, serve(backlog=times) as listener:
        port = listener.getsockname()[1]
        with pushing(receiver.url, "--interval", "3600", "--filter", f"port:{port}"):
            for _ in range(times):
                with socket.create_connection(listener.getsockname()):
                    listener.accept()[0].close()
        first, last = map(points, receiver.bodies)
    name = "system.network.tcp.connection.successes"
    assert name not in {one.name for one in first}
    assert value_of(last, name, network_tcp_handshake_role="client", server_port=port) == times


def test_what_is_counted_while_the_receiver_is_away_is_in_the_next_push() -> None:
    times, away = 20, (503, {"Retry-After": "1"}, b"")
    name, role = "tcptop.connection.closed", {"network_tcp_handshake_role": "client"}
    with (
        Receiving(away, away, OK) as receiver,
        serve(backlog=times) as listener,
    ):
        port = listener.getsockname()[1]
        options = ["--interval", "0.2", "--filter", f"port:{port}"]
        process = subprocess.Popen(
            [PROGRAM, "--otlp", receiver.url, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                assert becomes(lambda: bool(receiver.bodies), START_S)
                for _ in range(times):
                    with socket.create_connection(listener.getsockname()):
                        listener.accept()[0].close()

                def is_there() -> bool:
                    there = points(receiver.bodies[-1])
                    return bool(chosen(there, name)) and value_of(there, name, **role) == times

                assert becomes(is_there, START_S)
                process.terminate()
                _, complaint = process.communicate(timeout=END_S)
            finally:
                process.kill()
    where = f"{receiver.url.removeprefix('http://')}/v1/metrics"
    assert complaint.splitlines() == [
        f"tcptop-rtt: metrics do not reach {where}: it answers 503",
        f"tcptop-rtt: metrics reach {where} again",
    ]


def test_a_number_of_pushes_ends_with_code_1_if_the_last_one_does_not_arrive() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    ended = run("--otlp", url, "--interval", "0.2", "--count", "1")
    assert ended.returncode == 1
    where = f"{url.removeprefix('http://')}/v1/metrics"
    assert ended.stderr == f"tcptop-rtt: metrics do not reach {where}: Connection refused\n"
    with Receiving(OK) as receiver:
        ended = run("--otlp", receiver.url, "--interval", "0.2", "--count", "1")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert receiver.bodies


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda it: it.name)
def test_a_signal_ends_it_with_code_0_while_a_receiver_is_silent(number: signal.Signals) -> None:
    with serve() as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [PROGRAM, "--otlp", url, "--interval", "60"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                assert process.stdout.readline().startswith("metrics go to ")
                connection, _ = silent.accept()
                with connection:
                    process.send_signal(number)
                    _, complaint = process.communicate(timeout=END_S)
            finally:
                process.kill()
    assert process.returncode == 0
    (line,) = complaint.splitlines()
    assert line.startswith("tcptop-rtt: the last metrics have not reached 127.0.0.1:")
