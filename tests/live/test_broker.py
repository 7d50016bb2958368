"""The helper that keeps the rights: it answers as this process would, and no question gets it further."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tcptop_rtt.model.reach import Holder
from tcptop_rtt.privileges.capabilities import names_of
from tcptop_rtt.reach.brokered import Brokered
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.reach.wire import Question, ask
from tcptop_rtt.sources import bpf_call
from tcptop_rtt.sources.loader.places import SOCKETS
from tcptop_rtt.sources.netlink import Netlink
from tcptop_rtt.sources.program import Program
from tests.live.others import is_gone, others, status
from tests.live.pairs import connected
from tests.live.program import NOBODY
from tests.waiting import becomes


@pytest.fixture
def reach() -> Iterator[Brokered]:
    with closing(Brokered((NOBODY, NOBODY))) as brokered:
        yield brokered


def test_it_has_the_rights_that_it_needs_and_no_others(reach: Brokered) -> None:
    reach.namespaces()
    found = status(reach.pid)
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert names_of(int(found[name], 16)) == ["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN"]
    assert int(found["CapInh"], 16) == int(found["CapAmb"], 16) == 0
    assert found["Uid"].split() == found["Gid"].split() == [str(NOBODY)] * 4
    assert (found["Groups"], found["NoNewPrivs"], found["Seccomp"]) == ("", "1", "2")
    assert os.getsid(reach.pid) == reach.pid


def test_its_answers_are_those_of_who_has_all_rights(reach: Brokered) -> None:
    direct = Direct()
    with others() as (pid, netns, inode, descriptor, _):
        assert netns in reach.namespaces()
        assert reach.netns == direct.netns != netns
        assert reach.interface_names(netns) == direct.interface_names(netns) == {1: b"lo"}
        (theirs,) = (one for one in direct.holders().found if one.inode == inode)
        assert theirs == Holder(inode, pid, theirs.started_ns, 1, b"python3")
        assert theirs in reach.holders().found
        assert becomes(lambda: bool((use := direct.use_of(pid, inode)) and use.blocked))
        assert reach.use_of(pid, inode) == direct.use_of(pid, inode)
        assert reach.use_of(pid, inode).descriptors == (descriptor,)  # type: ignore[union-attr]
        assert reach.use_of(pid, inode + 10**9) is None
        found, time_wait = reach.netlink_in(netns)
        assert time_wait == 0
        with closing(Netlink(socket.socket(fileno=found))) as netlink:
            ours = sum(len(one.starts) for one in netlink.dump(_LISTENING))
        assert ours == 1


_LISTENING = (
    bytes([socket.AF_INET, socket.IPPROTO_TCP, 0, 0]) + (1 << 10).to_bytes(4, sys.byteorder) + bytes(48)
)
"""``struct inet_diag_req_v2``: sockets in state LISTEN."""


def test_a_large_answer_comes_in_parts_and_whole(reach: Brokered) -> None:
    with ExitStack() as opened:
        many = [opened.enter_context(socket.socket()) for _ in range(800)]
        inodes = {os.fstat(one.fileno()).st_ino for one in many}
        held = {one.inode for one in reach.holders().found if one.pid == os.getpid()}
    assert inodes <= held


def test_an_iterator_that_it_makes_lists_another_namespace(reach: Brokered) -> None:
    program = Program.loaded()
    with closing(program), others() as (_, netns, _, _, _), connected():
        link = program.links[SOCKETS.program]
        before = sorted(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with open(reach.iterator_in(netns, link), "rb", buffering=0) as file:
                assert file.read(1 << 20) is not None
        assert sorted(os.listdir("/proc/self/fd")) == before
        with open(reach.count_run_time()):
            assert bpf_call.run_time(next(iter(program.programs.values())))
        assert len(os.listdir(f"/proc/{reach.pid}/fd")) == 5  # three of nothing, the channel, the leash


@pytest.mark.parametrize(
    "question",
    [
        ["open", 1],
        ["namespaces", 1],
        ["use", 1],
        ["use", -1, 5],
        ["use", True, 5],
        ["use", "self", 5],
        ["use", 1.5, 5],
        ["use", 1 << 64, 5],
        ["netlink"],
        ["iterator", 1],
        [["use"], 1, 2],
        {},
        "x",
        [],
    ],
)
def test_what_is_no_question_is_refused_and_the_next_is_answered(reach: Brokered, question: object) -> None:
    channel = reach._helper.channel
    channel.send(json.dumps(question).encode())
    _, error = json.loads(channel.recv(1 << 16)[1:])
    assert error
    assert reach.netns in reach.namespaces()


def test_a_descriptor_that_does_not_belong_to_a_question_is_refused_and_closed(reach: Brokered) -> None:
    before = len(os.listdir(f"/proc/{reach.pid}/fd")) if reach.namespaces() else 0
    with open("/dev/null") as file:
        answer = ask(reach._helper.channel, Question("namespaces", (), file.fileno()))
        assert answer.error
        answer = ask(reach._helper.channel, Question("iterator", (1,), file.fileno()))
        assert answer.error
    assert len(os.listdir(f"/proc/{reach.pid}/fd")) == before


@pytest.mark.parametrize("stands_still", [False, True])
def test_it_ends_with_who_has_begun_it(stands_still: bool) -> None:
    script = """
