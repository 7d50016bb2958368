"""The language of filters."""

from __future__ import annotations

import pytest

from tcptop_rtt.model.rows import LISTEN, UNKNOWN_U32
from tcptop_rtt.view import causes
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter, parse, select, select_others
from tcptop_rtt.view.query import MAX_DEPTH, QueryError, both
from tests.unit.rows import listener, listeners_of, row, rows_of

ROWS = rows_of(
    row(
        1,
        comm=b"nginx",
        unit=b"web.service",
        pid=10,
        laddr="10.1.2.3",
        lport=443,
        raddr="203.0.113.9",
        rport=50000,
        direction=2,
        srtt_us=80_000,
        rtt_age_ms=100,
        bytes_acked=9000,
        min_rtt_us=1000,
        retrans=5,
        retrans_1m=3,
        window_ms=60_000,
        scanned=True,
        notsent_bytes=70_000,
        age_ns=30 * 10**9,
        out_bps=2e6,
    ),
    row(
        2,
        comm=b"curl",
        pid=20,
        laddr="10.1.2.3",
        lport=40000,
        raddr="10.9.9.9",
        rport=443,
        direction=1,
        srtt_us=900,
        rtt_age_ms=100,
        bytes_acked=9000,
        min_rtt_us=500,
        retrans=0,
        window_ms=0,
        scanned=False,
        age_ns=120 * 10**9,
        open_seen=False,
        state=8,
    ),
    row(
        3,
        comm=b"redis",
        pid=30,
        family=6,
        laddr="::1",
        lport=6379,
        raddr="::1",
        rport=50001,
        srtt_us=90_000,
        rtt_age_ms=UNKNOWN_U32,
        bytes_acked=9000,
        min_rtt_us=0,
        retrans=0,
        window_ms=60_000,
        scanned=True,
        notsent_bytes=0,
        stalled=True,
        age_ns=5 * 10**9,
    ),
)


def found(text: str, lacking: frozenset[str] = frozenset()) -> list[int]:
    ids: list[int] = ROWS["id"][select(ROWS, Filter(text), lacking)].tolist()
    return ids


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtt>50ms", [1]),  # that of 3 is of long ago, and it is stalled
        ("rtt<=0.08s rtt>=80000us", [1]),
        ("rtt<50ms", [2]),
        ("srtt_us>50ms", [1]),
        ("min>700us", [1]),  # of 3 it is not known
        ("min<700us", [2]),
        ("!min<700us", [1]),
        ("retr>0", [1]),
        ("retr=0", [2, 3]),
        ("retr>0/s", [1]),
        ("retr>0.04/s", [1]),
        ("retr>4/m", []),
        ("retr<1/s", [1, 3]),  # of 2 no minute is known
        ("port:443", [1, 2]),
        ("port:443,6379", [1, 2, 3]),
        ("lport:443", [1]),
        ("rport>=50000", [1, 3]),
        ("port!=443", [1, 2, 3]),  # each has one that is another
        ("!port:443", [3]),
        ("remote:10.0.0.0/8", [2]),
        ("remote:10.9.9.9", [2]),
        ("remote!=10.0.0.0/8", [1, 3]),
        ("raddr:::1", [3]),
        ("raddr:[::1]", [3]),
        ("remote:0.0.0.0/0", [1, 2]),
        ("remote:::/0", [3]),
        ("local:10.1.0.0/16", [1, 2]),
        ("proc:NGI", [1]),
        ("proc=ngi", []),
        ("proc=nginx", [1]),
        ("proc!=nginx", [2, 3]),
        ("proc:nginx,redis", [1, 3]),
        ("state:estab", [1]),
        ("state:stalled", [3]),
        ("state:wait", [2]),
        ("!state:wait", [1, 3]),
        ("dir:in", [1]),
        ("dir:out", [2]),
        ("!dir:out", [1]),  # the direction of 3 is not known
        ("local", [3]),
        ("!local", [1, 2]),
        ("stalled:yes", [3]),
        ("stalled=no", [1, 2]),
        ("age<1m", [1, 3]),
        ("age<5m", [1, 3]),  # 2 is 120 s old, or older
        ("age>1m", [2]),
        ("age!=1m", [1, 2, 3]),
        ("age=120s", []),
        ("!age<1m", [2]),
        ("!age<5m", []),
        ("!age>5m", [1, 3]),
        ("why:silent", [3]),
        ("!why:silent", [1, 2]),
        ("why!=silent", [1, 2]),
        ("unit:web", [1]),
        ("!unit:web", [2, 3]),  # these processes run in none
        ("queue_full:no", []),  # none waits in a queue
        ("!queue_full:yes", []),
        ("out>1M", [1]),
        ("out>1Mbps !local", [1]),
        ("notsent_bytes>64kB", [1]),
        ("notsent_bytes=0", [3]),  # of 2 it has not been read
        ("PID:10", [1]),
        ("nginx or curl", [1, 2]),
        ("nginx OR port:6379 local", [1, 3]),
        ("(nginx or curl) port:443", [1, 2]),
        ("(nginx or redis) port:443", [1]),
        ("!(nginx or curl)", [3]),
        ("!!nginx", [1]),
        ("nginx and port:443", [1]),
        ("!nginx !curl", [3]),
        ('"nginx"', [1]),
        ('"or"', []),
        ('"local"', []),
        ("203.0.113.9:50000", [1]),
        ("[::1]:6379", [3]),
        (":443", [1, 2]),
        ("fe80::1", []),
        ("a:b", []),  # the beginning of an address
        ("", [1, 2, 3]),
    ],
)
def test_what_is_asked_for_is_found(text: str, expected: list[int]) -> None:
    assert found(text) == expected


