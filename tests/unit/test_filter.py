"""Filter."""

from __future__ import annotations

import pytest

from tcptop_rtt.model.rows import Rows
from tcptop_rtt.view.filter import Filter, select
from tests.unit.rows import row, rows_of


def found(rows: Rows, **wanted: object) -> list[int]:
    picked = select(rows, Filter(**wanted))  # type: ignore[arg-type]
    return [int(id_) for id_ in rows["id"][picked]]


MIXED = rows_of(
    row(1, comm=b"nginx", pid=10, rport=443),
    row(2, comm=b"SSHD", pid=22, lport=22, rport=50000, state=8),
    row(3, comm=b"curl", pid=10, family=6, laddr="2001:db8::1", raddr="fe80::abcd", rport=443, stalled=True),
    row(4, comm=b"", pid=0, closed=True),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [1, 2, 3, 4]),
        ("ssh", [2]),
        ("SSH", [2]),
        ("NGINX :443", [1]),
        (":443", [1, 3, 4]),
        ("[fe80::ABCD]:443", [3]),
        ("198.51.100.2:50000", [2]),
        ("close-wait", [2]),
        ("stalled", [3]),
        ("closed", [4]),
        ("443 curl", [3]),
        ("nginx curl", []),
        ("1192", []),
        ("  ", [1, 2, 3, 4]),
    ],
)
def test_words(text: str, expected: list[int]) -> None:
    assert found(MIXED, text=text) == expected


def test_fields_and_words_are_anded() -> None:
    assert found(MIXED, pid=10) == [1, 3]
    assert found(MIXED, family=6) == [3]
    assert found(MIXED, lport=22) == [2]
    assert found(MIXED, rport=443, family=4) == [1, 4]
    assert found(MIXED, rport=443, text="curl") == [3]
    assert found(MIXED, pid=0) == [4]


def test_a_word_never_matches_across_two_parts() -> None:
    rows = rows_of(row(1, comm=b"web", pid=12), row(2, comm=b"web1", pid=2))
    assert found(rows, text="web12") == []


def test_pid_zero_is_not_text() -> None:
    rows = rows_of(row(1, comm=b"x", pid=0, lport=5, rport=5, laddr="1.1.1.1", raddr="1.1.1.1"))
    assert found(rows, text="0") == []


def test_a_hostile_name_is_found_as_it_is_shown() -> None:
    rows = rows_of(row(1, comm=b"[/red]$(x)\x1b[31m"))
    assert found(rows, text="[/red]$(x)\ufffd[31m") == [1]


def test_the_interface_of_a_link_local_address_is_found() -> None:
    ends = {"family": 6, "laddr": "fe80::1", "raddr": "fe80::2"}
    rows = rows_of(row(1, ifindex=2, interface=b"eth0", **ends), row(2, ifindex=3, interface=b"eth1", **ends))
    assert found(rows, text="fe80::2%eth1") == [2]
    assert found(rows, text="%ETH0]:443") == [1]
