"""The fleet's client, questions and rows, with a server on loopback that answers as badly as it can."""

from __future__ import annotations

import base64
import http.client
import json
import queue
import re
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tcptop_rtt.feeds.fleet import queries
from tcptop_rtt.feeds.fleet.client import Client, FleetError
from tcptop_rtt.feeds.fleet.feed import FleetFeed
from tcptop_rtt.feeds.fleet.rows import Rows, sparklines
from tcptop_rtt.model.errors import TcptopError, UsageError
from tcptop_rtt.model.fleet import FLEET_ROW, FleetSnapshot
from tcptop_rtt.model.question import Question
from tcptop_rtt.model.snapshot import SPARK_CELLS
from tcptop_rtt.outputs.base import write_all
from tcptop_rtt.outputs.fleet import FleetLines, FleetTables
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.fleet_list import inner, kinds, selected
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.view.query import QueryError
from tcptop_rtt.view.ranking import Ranking
from tests.unit.answering import answering, reply, result, sample, saying
from tests.unit.fake import ScriptedClock

HOSTILE = 'a"} or vector(1) #\n\x1b[31m[/red]\u202e\\'


def asked(answer: Callable[[socket.socket, str], None], **options: Any) -> str:
    """Why a question has no answer."""
    with answering(answer) as address, pytest.raises(FleetError) as problem:
        Client(address, **options).vector("up")
    (line,) = str(problem.value).splitlines()
    assert line.isprintable()
    return line


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (reply(b"<html>"), "not that of a Prometheus server"),
        (reply(b"[" * 100_000), "not that of a Prometheus server"),
        (reply(b'{"status":"success"}'), "not that of a Prometheus server"),
        (reply(b'{"status":"success","data":{"resultType":"vector","result":{}}}'), "not that of a Prom"),
        (result("matrix"), "not that of a Prometheus server"),
        (result("vector", sample(1, instance="\ud800")), "not that of a Prometheus server"),
        (reply(b"not found", "404 Not Found"), "answers 404: there is no Prometheus API"),
        (reply(b"", "405 Method Not Allowed"), "answers 405: there is no Prometheus API at /"),
        (reply(b"no POST", "501 Unsupported method"), "answers 501: there is no Prometheus API at /"),
        (reply(b"", "204 No Content"), "answers 204: there is no Prometheus API at /"),
        (reply(b'{"status":"error","error":"a\\u001b[31m\\nb"}', "400 Bad Request"), "a\ufffd[31m b"),
        (reply(b"", "302 Found", "Location: file:///etc/shadow"), "redirects to file:///etc/shadow"),
        (reply(b"", "308 Permanent Redirect", "Location: https://other/"), "redirects to https://other/"),
        (reply(b"", "401 Unauthorized"), "asks for a user: http://NAME:PASSWORD@127.0.0.1:"),
        (b"", "hangs up without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
        (reply(b'{"status":"success"}')[:-5], "broken off"),
    ],
)
def test_a_wrong_answer_is_told_in_one_line(data: bytes, words: str) -> None:
    assert words in asked(saying(data))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (reply(b"Service Unavailable", "503 Service Unavailable"), "503: Service Unavailable"),
        (reply(b"", "503 x"), "503: Service Unavailable"),
        (reply(b" \n", "502 x"), "502: Bad Gateway"),
        (reply(b"<html><title>504 away", "504 x", "Content-Type: text/html"), "504: Gateway Timeout"),
        (reply(b'{"message":"slow"}', "429 x", "Content-Type: application/json"), "429: Too Many Requests"),
        (reply(b"slow", "429 x", "Content-Type: text/plain; charset=utf-8"), "429: slow"),
        (reply(b"store \x1b[31m\nis away\xff", "500 x"), "500: store \ufffd[31m is away\ufffd"),
        (reply(b"Client sent an HTTP request to an HTTPS server.\n", "400 x"), "400: Client sent an HTTP"),
        (reply(b"", "520 x"), "520"),
        (reply(b"x" * 10_000, "500 x"), "500: " + 256 * "x"),
    ],
)
def test_a_server_that_cannot_answer_now_is_not_called_another_kind_of_server(data: bytes, why: str) -> None:
    found = asked(saying(data))
    assert found.startswith(f"it answers {why}")
    assert "no Prometheus API" not in found
    assert len(found) < 300