import time
from tcptop_rtt.reach.brokered import Brokered
it = Brokered()
print(it.pid, flush=True)
time.sleep(1000)
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        assert becomes(lambda: status(pid)["Seccomp"] == "2")
        if stands_still:
            os.kill(pid, signal.SIGSTOP)
        process.kill()
    assert becomes(lambda: is_gone(pid))


def test_no_signal_but_sigkill_ends_it_and_then_that_is_told(reach: Brokered) -> None:
    reach.namespaces()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(reach.pid, number)
    assert len(reach.namespaces()) >= 1
    assert reach.problem == ""
    os.kill(reach.pid, signal.SIGKILL)
    assert becomes(lambda: "start tcptop-rtt again" in reach.problem)
    assert reach.namespaces() == (reach.netns,)
    assert reach.holders() == ((), True, 0.0)
    assert reach.interface_names(reach.netns)
    with pytest.raises(OSError, match="has ended"):
        reach.use_of(os.getpid(), 1)


def test_who_waits_for_an_answer_waits_no_longer_once_it_is_closed() -> None:
    reach = Brokered()
    reach.namespaces()
    os.kill(reach.pid, signal.SIGSTOP)
    from threading import Thread

    asking = Thread(target=reach.holders, daemon=True)
    asking.start()
    time.sleep(0.1)
    reach.close()
    asking.join(10)
    assert not asking.is_alive()
    assert becomes(lambda: is_gone(reach.pid))


_TRIES = """
import json, mmap, os, socket, sys
sys.path.insert(0, sys.argv[1])
import array
from tcptop_rtt.privileges.capabilities import no_new_privileges
from tcptop_rtt.system_call import LIBC as libc, checked
from tcptop_rtt.reach.few_calls import allow_few_calls
from tests.live.tried import bpf, outcomes
def kill(): os.kill(os.getppid(), 0)
def executable(): mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)
tries = {
    "write": lambda: os.open("/dev/null", os.O_WRONLY),
    "create": lambda: os.open("/tmp/never", os.O_RDONLY | os.O_CREAT),
    "truncate": lambda: os.open("/dev/null", os.O_RDONLY | os.O_TRUNC),
    "no name": lambda: os.open("/tmp", os.O_TMPFILE | os.O_RDWR),
    "execve": lambda: os.execv("/bin/true", ["true"]),
    "fork": os.fork,
    "kill": kill,
    "internet": lambda: socket.socket(socket.AF_INET),
    "unix": lambda: socket.socket(socket.AF_UNIX),
    "ptrace": lambda: checked(libc.ptrace(16, os.getppid(), None, None)),
    "mount": lambda: checked(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None)),
    "user namespace": lambda: checked(libc.setns(3, 0x10000000)),
    "any namespace": lambda: checked(libc.setns(3, 0)),
    "unshare": lambda: checked(libc.unshare(0x40000000)),
    "chmod": lambda: os.chmod("/dev/null", 0o666),
    "unlink": lambda: os.unlink("/tmp/never"),
    "code": executable,
    "load": lambda: bpf(5),
    "map": lambda: bpf(0),
    "by id": lambda: bpf(13),
    "who": lambda: os.setuid(0),
    "memory": lambda: checked(libc.process_vm_readv(os.getppid(), None, 0, None, 0, 0)),
}
no_new_privileges()
allow_few_calls()
results = outcomes(tries)
fd = os.open("/etc/hostname", os.O_RDONLY | os.O_CLOEXEC)
os.write(1, json.dumps(results).encode())
"""


def test_its_system_calls_are_few() -> None:
    root = str(Path(__file__).parents[2])
    ended = subprocess.run([sys.executable, "-c", _TRIES, root], capture_output=True, check=True)
    results = json.loads(ended.stdout)
    assert len(results) == 22
    assert set(results.values()) == {1}, results  # EPERM
