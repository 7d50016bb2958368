"""Requests and answers over a link, of known number, size and time, and what is to be told of them."""

from __future__ import annotations

from tests.live.link import ADDRESSES, Link, echoing
from tests.live.prometheus import Server
from tests.unit.exposed import bucket

DELAY_MS = 25
"""Each way."""
ROUND_TRIPS, BYTES = 100, 1000

_ASK = f"""
import socket
print("ready", flush=True)
for _ in range({{times}}):
    with socket.create_connection(("{ADDRESSES["b"][0]}", {{port}})) as connection:
        for _ in range({ROUND_TRIPS}):
            connection.sendall(bytes({BYTES}))
            left = {BYTES}
            while left:
                left -= len(connection.recv(left))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
"""


def start(link: Link, port: int, times: int) -> None:
    """Have one end ask the other by so many connections, one after another.

    :param link: of DELAY_MS
    """
    link.start(link.b, echoing(port))
    link.start(link.a, _ASK.format(port=port, times=times))


def check_bytes(server: Server, times: int, query: str) -> None:
    """Check what it has of one way of so many connections."""
    found, sent = server.value(query), times * ROUND_TRIPS * BYTES
    assert found is not None, query
    assert sent <= found <= sent + 2 * times, query  # SYN and FIN count one each


def check_times(
    server: Server, times: int, names: tuple[str, str], labels: str, by: str, whole: str = ""
) -> float:
    """Check what it has of RTTs and connects of the end that asks; the median RTT in seconds.

    :param names: of the two metrics
    :param by: the label that tells buckets apart
    :param whole: chooses the buckets that have all samples between them; empty: all of them have
    """
    rtt, connect = names
    samples = server.value(f"sum({rtt}_count{{{labels}}})") or 0
    assert samples >= times * ROUND_TRIPS
    # Nothing is in no bucket.
    assert server.value(f"sum({rtt}_bucket{{{labels}{whole}}})") == samples
    mean = (server.value(f"sum({rtt}_sum{{{labels}}})") or 0) / samples
    assert 2 * DELAY_MS <= mean * 1000 < 1.5 * 2 * DELAY_MS
    median = server.value(f"histogram_quantile(0.5, sum by ({by}) ({rtt}_bucket{{{labels}}}))")
    assert median is not None
    assert abs(bucket(1e6 * median) - bucket(2000 * DELAY_MS)) <= 1
    assert server.value(f"sum({connect}_count{{{labels}}})") == times
    each = (server.value(f"sum({connect}_sum{{{labels}}})") or 0) / times
    assert 2 * DELAY_MS <= each * 1000 < 2 * 2 * DELAY_MS
    return median