def test_an_answer_is_read_no_further_than_its_bound() -> None:
    def flood(connection: socket.socket, _: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _each in range(1000):
            connection.sendall(b" " * 65536)

    assert asked(flood, most_bytes=1 << 20) == "its answer is larger than 1 MiB"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_that_comes_slowly_is_given_up_in_time(head: bytes) -> None:
    def drip(connection: socket.socket, _: str) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"X: y\r\n" if head.count(b"\n") == 1 else b" ")
            time.sleep(0.02)

    assert asked(drip, timeout_s=0.5) == "no answer within 0.5 s"


def test_a_question_that_is_of_no_use_any_more_ends_at_once() -> None:
    come = threading.Event()
    wanted = True

    def stay(connection: socket.socket, _: str) -> None:
        come.set()
        connection.recv(1)

    with answering(stay) as url:
        client = Client(url, lambda: wanted)

        def give_up() -> None:
            nonlocal wanted
            come.wait()
            wanted = False
            client.cancel()

        thread = threading.Thread(target=give_up)
        thread.start()
        began = time.monotonic()
        with pytest.raises(FleetError):
            client.vector("up")
        thread.join()
        assert time.monotonic() - began < 9  # without, it would be the timeout's ten


def test_name_and_password_of_the_address_are_sent_and_not_shown() -> None:
    seen = []

    def note(connection: socket.socket, request: str) -> None:
        seen.append(request)
        connection.sendall(result("vector"))

    with answering(note) as url:
        client = Client(url.replace("//", "//me:se%2Fcret@") + "/prom/")
        client.vector('up{a="&b"}')
    assert seen[0].startswith("POST /prom/api/v1/query ")
    assert f"Authorization: Basic {base64.b64encode(b'me:se/cret').decode()}" in seen[0]
    form = dict(urllib.parse.parse_qsl(seen[0].partition("\r\n\r\n")[2]))
    assert form["query"] == 'up{a="&b"}'
    assert "cret" not in client.name


def test_the_advice_to_name_a_user_has_the_scheme_of_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    # What is asked here has no certificate.
    monkeypatch.setattr(http.client, "HTTPSConnection", http.client.HTTPConnection)
    with (
        answering(saying(reply(b"", "401 Unauthorized"))) as url,
        pytest.raises(FleetError, match=f"{url.replace('http://', 'https://NAME:PASSWORD@')}$"),
    ):
        Client(url.replace("http", "https")).vector("up")


@pytest.mark.parametrize(
    "url",
    [
        "prometheus:9090",
        "file:///etc/passwd",
        "ftp://a",
        "http://",
        "http://a:b",
        "http://a/?x",
        "http://a b/",
    ],
)
def test_what_is_no_address_of_a_server_is_wrong_usage(url: str) -> None:
    with pytest.raises(UsageError, match="--fleet takes an address such as http://prometheus:9090"):
        Client(url)


def test_a_hostile_label_stays_inside_its_quotes() -> None:
    query = queries.table(Question("processes", (("instance", HOSTILE),)))
    (quoted,) = {part.partition("}")[0] for part in query.split("{instance=")[1:]} - {""}
    assert quoted.startswith('"a\\"')  # the first } is inside
    whole = '{instance="a\\"} or vector(1) #\\n\x1b[31m[/red]\u202e\\\\"}'
    assert query.count(whole) == query.count("{instance=")