def test_what_this_kernel_lacks_matches_neither_way() -> None:
    lacking = frozenset({"min_rtt_us"})
    assert found("min<1s", lacking) == found("!min<1s", lacking) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [1, 2]),
        ("server2", [2]),
        ("state:listen lport:8001", [1]),
        ("out<10M", []),
        ("!out>10M", []),
        ("rtt<1s", []),
        ("!rport:5", []),
        ("stalled:no", []),
        ("!stalled:yes", []),
        ("!unit:web", [1]),
        ("why:loss", []),
    ],
)
def test_what_a_listener_has_not_matches_neither_way(text: str, expected: list[int]) -> None:
    listeners = listeners_of(listener(1), listener(2, unit=b"web"))
    indices = select_others(listeners, LISTEN, Filter(text))
    assert listeners["id"][indices].tolist() == expected


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("prcess:x", "there is no field prcess: process?", 0),
        ("nginx zzzz>1", "there is no field zzzz", 6),
        ("rtt>", "a value is missing, such as rtt>50ms", 4),
        ("rtt>50", "'50' is not a number such as 50ms", 4),
        ("rtt>fast", "'fast' is not a number such as 50ms", 4),
        ("rtt>-5ms", "'-5ms' is not a number such as 50ms", 4),
        ("port:https", "'https' is not a number such as 10", 5),
        ("port:80,", "'' is not a number such as 10", 5),
        ("curl remote:10.0.0", "'10.0.0' is not an address or network such as 10.0.0.0/8", 12),
        ("state>estab", "a text cannot be compared: use : or =", 6),
        ("stalled:maybe", "'maybe' is neither yes nor no", 8),
        ("proc:,", "there is no text to look for", 5),
        ("(nginx", "there is no ) for this (", 0),
        ("nginx )", "there is no ( for this )", 6),
        ("a or", "a word is missing here", 4),
        ("or a", "a word is missing here", 0),
        ("()", "a word is missing here", 1),
        ("a !", "a word is missing after !", 3),
        ('a "b', 'a " has no other', 2),
        ("!" * (MAX_DEPTH + 1) + "a", "( or ! nested too deeply", MAX_DEPTH),
    ],
)
def test_an_error_tells_what_is_wrong_and_where(text: str, message: str, at: int) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert (str(caught.value), caught.value.at) == (message, at)


def test_each_field_and_column_can_be_asked_for_by_its_example() -> None:
    for word, match in CONNECTIONS.matches.items():
        parse(f"{word}:{match.example}")
        if match.compares:
            parse(f"{word}>{match.example}")
    assert {field.name for field in CONNECTIONS.fields} < CONNECTIONS.matches.keys()
    assert CONNECTIONS.column.keys() < CONNECTIONS.matches.keys()


def test_no_word_stands_for_two_fields() -> None:
    words = [*CONNECTIONS.no_field]
    for field in CONNECTIONS.fields:
        words += {field.name, *([field.column.key] if field.column else []), *field.words}
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        ("", "lport:443", "lport:443"),
        ("nginx", "rport:443", "nginx rport:443"),
        ("nginx or redis", "rport:443", "(nginx or redis) rport:443"),
        ("nginx rport:443", "rport:443", "nginx rport:443"),
        ("nginx or rport:443", "rport:443", "(nginx or rport:443) rport:443"),
        ("!rport:443", "rport:443", "!rport:443 rport:443"),
        ('"a or b"', "rport:443", '"a or b" rport:443'),
        ("nginx", "redis or rport:443", "nginx (redis or rport:443)"),
        ('"rport:443"', "rport:443", '"rport:443" rport:443'),
        ('"or" nginx', "rport:443", '"or" nginx rport:443'),
    ],
)
def test_two_filters_are_one_that_selects_what_both_select(text: str, more: str, expected: str) -> None:
    assert both(text, more) == expected
    selected = [set(select(ROWS, Filter(one)).tolist()) for one in (text, more, expected)]
    assert selected[2] == selected[0] & selected[1]


@pytest.mark.parametrize("cause", causes.CAUSES, ids=lambda cause: cause.name)
def test_a_cause_is_found_by_each_of_its_names(cause: causes.Cause) -> None:
    number = causes.NAMES.index(cause.name)
    rows = rows_of(row(1, both_why=number + 1), row(2, both_why=1))
    for name in (cause.name, *cause.also):
        for text in (f"why:{name}", f"why={name}"):
            assert rows["id"][select(rows, Filter(text))].tolist() == [1]
        assert rows["id"][select(rows, Filter(f"!why:{name}"))].tolist() == [2]
