"""The exporter as Prometheus meets it: the real server scrapes real traffic, and tells what is known."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tcptop_rtt.feeds.fleet import queries as queries_of
from tcptop_rtt.model.question import LABELS, Question
from tcptop_rtt.outputs.metrics.labels import OF_CONNECTIONS
from tcptop_rtt.outputs.prometheus.server import MOST_CONNECTIONS
from tests.live.known_traffic import DELAY_MS, check_bytes, check_times, start
from tests.live.link import ADDRESSES, Link, inside
from tests.live.pairs import connected, port_of
from tests.live.program import (
    END_S,
    PROGRAM,
    START_S,
    bounded,
    complaint,
    lines_of,
    lines_of_a_part,
    mounted,
    run,
)
from tests.live.prometheus import Prometheus, exporting, fetched, prometheus, promtool, scraped
from tests.live.ss import ss
from tests.ports import free_port, serve
from tests.unit.exposed import bucket, parsed, total, value
from tests.waiting import becomes

CONTRIB = Path(__file__).parents[2] / "contrib" / "prometheus"


def _bucket(seconds: float) -> int:
    return bucket(1e6 * seconds)


def _healths(server: Prometheus) -> set[str]:
    """How its rules are; those that it has not evaluated yet are ``unknown``."""
    return {rule["health"] for group in server.api("rules")["groups"] for rule in group["rules"]}


def test_prometheus_finds_the_link_the_bytes_and_the_connections_of_known_traffic(tmp_path: Path) -> None:
    port, times = free_port(), 3
    rules = CONTRIB / "rules.yml"
    with (
        Link(DELAY_MS) as link,
        # Without it so many networks of others may come that these count as "other".
        exporting("--interval", "0.5", "--filter", f"port:{port}") as target,
        prometheus(tmp_path, target, (rules,)) as server,
    ):
        server.wait_for('up{job="tcptop-rtt"}', lambda up: up == 1)
        start(link, port, times)
        # What a connection brought before its process was known is counted without a process.
        group = f'service="{port}",remote_network="10.199.0.0/24"'
        for direction in ("out", "in"):
            labels = f'{group},direction="{direction}"'
            # Both ends have ended, and what they had last is counted.
            ours = f'{labels},process=~"python.*"'
            server.wait_for(f"sum(tcptop_closed_connections_total{{{ours}}})", lambda closed: closed == times)
            assert server.value(f"sum(tcptop_opened_connections_total{{{labels}}})") == times
            assert server.value(f"sum(tcptop_connections{{{labels}}})") == 0
            for name in ("sent", "received"):
                check_bytes(server, times, f"sum(tcptop_{name}_bytes_total{{{labels}}})")
        names = "tcptop_rtt_seconds", "tcptop_connect_seconds"
        median = check_times(server, times, names, f'{group},direction="out"', "le", ',le="+Inf"')
        # The rules are evaluated without an error, and find the same.
        recorded = f'max(service:tcptop_rtt_seconds:p50_5m{{service="{port}",direction="out"}})'
        assert abs(_bucket(server.wait_for(recorded, lambda _: True)) - _bucket(median)) <= 1
        assert becomes(lambda: "unknown" not in _healths(server), START_S)  # each group has a time of its own
        assert _healths(server) == {"ok"}


def test_short_connections_are_counted_each_once_under_the_service(tmp_path: Path) -> None:
    times, size = 300, 64
    with (
        serve(backlog=128) as listener,
        exporting("--interval", "0.2", "--filter", f"port:{port_of(listener)}") as target,
    ):
        port = port_of(listener)
        service = {"service": str(port), "remote_network": "127.0.0.0/24"}
        with prometheus(tmp_path, target) as server:
            for _ in range(times):
                with socket.create_connection(listener.getsockname()) as client:
                    accepted, _ = listener.accept()
                    with accepted:
                        client.sendall(bytes(size))
                        left = size
                        while left:
                            left -= len(accepted.recv(left))
            closed, dropped = "tcptop_closed_connections_total", "tcptop_dropped_records_total"

            def is_told() -> bool:
                text = scraped(target)
                ways = [total(text, closed, direction=way, **service) for way in ("in", "out")]
                return bool(value(text, dropped)) or min(ways) >= times

            assert becomes(is_told, START_S)
            text = scraped(target)
            is_whole = not value(text, dropped)  # other connections may have filled the ring buffer
            if is_whole:
                for direction in ("in", "out"):
                    labels = f'service="{port}",direction="{direction}"'
                    server.wait_for(f"sum({closed}{{{labels}}})", lambda count: count >= times)
    there = value if is_whole else total
    for direction, name in (("in", "received"), ("out", "sent")):
        for event in ("opened", "closed"):
            found = there(text, f"tcptop_{event}_connections_total", direction=direction, **service)
            assert found == times if is_whole else found <= times, event
        found = there(text, f"tcptop_{name}_bytes_total", direction=direction, **service)
        assert found <= times * (size + 2)
        assert found >= times * size or not is_whole
    clients = {one.labels["service"] for one in parsed(text) if one.labels.get("direction") == "out"}
    assert str(port) in clients


def test_with_more_networks_than_sets_of_labels_there_may_be_nothing_is_lost() -> None:
    most, networks = 5, 40
    with serve() as listener:
        port = listener.getsockname()[1]
        options = ("--interval", "0.2", "--prometheus-series", str(most), "--filter", f"port:{port}")
        with exporting(*options) as target:
            for network in range(networks):
                source = f"127.77.{network}.1", 0
                with socket.create_connection(listener.getsockname(), source_address=source):
                    listener.accept()[0].close()
            ended = "tcptop_closed_connections_total"
            assert becomes(lambda: total(scraped(target), ended) == 2 * networks, START_S)
            text = scraped(target)
    assert value(text, "tcptop_opened_connections_total") == 2 * networks
    assert value(text, "tcptop_label_sets") == value(text, "tcptop_label_sets_limit") == most
    sets = {tuple(one.labels.items()) for one in parsed(text) if one.name == ended}
    assert len(sets) == most + 1
    assert value(text, ended, process="other", remote_network="other") > 0


def test_what_is_exposed_pleases_promtool_and_follows_the_conventions() -> None:
    with exporting() as port:
        text = scraped(port)
        # To pack it takes longer than to hand it over.
        assert fetched(f"http://127.0.0.1:{port}/metrics", **{"Accept-Encoding": "gzip"}).startswith(
            b"# HELP "
        )
    assert promtool("check", "metrics", text=text) == ""
    assert text.endswith("\n")


def test_the_rules_are_right_and_do_what_they_say() -> None:
    promtool("check", "config", "--syntax-only", "scrape.yml", place=CONTRIB)
    assert "SUCCESS" in promtool("check", "rules", "rules.yml", place=CONTRIB)
    assert "SUCCESS" in promtool("test", "rules", "rules.test.yml", place=CONTRIB)


_NAME = re.compile(r"\b(?:[a-z]+:)?(?:tcptop|process)_[a-z_]+(?::[a-z0-9_]+)?\b")


def test_rules_dashboard_and_fleet_ask_for_what_there_is_only() -> None:
    with exporting() as port:
        text = scraped(port)
    # Of some there is nothing now, as of connects that fail.
    there = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)) | {one.name for one in parsed(text)}
    there |= {
        name + suffix for name in re.findall(r"^# TYPE (\w+) (?:histogram|summary)$", text, re.MULTILINE)
        for suffix in ("_bucket", "_sum", "_count")
    }  # fmt: skip
    rules = (CONTRIB / "rules.yml").read_text()
    recorded = set(re.findall(r"- record: (\S+)", rules))
    asked = set(_NAME.findall(re.sub(r"- record: \S+|#.*", "", rules)))
    dashboard = json.loads((CONTRIB / "dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [one["query"] for one in dashboard["templating"]["list"]]
    shown = {name for query in queries for name in _NAME.findall(query)}
    asked_by_fleet = [queries_of.presence()]
    for question in map(Question, LABELS):
        asked_by_fleet += [queries_of.table(question, kept) for kept in (recorded, ())]
        asked_by_fleet.append(queries_of.history(question, 60))
    named = {name for query in asked_by_fleet for name in _NAME.findall(query)}
    assert named & recorded
    assert named - there - recorded == set()
    assert {label for labels in LABELS.values() for label in labels} <= {"instance", *OF_CONNECTIONS}
    assert shown & recorded
    assert asked - there - recorded == set()
    assert shown - there - recorded == set()


def test_every_query_of_the_dashboard_is_one_to_prometheus(tmp_path: Path) -> None:
    dashboard = json.loads((CONTRIB / "dashboard.json").read_text())
    with exporting() as target, prometheus(tmp_path, target) as server:
        for panel in dashboard["panels"]:
            for one in panel["targets"]:
                server.api("query", query=re.sub(r"\$(instance|process|service)", ".*", one["expr"]))


# How it starts, serves, and ends


def test_a_port_in_use_and_a_foreign_address_are_told_in_one_line() -> None:
    with serve() as other:
        port = other.getsockname()[1]
        assert complaint(run("--prometheus", str(port))) == (
            f"tcptop-rtt: cannot serve metrics at 127.0.0.1:{port}: the port is in use: "
            f"ss -ltnp 'sport = :{port}' tells by whom; or take another"
        )
    assert complaint(run("--prometheus", "192.0.2.55:9464")) == (
        "tcptop-rtt: cannot serve metrics at 192.0.2.55:9464: no address of this machine: "
        "ip address lists those there are"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda it: it.name)
def test_a_signal_ends_it_with_code_0_while_somebody_is_connected(number: signal.Signals) -> None:
    port = free_port()
    command = [PROGRAM, "--prometheus", f"[::1]:{port}", "--interval", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == f"metrics at http://[::1]:{port}/metrics\n"
            with socket.create_connection(("::1", port)):
                process.send_signal(number)
                _, complaint = process.communicate(timeout=END_S)
        finally:
            process.kill()
    assert (process.returncode, complaint) == (0, "")
    with socket.socket(socket.AF_INET6) as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("::1", port))


def test_only_this_machine_is_served_unless_an_address_is_given() -> None:
    with exporting() as port:
        (listed,) = ss("-tlnH", f"sport = :{port}")
    assert listed.split()[3] == f"127.0.0.1:{port}"


def test_who_connects_and_asks_nothing_or_reads_nothing_keeps_nobody_out() -> None:
    with exporting() as port, ExitStack() as stack:
        for number in range(3 * MOST_CONNECTIONS):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            if number % 2:
                idle.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert value(scraped(port), "tcptop_build_info") == 1
        # Those that were pushed out are closed.
        listed = ("-tnH", "state", "established", f"sport = :{port}")
        assert becomes(lambda: len(ss(*listed)) <= MOST_CONNECTIONS)


def test_scrapes_at_once_are_all_answered_and_other_pages_are_not() -> None:
    with exporting("--interval", "0.1") as port:
        texts: list[str] = []
        threads = [threading.Thread(target=lambda: texts.append(scraped(port))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(4096), b"")).decode()
    assert len(texts) == 8
    assert all(value(text, "tcptop_build_info") == 1 for text in texts)
    assert answer.startswith("HTTP/1.1 404 ")
    assert answer.endswith("\r\n\r\nmetrics are at /metrics\n")


def test_over_a_network_it_is_packed() -> None:
    here, _ = ADDRESSES["a"]
    with Link(0) as link:
        ours, theirs = (inside(end.pid) for end in (link.a, link.b))
        with exporting(host=here, before=ours) as port:
            url = f"http://{here}:{port}/metrics"
            asked = [*theirs, "curl", "-sS", "-i", "-H", "Accept-Encoding: gzip", url]
            answer = subprocess.run(asked, check=True, capture_output=True, timeout=START_S).stdout
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    assert value(gzip.decompress(body).decode(), "tcptop_build_info") == 1


def test_between_two_refreshes_the_same_numbers_are_served_and_their_time_is_told() -> None:
    with exporting("--interval", "3600") as port:
        first = value(scraped(port), "tcptop_refresh_timestamp_seconds")
        time.sleep(1.5)
        assert value(scraped(port), "tcptop_refresh_timestamp_seconds") == first
        assert abs(time.time() - first) < START_S


def test_the_unit_starts_it_with_rights_that_are_enough_and_what_it_keeps_is_found(tmp_path: Path) -> None:
    unit = (CONTRIB / "tcptop-rtt.service").read_text()
    (command,) = re.findall(r"^ExecStart=\S+ (.*)$", unit, re.MULTILINE)
    (rights,) = re.findall(r"^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE)
    (kept,) = re.findall(r"^StateDirectory=(.*)$", unit, re.MULTILINE)
    assert re.findall(r"^User=(.*)$", unit, re.MULTILINE) == ["root"]
    options = shlex.split(command)
    place = options.index("--prometheus") + 1
    assert options[place] == "127.0.0.1:9464"
    assert options[place] in (CONTRIB / "scrape.yml").read_text()
    del options[place - 1 : place + 1]
    # Where the state of services is, another directory: this machine's own may be in use.
    state = mounted((tmp_path, "/var/lib"))
    (tmp_path / kept).mkdir(mode=0o700)
    # The checkout may be in a directory that only its owner reads.
    names = "".join(
        f",+{name.removeprefix('CAP_').lower()}" for name in (*rights.split(), "CAP_DAC_READ_SEARCH")
    )
    with exporting(*options, before=(*state, *bounded(names))) as port:
        text = scraped(port)
        _wait_for_a_refresh(port)
    # It sees other users' processes.
    assert value(text, "tcptop_listeners", service=str(port)) == 1
    assert {one.labels["process"] for one in parsed(text) if one.labels.get("service") == str(port)} == {
        "tcptop-rtt"
    }
    # However long its end and this start take, that is within.
    lines = lines_of(run("--at", "50%", "--json", before=state))
    assert lines[0]["event"] == "header"
    assert any(line["event"] == "refresh" for line in lines)


def _wait_for_a_refresh(port: int) -> None:
    name = "tcptop_refresh_timestamp_seconds"
    last = value(scraped(port), name)
    assert becomes(lambda: value(scraped(port), name) > last, START_S)


def test_what_is_counted_is_recorded_too(tmp_path: Path) -> None:
    path = tmp_path / "it"
    with connected() as (client, _), exporting("--interval", "0.3", "--record", str(path)) as port:
        client.sendall(b"some")
        _wait_for_a_refresh(port)
        lport = port_of(client)
    lines = lines_of(run("--replay", str(path), "--json"))
    assert [line["pid"] for line in lines if line.get("lport") == lport and line["event"] == "open"] == [
        os.getpid()
    ]
    assert lines[-1]["event"] == "end"


def test_where_nothing_more_can_be_recorded_that_is_told_once_and_metrics_go_on(tmp_path: Path) -> None:
    path, port = tmp_path / "it", free_port()
    # Without any connection a recording grows slowly, so that the limit comes long after its beginning.
    options = ("--prometheus", str(port), "--interval", "0.2", "--record", str(path), "--lport", "1")
    process = subprocess.Popen(
        ["prlimit", "--fsize=5000", PROGRAM, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout
            assert process.stdout.readline()
            assert process.stderr
            told = process.stderr.readline()
            for _ in range(2):
                _wait_for_a_refresh(port)
            process.terminate()
            _, more = process.communicate(timeout=END_S)
        finally:
            process.kill()
    assert (
        told == f"tcptop-rtt: cannot record into {path}: File too large; the part already written is kept\n"
    )
    assert (process.returncode, more) == (1, "")
    assert lines_of_a_part(run("--replay", str(path), "--json"))