def test_what_rules_have_recorded_is_asked_for_where_it_has_the_labels_and_the_range() -> None:
    hosts, services = queries.HOST_P99, queries.SERVICE_BUCKETS
    both = {hosts, services}
    for question, recorded, used in (
        (Question("hosts"), both, hosts),
        (Question("hosts"), {services}, services),
        (Question("processes", (("instance", "a"),)), both, services),
        (Question("networks"), both, ""),
        (Question("hosts", (("remote_network", "a"),)), both, ""),
        (Question("hosts", range_s=600), both, ""),
        (Question("hosts"), (), ""),
    ):
        query = queries.table(question, recorded)
        asked_for = {name for name in (hosts, services, "rate(tcptop_rtt_seconds_bucket") if name in query}
        assert asked_for == {used or "rate(tcptop_rtt_seconds_bucket"}
        assert ("service:tcptop_sent_bytes:rate5m" in query) == bool(used)
        assert ("rate(tcptop_sent_bytes_total" in query) != bool(used)


def test_means_are_made_of_what_is_recorded_unless_the_rules_are_older() -> None:
    older = {queries.HOST_P99, queries.SERVICE_BUCKETS}
    raw, recorded = "rate(tcptop_rtt_seconds_sum[300s])", "service:tcptop_rtt_seconds_sum:rate5m"
    for rules, question, asked_for in (
        (older, Question("hosts"), raw),
        ({*older, queries.SERVICE_ANSWERS}, Question("hosts"), recorded),
        ({*older, queries.SERVICE_ANSWERS}, Question("networks"), raw),
        ({queries.SERVICE_ANSWERS}, Question("hosts"), raw),
    ):
        query = queries.table(question, rules)
        assert [text for text in (raw, recorded) if text in query] == [asked_for]
        assert query.count("rate(tcptop_answer_seconds") == 2 * (asked_for == raw)
    # Each that a table may ask for is recorded there, by all labels of services.
    rules_text = (Path(__file__).parents[2] / "contrib/prometheus/rules.yml").read_text()
    query = queries.table(Question("hosts"), {*older, queries.SERVICE_ANSWERS})
    for name in set(re.findall(r"(?:service|instance):\w+:\w+", query)):
        assert f"- record: {name}\n" in rules_text


def test_rows_are_made_of_what_each_column_has() -> None:
    samples = [
        sample(3, field="connections", process="nginx", service="443", direction="in"),
        sample(0.25, field="failed_per_s", process="nginx", service="443", direction="in", reason="refused"),
        sample(0.5, field="failed_per_s", process="nginx", service="443", direction="in", reason="timed-out"),
        sample(9, field="held_up", process="nginx", service="443", direction="in", why="loss"),
        sample(50_000, field="p99_us", process="curl", service="80", direction="out"),
        sample("NaN", field="p50_us", process="curl", service="80", direction="out"),
        sample(7, field="hosts"),
        sample(1, field="of a newer server", process="x"),
    ]
    rows = Rows(Question("services"), samples)
    nginx, curl = rows.groups
    assert rows.hosts == 7
    assert rows.time_s == 1000
    assert [bytes(row["name"]) for row in rows.groups] == [b"nginx :443", b"curl to :80"]
    assert (nginx["connections"], nginx["stalled"], nginx["failed_per_s"]) == (3, 0, 0.75)
    assert (bytes(nginx["why"]), nginx["why_count"]) == (b"refused", 0.25)  # the worst, not the most
    assert curl["p99_us"] == 50_000
    # Unknown is not zero.
    assert all(np.isnan(curl[name]) for name in ("connections", "stalled", "p50_us", "in_bps", "why_count"))


@pytest.mark.parametrize(
    "broken",
    [None, 5, {}, {"metric": 1, "value": 2}, {"metric": {}, "value": []}, {"metric": {}, "value": ["a", "b"]},
     {"metric": {"field": ["x"]}, "value": [1, "2"]}, {"metric": {}, "value": [1e400, "1"]},
     {"metric": {"field": "hosts"}, "value": [1, "Inf"]},
     {"metric": {"field": "hosts"}, "value": [1, "1e308"]},
     {"metric": {"field": "connections"}, "value": [1e300, "1"]},
     {"metric": {"field": "connections"}, "value": [-1, "1"]}],
)  # fmt: skip
def test_what_is_no_sample_is_left_out(broken: object) -> None:
    rows = Rows(Question(), [broken, sample(1, field="connections", instance="a")])
    assert [bytes(row["name"]) for row in rows.groups] == [b"a"]
    assert (rows.hosts, rows.time_s) == (None, 1000)
    series = {"metric": {"instance": "a"}, "values": [[1000, "5"]]}
    assert sparklines(Question(), rows.labels, [broken, series], 1000, 10)[-1, 0] == 5


