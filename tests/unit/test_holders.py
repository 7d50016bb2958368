"""Whose a connection is, by what a scan finds: descriptors, MPTCP sockets, listeners, and none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from tcptop_rtt.model.records import ENTRY, Hold, Kind, Records
from tcptop_rtt.model.rows import Holder
from tcptop_rtt.model.snapshot import Health, NamedProcess, ProcessKey, Snapshot
from tcptop_rtt.tracking.connections import Connections
from tcptop_rtt.tracking.holders import ASKED_AT_ONCE
from tcptop_rtt.tracking.units import MOST_AT_ONCE, ROWS_AGAIN
from tests.unit.rows import address, filled


@pytest.fixture
def connections() -> Connections:
    return Connections(lambda: 10**12)


def _entry(fields: Mapping[str, int | bytes]) -> Records:
    """An entry of a scan, of the established connection 1 at socket 100, but for what is given."""
    values: dict[str, int | bytes] = {"kind": Kind.ENTRY, "state": 1, "id": 1, "sock": 100, "lport": 443}
    values |= {"laddr": address("192.0.2.1"), "pid": fields.get("tgid", 0), **fields}
    return filled(ENTRY, values)


def _listener(laddr: str, tgid: int, **given: int | bytes) -> Mapping[str, int | bytes]:
    return {"state": 10, "id": 0, "sock": 7, "laddr": address(laddr), "tgid": tgid, **given}


def _scan(
    connections: Connections,
    *fields: Mapping[str, int | bytes],
    is_gone: Callable[[ProcessKey], bool] = lambda _: False,
) -> Snapshot:
    for one in fields:  # each in a part of its own
        connections.ingest_scan(_entry(one))
    connections.apply_scan(is_gone)
    return connections.snapshot(Health("", "", 0, 0, 0))


def test_one_that_waits_to_be_accepted_has_the_process_that_listens_at_its_address(
    connections: Connections,
) -> None:
    everywhere, here = _listener("::", 5), _listener("192.0.2.1", 9)
    elsewhere, later = _listener("198.51.100.1", 3), _listener("192.0.2.1", 12)
    (row,) = _scan(connections, everywhere, later, here, elsewhere, {}).rows
    assert (row["holder"], row["pid"], row["direction"]) == (Holder.LISTENER, 9, 2)
    (row,) = _scan(connections, everywhere, elsewhere, {}).rows
    assert (row["holder"], row["pid"]) == (Holder.LISTENER, 5)
    (row,) = _scan(connections, elsewhere, everywhere, {"netns": 4}).rows
    assert (row["holder"], row["pid"]) == (Holder.UNKNOWN, 0)


def test_of_several_processes_the_oldest_is_shown_though_pids_have_begun_anew(
    connections: Connections,
) -> None:
    parent: dict[str, int | bytes] = {"tgid": 900, "started_ns": 100}
    child: dict[str, int | bytes] = {"tgid": 5, "started_ns": 200}
    assert _scan(connections, child, parent).rows["pid"].tolist() == [900]
    listens = [{**_listener("192.0.2.1", 0), **one} for one in (child, parent)]
    above = [{"kind": Kind.MPTCP, "id": 0, "sock": 8, "inode": 77, **one} for one in (child, parent)]
    waits, subflow = {"id": 2, "sock": 200}, {"id": 3, "sock": 300, "inode": 77}
    rows = _scan(connections, parent, *listens, *above, waits, subflow).rows
    assert rows["pid"].tolist() == [900, 900, 900]


def test_a_process_that_cannot_be_looked_for_any_more_is_not_shown(connections: Connections) -> None:
    process: dict[str, int | bytes] = {"tgid": 9, "comm": b"it", "started_ns": 7, "process_uid": 33}
    has_file = Hold.SOCKET | Hold.FILE
    (row,) = _scan(connections, {**process, "hold": has_file}).rows
    assert (row["holder"], row["pid"]) == (Holder.PROCESS, 9)
    # Without a descriptor it may be on its way to another process: the last one stays.
    (row,) = _scan(connections, {"hold": has_file, "uid": 44}).rows
    assert (row["holder"], row["pid"]) == (Holder.PROCESS, 9)
    (row,) = _scan(connections, {"hold": has_file | Hold.UNSEEN, "uid": 44}).rows
    assert (row["holder"], row["pid"], row["comm"], row["started_ns"]) == (Holder.UNKNOWN, 0, b"", 0)


def test_a_listener_under_an_mptcp_socket_has_the_process_of_that_socket(connections: Connections) -> None:
    mptcp = {"kind": Kind.MPTCP, "id": 0, "sock": 8, "tgid": 6, "inode": 77}
    (row,) = _scan(connections, _listener("::", 0, inode=77), mptcp, {}).rows
    assert (row["holder"], row["pid"]) == (Holder.LISTENER, 6)


def test_a_subflow_has_the_processes_that_hold_the_mptcp_socket_above(connections: Connections) -> None:
    above = [
        {"kind": Kind.MPTCP, "id": 0, "sock": 8, "tgid": tgid, "comm": b"m", "inode": 77} for tgid in (4, 6)
    ]
    snapshot = _scan(connections, *above, {"tgid": 3}, {"id": 2, "sock": 200, "netns": 5, "inode": 77})
    first, row = snapshot.rows
    assert first["pid"] == 3
    assert (row["holder"], row["pid"], row["comm"]) == (Holder.PROCESS, 4, b"m")
    assert connections.missing_socks() == {}
    connections.ingest_scan(_entry({"tgid": 3}))
    assert connections.unheld_namespaces(before_ns=1 << 62) == {5}  # it has no descriptor of its own


def test_an_orphan_keeps_the_name_of_the_process_that_had_it(connections: Connections) -> None:
    _scan(connections, {"tgid": 9, "comm": b"nginx"})
    connections.set_trace(1)
    snapshot = _scan(connections, {"hold": Hold.DEAD})
    (row,) = snapshot.rows
    assert (row["holder"], row["pid"], row["was_pid"], row["was_comm"]) == (Holder.NOBODY, 0, 9, b"nginx")
    assert snapshot.trace
    assert (snapshot.trace.holders, snapshot.trace.holder_note) == ((), "was nginx (9), gone")


def test_a_process_without_a_descriptor_is_shown_until_it_ends(connections: Connections) -> None:
    process: dict[str, int | bytes] = {"tgid": 9, "comm": b"sender", "started_ns": 7}
    on_its_way = {"hold": Hold.SOCKET | Hold.FILE}
    asked: list[ProcessKey] = []

    def has_ended(process: ProcessKey) -> bool:
        asked.append(process)
        return len(asked) > 1

    _scan(connections, process, is_gone=has_ended)
    assert not asked  # it has a descriptor
    connections.set_trace(1)
    (row,) = _scan(connections, on_its_way, is_gone=has_ended).rows
    assert (row["holder"], row["pid"], asked) == (Holder.PROCESS, 9, [ProcessKey(9, 7)])
    snapshot = _scan(connections, on_its_way, is_gone=has_ended)
    (row,) = snapshot.rows
    assert (row["holder"], row["pid"], row["was_pid"], row["was_comm"]) == (Holder.UNKNOWN, 0, 9, b"sender")
    assert snapshot.trace
    assert snapshot.trace.holder_note == "was sender (9), gone"
    assert len(asked) == 2
    connections.close_missing([1])
    (row,) = connections.snapshot(Health("", "", 0, 0, 0)).rows
    assert (row["holder"], row["pid"], row["comm"]) == (Holder.PROCESS, 9, b"sender")


def test_of_very_many_processes_without_a_descriptor_some_are_asked_for_at_a_time(
    connections: Connections,
) -> None:
    count = 2 * ASKED_AT_ONCE + 9
    each = [{"id": number, "sock": 100 * number} for number in range(1, count + 1)]
    _scan(connections, *({**one, "tgid": one["id"], "started_ns": 5} for one in each))
    asked: list[ProcessKey] = []

    def lives(process: ProcessKey) -> bool:
        asked.append(process)
        return False

    on_their_way = [{**one, "hold": Hold.SOCKET | Hold.FILE} for one in each]
    for most in (ASKED_AT_ONCE, 2 * ASKED_AT_ONCE, count, count + ASKED_AT_ONCE):
        _scan(connections, *on_their_way, is_gone=lives)
        assert len(asked) == most
    assert len({*asked[:count]}) == count


def test_a_socket_of_the_kernel_has_no_process(connections: Connections) -> None:
    (row,) = _scan(connections, {"hold": Hold.SOCKET}).rows
    assert row["holder"] == Holder.KERNEL
    (row,) = _scan(connections, {"hold": Hold.SOCKET | Hold.FILE}).rows
    assert row["holder"] == Holder.KERNEL  # a file without a descriptor says nothing new


def test_a_scan_that_failed_has_no_say(connections: Connections) -> None:
    connections.ingest_scan(_entry({"tgid": 9}))
    connections.drop_scan()
    connections.set_trace(1)
    snapshot = _scan(connections, {"tgid": 4}, {"tgid": 4}, {"tgid": 5})
    assert snapshot.rows["pid"].tolist() == [4]
    assert snapshot.trace
    assert snapshot.trace.holders == (NamedProcess(4, b""), NamedProcess(5, b""))


def test_a_connection_that_a_scan_has_not_met_is_missing_until_it_is_closed(connections: Connections) -> None:
    _scan(connections, {"tgid": 9}, {"id": 2, "sock": 200, "tgid": 9})
    _scan(connections, {"tgid": 9})
    assert connections.missing_socks() == {200: 2}
    connections.close_missing([2])
    assert connections.missing_socks() == {}


def test_each_process_is_asked_for_its_unit_and_of_very_many_some_at_a_time(
    connections: Connections,
) -> None:
    count = MOST_AT_ONCE + 20
    held = [
        {"id": number, "sock": 100 * number, "tgid": number, "pid": number, "started_ns": 5}
        for number in range(1, count + 1)
    ]
    _scan(connections, *held, {"id": count + 1, "sock": 5, "tgid": 0})
    asked: list[ProcessKey] = []

    def look_up(process: ProcessKey) -> bytes:
        asked.append(process)
        return b"unit"

    connections.name_units(look_up)
    assert len(asked) == MOST_AT_ONCE
    for _ in range(2):
        connections.name_units(look_up)
    assert set(asked) == {ProcessKey(number, 5) for number in range(1, count + 1)}
    assert len(asked) <= count + 2 * ROWS_AGAIN


def test_a_process_that_is_moved_to_another_unit_is_followed_until_it_ends(connections: Connections) -> None:
    count = ROWS_AGAIN + 9
    held = [
        {"id": number, "sock": 100 * number, "tgid": 1 + number % 9, "pid": 1 + number % 9, "started_ns": 5}
        for number in range(1, count + 1)
    ]
    _scan(connections, *held)
    for unit in (b"ssh.service", b"session-3.scope"):
        for _ in range(3):
            connections.name_units(lambda _, unit=unit: unit)  # type: ignore[misc]
        rows = _scan(connections, *held).rows
        assert set(rows["unit"].tolist()) == {unit}
    connections.name_units(lambda _: b"")  # nothing can be read of a process that has ended
    assert set(_scan(connections, *held).rows["unit"].tolist()) == {b"session-3.scope"}


def test_one_that_waits_in_a_full_queue_is_told(connections: Connections) -> None:
    full, room = ({"queue": queue, "queue_limit": 3} for queue in (4, 3))
    first, second = _listener("192.0.2.1", 9, **full), _listener("192.0.2.1", 10, sock=8, **room)
    for listeners, expected in (((first,), True), ((first, second), False), ((second,), False)):
        (row,) = _scan(connections, *listeners, {}).rows
        assert (row["holder"], row["queue_full"]) == (Holder.LISTENER, expected)
