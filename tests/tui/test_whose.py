"""Whose a connection is, in the details."""

from __future__ import annotations

from tcptop_rtt.model.reach import BlockedThread, SocketUse
from tcptop_rtt.model.snapshot import NamedProcess
from tcptop_rtt.screens.whose_block import BLOCKED
from tests.tui.conftest import Open
from tests.tui.feed import HOSTILE, trace_of
from tests.unit.rows import row


async def test_the_details_tell_who_has_started_the_process_and_in_which_namespace_it_is(stage: Open) -> None:
    async with stage((200, 50)) as it:
        await it.show(row(1, netns=4026532177))
        await it.press("enter")
        parents = (NamedProcess(77, b"supervisord"), NamedProcess(1, HOSTILE))
        trace = trace_of(1, 9, parents=parents, netns_name="blue")
        await it.show(row(1, netns=4026532177), step=1, trace=trace)
        text = " ".join(it.screen_text.split())
        assert "started by supervisord 77" in text
        assert "blue (4026532177)" in text
        assert "\x1b" not in it.screen_text
        await it.show(row(1, netns=4026532177), step=2, trace=trace_of(1, 9))
        assert "started by" not in it.screen_text
        assert "blue" not in it.screen_text
        assert "4026532177" in it.screen_text


async def test_the_details_tell_which_threads_wait_for_the_connection(stage: Open) -> None:
    async with stage((200, 50)) as it:
        await it.show(row(1))
        await it.press("enter")
        blocked = (BlockedThread(501, b"worker-3", "recvfrom"), BlockedThread(502, HOSTILE, "epoll_wait"))
        await it.show(row(1), step=1, trace=trace_of(1, 9, use=SocketUse((7, 9), blocked)))
        text = it.screen_text
        assert "7, 9" in text
        assert "worker-3 501 in" in text
        assert "\x1b" not in text
        many = tuple(BlockedThread(600 + number, b"w", "read") for number in range(BLOCKED + 77))
        await it.show(row(1), step=2, trace=trace_of(1, 9, use=SocketUse((7,), many)))
        assert "77 more" in it.screen_text
        await it.show(row(1), step=3, trace=trace_of(1, 9, use=SocketUse((7,), ())))
        assert "no thread in" in it.screen_text
        await it.show(row(1), step=4, trace=trace_of(1, 9))
        assert "descriptor" not in it.screen_text