@pytest.mark.parametrize(
    ("name", "label", "words"), [("failed_per_s", "reason", "2.0/s"), ("held_up", "why", "2")]
)
def test_what_fails_is_told_per_second_also_where_that_is_a_whole_number(
    name: str, label: str, words: str
) -> None:
    labels = {"field": name, "instance": "a", label: "refused"}
    rows = Rows(Question(), [sample(2, 1000.0, **labels)])
    of = kinds(300)[0].table
    (view,) = of.views(rows.groups, frozenset())
    cell = of.column["why"].cell
    assert cell is not None
    assert cell(view, UNICODE).text == f"refused {words}"


def test_a_number_that_none_of_ours_can_be_is_not_known() -> None:
    names = [name for name in FLEET_ROW.names or () if FLEET_ROW[name].kind == "f" and name != "why_count"]
    samples = [sample(number, field=name, instance="a") for name in names for number in ("1e16", "-1")]
    rows = Rows(Question(), [*samples, sample("1e308", field="held_up", instance="a", why="loss")])
    (row,) = rows.groups
    assert all(np.isnan(row[name]) for name in (*names, "why_count"))
    assert not row["why_rank"]
    ways = [sample("9e15", field="failed_per_s", instance="a", reason=str(way)) for way in range(3000)]
    assert Rows(Question(), ways).groups["failed_per_s"] <= 2**53
    series = {"metric": {"instance": "a"}, "values": [[990, "1e308"], [1000, "5"], [1e300, "5"]]}
    found = sparklines(Question(), rows.labels, [series], 1000, 10)
    assert np.isnan(found[:-1]).all()
    assert found[-1] == 5


def test_hostile_labels_are_harmless_text_and_stay_whole_for_the_next_question() -> None:
    rows = Rows(Question(), [sample(1, field="connections", instance=HOSTILE * 50)])
    name = bytes(rows.groups[0]["name"])
    assert len(name) <= 128
    assert b"\x1b" not in name
    assert b"\n" not in name
    question = inner(Question(), rows.labels[0])
    assert question is not None
    assert question.within == (("instance", HOSTILE * 50),)


def test_sparklines_stand_at_their_time_and_rows() -> None:
    series = [
        {
            "metric": {"instance": "b"},
            "values": [[1000 - 10 * (SPARK_CELLS - 1), "7"], [990, "8"], [1000, "9"]],
        },
        {"metric": {"instance": "unheard of"}, "values": [[1000, "1"]]},
        {"metric": {"instance": "a"}, "values": [[1000, "NaN"], [5000, "1"], [0, "1"]]},
    ]
    found = sparklines(Question(), (("a",), ("b",)), series, 1000, 10)
    assert np.isnan(found[:, 0]).all()
    assert (found[0, 1], found[-2, 1], found[-1, 1]) == (7, 8, 9)
    assert np.count_nonzero(found > 0) == 3


def test_enter_leads_to_what_is_finer_until_nothing_is() -> None:
    question: Question | None = Question("hosts")
    path = []
    while question is not None:
        path.append(question.table)
        labels = {"hosts": ("h",), "processes": ("p",), "services": ("p", "1", "in"), "networks": ("n",)}
        question = inner(question, labels[question.table])
    assert path == ["hosts", "processes", "services", "networks"]
    assert inner(Question("networks"), ("10.0.0.0/8",)) == Question(
        "hosts", (("remote_network", "10.0.0.0/8"),)
    )


def groups(**values: list[float]) -> NDArray[np.void]:
    samples = [
        sample(number, field=name, instance=f"web{at}")
        for name, numbers in values.items()
        for at, number in enumerate(numbers)
    ]
    return Rows(Question(), samples).groups


