"""The helper, which keeps only the rights to look into others, and answers the questions of ``Reach``.

An attacker may have taken over the asking process. It can only ask these few questions, by numbers of
processes and network namespaces: the helper takes no path, no command and no other bytes from it.
"""

from __future__ import annotations

import array  # noqa: F401 - socket imports array late, when no file can be mapped as code any more
import errno
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from tcptop_rtt.model.reach import Reach
from tcptop_rtt.privileges import capabilities
from tcptop_rtt.privileges.identity import become
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.reach.few_calls import allow_few_calls
from tcptop_rtt.reach.wire import Answer, Question, answer, question_from

CAPABILITIES = (capabilities.DAC_READ_SEARCH, capabilities.SYS_PTRACE, capabilities.SYS_ADMIN)
"""The first two serve to read other users' processes in /proc. SYS_ADMIN serves to enter network namespaces,
and to have the kernel count what BPF programs cost."""


def main(channel: socket.socket, uid: str = "", gid: str = "") -> None:
    """Answer questions until the asking process has ended.

    :param uid: the user that the helper becomes, with the group ``gid``; empty to stay the same user
    """
    # The helper ends with the asking process, to which a service manager sends these signals, too.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    _give_up((int(uid), int(gid)) if uid else None)
    with suppress(BrokenPipeError, ConnectionResetError):
        _serve(channel, Direct())


def _give_up(user: tuple[int, int] | None) -> None:
    """Give up as much as the kernel supports; ``/proc`` shows what is left."""
    capabilities.no_new_privileges()
    with suppress(OSError):
        capabilities.bound(CAPABILITIES)
    if user is not None:
        with suppress(OSError):
            become(*user)
    with suppress(OSError):
        capabilities.drop(CAPABILITIES)
    with suppress(OSError):
        allow_few_calls()


def _serve(channel: socket.socket, reach: Reach) -> None:
    while True:
        try:
            question = question_from(channel)
            if question is None:
                return
            given = _answer(question, reach)
        except OSError as error:
            given = Answer(error=(error.errno or errno.EIO, error.strerror or str(error)))
        except ValueError as error:
            given = Answer(error=(errno.EINVAL, str(error)))
        answer(channel, given)


def _answer(question: Question, reach: Reach) -> Answer:
    try:
        way = _WAYS.get(question.word)
        if way is None or len(question.numbers) != way.numbers:
            raise ValueError("unknown question")
        if (question.descriptor is not None) != way.takes_descriptor:
            raise ValueError("it does not come with a descriptor")
        return way.answer(reach, *question.numbers, *_given(question.descriptor))
    finally:
        for descriptor in _given(question.descriptor):
            os.close(descriptor)


def _given(descriptor: int | None) -> tuple[int, ...]:
    return () if descriptor is None else (descriptor,)


class _Way(NamedTuple):
    """How a question is answered."""

    answer: Callable[..., Answer]
    numbers: int = 0
    """How many numbers the question has."""
    takes_descriptor: bool = False


def _netlink(reach: Reach, netns: int) -> Answer:
    descriptor, time_wait = reach.netlink_in(netns)
    return Answer(time_wait, descriptor)


def _names(reach: Reach, netns: int) -> Answer:
    return Answer([[index, name.decode("latin-1")] for index, name in reach.interface_names(netns).items()])


def _holders(reach: Reach) -> Answer:
    found = reach.holders()
    lines = [[*one[:-1], one.comm.decode("latin-1")] for one in found.found]
    return Answer([lines, found.is_partial, found.cost_s])


def _use(reach: Reach, pid: int, inode: int) -> Answer:
    use = reach.use_of(pid, inode)
    if use is None:
        return Answer()
    blocked = [[one.tid, one.comm.decode("latin-1"), one.call] for one in use.blocked]
    return Answer([use.descriptors, blocked])


_WAYS = {
    "namespaces": _Way(lambda reach: Answer(reach.namespaces())),
    "iterator": _Way(lambda reach, netns, link: Answer(None, reach.iterator_in(netns, link)), 1, True),
    "netlink": _Way(_netlink, 1),
    "names": _Way(_names, 1),
    "count": _Way(lambda reach: Answer(None, reach.count_run_time())),
    "holders": _Way(_holders),
    "use": _Way(_use, 2),
}