def test_a_filter_asks_for_numbers_and_texts_and_finds_nothing_unknown() -> None:
    rows = groups(connections=[1, 2, 3], p99_us=[1000, 90_000])
    assert selected(rows, "rtt>50ms").tolist() == [1]
    assert selected(rows, "!rtt>50ms").tolist() == [0]  # of web2 it is not known
    assert selected(rows, "WEB2 or count=1").tolist() == [0, 2]
    assert selected(rows, "local").tolist() == []
    with pytest.raises(QueryError, match="there is no field rport"):
        selected(rows, "rport:1")


def test_a_filter_for_what_nothing_holds_up_finds_it_as_at_home() -> None:
    held = sample(1, field="held_up", instance="lossy", why="loss")
    nameless = sample(1, field="held_up", instance="nameless")
    samples = [sample(1, field="connections", instance=name) for name in ("healthy", "lossy", "nameless")]
    rows = Rows(Question(), [*samples, held, nameless]).groups
    assert selected(rows, "why:loss").tolist() == [1]
    assert selected(rows, "!why:loss").tolist() == selected(rows, "why!=loss").tolist() == [0]
    assert selected(rows, "!why:refused").tolist() == [0, 1]  # of the last one it is not known


@pytest.mark.parametrize("key", list(kinds(300)[0].table.sorts))
def test_every_column_sorts_its_unknown_last(key: str) -> None:
    rows = Rows(
        Question(),
        [
            sample(1, field="connections", instance="b"),
            *(sample(5, field=name, instance="a") for name in ("connections", "stalled", "p50_us", "p99_us",
              "mean_us", "answer_us", "opened_per_s", "retrans_per_s", "in_bps", "out_bps")),
            sample(5, field="held_up", why="loss", instance="a"),
            sample(5, field="failed_per_s", reason="refused", instance="a"),
        ],
    )  # fmt: skip
    snapshot = FleetSnapshot(
        0, 0, np.zeros(0), (), None, None, question=Question(), groups=rows.groups, labels=rows.labels  # type: ignore[arg-type]
    )  # fmt: skip
    listing = kinds(300)[0].list(snapshot, Filter(), None)  # type: ignore[arg-type]
    for descending in (True, False):
        order = Ranking(listing.rows, listing.indices, listing.table.sorts[key], descending).window(0, 2)
        names = [bytes(name) for name in listing.rows["name"][order]]
        if key in ("process", "count", "stalled", "failed"):  # these are known of both
            assert names == ([b"b", b"a"] if (key == "process") == descending else [b"a", b"b"])
        else:
            assert names == [b"a", b"b"]


# The feed


@pytest.mark.parametrize(
    ("said", "partial"),
    [
        ({"warnings": ["store\n\x1b[31m away", "another"]}, "its answer is partial: store \ufffd[31m away"),
        ({"warnings": ["PromQL info: not monotonic", "store away"]}, "its answer is partial: store away"),
        ({"warnings": [{}, 5, "store away"]}, "its answer is partial: store away"),
        ({"isPartial": True}, "its answer is partial"),  # VictoriaMetrics
        ({"warnings": ["PromQL warning: range too short"], "infos": ["store away"], "isPartial": False}, ""),
        ({"warnings": []}, ""),
        ({"warnings": {"a": 1}}, ""),
        ({"warnings": None}, ""),
    ],
)
def test_what_a_server_says_of_parts_that_are_missing_is_kept_in_one_harmless_line(
    said: dict[str, Any], partial: str
) -> None:
    with answering(saying(result("vector", sample(1), **said))) as url:
        found = Client(url).vector("up")
    assert found.partial == partial
    assert len(found.series) == 1


class Server:
    """Answers the feed's questions from a list of rows."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.broken = False
        self.partial = ""
        """Of the answers to questions with this text, a part is missing."""

    def __call__(self, connection: socket.socket, request: str) -> None:
        form = dict(urllib.parse.parse_qsl(request.partition("\r\n\r\n")[2]))
        self.questions.append(form["query"])
        more = {"warnings": ["a store is away"]} if self.partial and self.partial in request else {}
        if self.broken:
            connection.sendall(reply(b"gone", "503 Service Unavailable"))
        elif "count_over_time" in form["query"]:
            connection.sendall(result("vector", sample(20, field="scrapes"), **more))
        elif "start" in form:
            end = float(form["end"])
            series = {"metric": {"instance": "a"}, "values": [[end, "5"]]}
            connection.sendall(result("matrix", series, **more))
        else:
            label = "process" if "sum by (process)" in form["query"] else "instance"
            names = ["connections", *(["in_bps"] if "[300s]" in form["query"] else [])]
            samples = [{**sample(4), "metric": {"field": name, label: "a"}} for name in names]
            connection.sendall(result("vector", *samples, **more))


@pytest.mark.parametrize("has_sparks", [False, True])
def test_rows_and_sparklines_of_which_a_part_is_missing_are_shown_with_that(has_sparks: bool) -> None:
    server = Server()
    server.partial = "POST /api/v1/query_range" if has_sparks else "POST /api/v1/query "
    with answering(server) as url:
        feed = FleetFeed(url, Question(), 0.01, has_sparks)
        feed.open()
        snapshots = feed.snapshots()
        if has_sparks:
            assert next(snapshots).health.problem == ""
        shown = next(snapshots)
        assert shown.health.problem == f"{feed.origin.host}: its answer is partial: a store is away"
        assert shown.labels == (("a",),)
        assert (shown.history_ns > 0) == has_sparks
        feed.stop()


def test_metrics_that_may_be_in_what_is_missing_are_not_called_absent() -> None:
    with answering(saying(result("vector", warnings=["a store is away"]))) as url:
        feed = FleetFeed(url, Question(), 1, has_sparks=False)
        with pytest.raises(TcptopError, match=f"cannot ask {feed.origin.host}: its answer is partial: a st"):
            feed.open()


def test_one_question_per_refresh_and_one_for_sparklines_per_cell() -> None:
    server = Server()
    with answering(server) as url:
        feed = FleetFeed(url, Question(), 0.01, has_sparks=True)
        feed.open()
        snapshots = feed.snapshots()
        first, with_sparks = next(snapshots), next(snapshots)
        assert len(server.questions) == 3
        assert np.isnan(first.history_us).all()
        assert with_sparks.history_us[-1].tolist() == [5]
        new = next(snapshots)
        assert new.answered_ns > with_sparks.answered_ns
        assert new.history_us[-1].tolist() == [5]
        assert len(server.questions) == 4
        feed.stop()


def test_each_answer_is_handed_out_once_and_several_requests_bring_one() -> None:
    server, clock = Server(), ScriptedClock()
    with answering(server) as url:
        feed = FleetFeed(url, Question(), 5, has_sparks=False, clock=clock)
        feed.open()
        feed.open()  # it is open
        assert len(server.questions) == 1
        snapshots = feed.snapshots()
        next(snapshots)
        for _ in range(3):
            feed.set_refresh(1)
        taken_s = []
        for _ in range(3):
            began_ns = clock.now_ns
            next(snapshots)
            taken_s.append((clock.now_ns - began_ns) / 1e9)
        assert taken_s == [0, 1, 1]
        assert len(server.questions) == 5
        feed.stop()
        assert list(snapshots) == []
        assert len(server.questions) == 5


def test_a_server_that_fails_later_leaves_the_numbers_with_their_age_and_the_reason() -> None:
    server = Server()
    with answering(server) as url:
        feed = FleetFeed(url, Question(), 0.01, has_sparks=False)
        feed.open()
        snapshots = feed.snapshots()
        good = next(snapshots)
        server.broken = True
        bad = next(snapshots)
        assert "503" in bad.health.problem
        assert (bad.answered_ns, bad.labels) == (good.answered_ns, (("a",),))
        server.broken = False
        assert next(snapshots).health.problem == ""
        feed.stop()


def test_another_question_is_answered_at_once_and_the_way_back_from_what_is_kept() -> None:
    server = Server()
    with answering(server) as url:
        feed = FleetFeed(url, Question(), 3600, has_sparks=False)
        feed.open()
        snapshots = feed.snapshots()
        assert next(snapshots).question == Question()
        inside = Question("processes", (("instance", "a"),))
        feed.ask(inside)
        assert next(snapshots).question == inside
        assert '{instance="a"}' in server.questions[-1]
        feed.ask(Question())
        count = len(server.questions)
        assert next(snapshots).question == Question()
        assert len(server.questions) == count
        feed.stop()
        assert [each.question for each in snapshots] == []


def test_an_answer_that_is_asked_for_again_while_it_is_under_way_is_no_fault_of_the_server() -> None:
    server = Server()

    def change_our_mind(connection: socket.socket, request: str) -> None:
        if len(server.questions) == 1:
            feed.ask(Question("processes"))
            feed.ask(Question())
        server(connection, request)

    with answering(change_our_mind) as url:
        feed = FleetFeed(url, Question(), 3600, has_sparks=False)
        feed.open()
        assert next(feed.snapshots()).health.problem == ""
        feed.stop()


def test_a_signal_may_stop_it_whatever_it_is_doing() -> None:
    stops: list[float] = []

    class Signalled(ScriptedClock):
        def wait(self, wake: queue.SimpleQueue[None], seconds: float) -> None:
            feed.stop()
            stops.append(seconds)
            super().wait(wake, seconds)

    with answering(Server()) as url:
        feed = FleetFeed(url, Question(), 3600, has_sparks=False, clock=Signalled())
        feed.open()
        assert len(list(feed.snapshots())) == len(stops) == 1


def test_a_signal_may_cancel_a_question_whatever_is_done_with_it() -> None:
    problems: list[str] = []

    def come() -> bool:
        client.cancel()  # here it holds what guards its socket
        return False

    def ask() -> None:
        with pytest.raises(FleetError) as problem:
            client.vector("up")
        problems.append(str(problem.value))

    with answering(Server()) as url:
        client = Client(url, come)
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(20)
        assert problems


def test_a_server_without_our_metrics_and_one_that_is_not_there_are_told_before_the_screen() -> None:
    with (
        answering(saying(result("vector"))) as url,
        pytest.raises(TcptopError, match="has no metrics of tcptop"),
    ):
        FleetFeed(url, Question(), 1, has_sparks=True).open()
    with pytest.raises(TcptopError, match=r"cannot ask 127\.0\.0\.1:1: Connection refused"):
        FleetFeed("http://127.0.0.1:1", Question(), 1, has_sparks=True).open()
    for no_name in ("a..b", 64 * "a"):
        with pytest.raises(TcptopError, match="there is no host of that name"):
            FleetFeed(f"http://{no_name}:9090", Question(), 1, has_sparks=True).open()


def test_an_answer_without_any_rate_says_why() -> None:
    with answering(Server()) as url:
        feed = FleetFeed(url, Question(range_s=20), 1, has_sparks=False)
        feed.open()
        problem = next(feed.snapshots()).health.problem
    assert problem.startswith("no host was scraped twice within the time range")


def test_the_line_above_a_table_counts_one_row_as_one(tmp_path: Path) -> None:
    for table, counted in (("hosts", "1 host"), ("processes", "1 process")):
        with answering(Server()) as url, (tmp_path / table).open("wb") as file:
            feed = FleetFeed(url, Question(table), 1, has_sparks=False)
            feed.open()
            writer = Writer(file.fileno(), lambda: False)
            write_all(feed, FleetTables(writer, ""), writer, 1)
        assert f"  {counted}  last 5m\n" in (tmp_path / table).read_text()


def test_json_is_of_the_same_columns(tmp_path: Path) -> None:
    with answering(Server()) as url, (tmp_path / "lines").open("w+b") as file:
        feed = FleetFeed(url, Question(), 1, has_sparks=False)
        feed.open()
        writer = Writer(file.fileno(), lambda: False)
        write_all(feed, FleetLines(writer, ""), writer, 1)
        file.seek(0)
        header, row, answer, end = map(json.loads, file)
    assert header["event"] == "header"
    assert (row["instance"], row["connections"], row["p99_us"], row["why"]) == ("a", 4, None, None)
    assert (answer["rows"], answer["cut"]) == (1, False)
    assert end == {"event": "end"}
