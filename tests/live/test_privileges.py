"""What the program has no right to any more once it has begun, and that it shows all the same."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live.held import Open
from tests.live.others import is_gone, others, status
from tests.live.pairs import port_of
from tests.live.program import (
    NOBODY,
    PROGRAM,
    START_S,
    children,
    complaint,
    lines_of,
    mounted,
    run,
)
from tests.ports import serve
from tests.waiting import becomes

_BY_SUDO = ("env", f"SUDO_UID={NOBODY}", f"SUDO_GID={NOBODY}")


def _helper_of(pid: int) -> int:
    """The process that is left once the loader has ended."""
    assert becomes(lambda: len(children(pid)) == 1)
    return children(pid)[0]


def _check_given_up(pid: int, uid: int, least: int = 4) -> None:
    threads = list(Path(f"/proc/{pid}/task").iterdir())
    assert len(threads) >= least
    for thread in threads:
        found = status(int(thread.name))
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(found[name], 16) == 0, (name, found["Name"])
        assert found["Uid"].split() == [str(uid)] * 4
        assert found["Gid"].split() == [str(uid)] * 4
        assert (found["Groups"], found["NoNewPrivs"], found["Seccomp"]) == ("", "1", "2")


@pytest.mark.parametrize(("before", "uid"), [(_BY_SUDO, NOBODY), (("env", "-u", "SUDO_UID"), 0)])
def test_no_thread_of_the_dashboard_has_any_right(before: tuple[str, ...], uid: int, terminal: Open) -> None:
    it = terminal(*before, PROGRAM).started()
    helper = _helper_of(it.pid)
    if uid:
        _check_given_up(it.pid, uid)
    found = status(it.pid)
    assert int(found["CapPrm"], 16) == int(found["CapBnd"], 16) == 0
    assert status(helper)["Seccomp"] == "2"
    it.type(b"i")
    it.wait_for_shown(f"UID {uid}, GID {uid}, no capabilities, no new privileges, seccomp, Landlock ")
    it.wait_for_shown("CAP_DAC_READ_SEARCH CAP_SYS_PTRACE CAP_SYS_ADMIN, no new privileges, seccomp")
    assert "not given up" not in it.shown
    it.type(b"iq")
    assert it.ended() == 0
    it.check_restored()
    assert is_gone(helper)


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    """A recording that only root can read."""
    tmp_path.chmod(0o700)
    path = tmp_path / "it"
    lines_of(
        run(
            "--json",
            "--count",
            "4",
            "--interval",
            "0.3",
            "--record",
            str(path),
            before=("env", "-u", "SUDO_UID"),
        )
    )
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (0, 0o600)
    return path


def test_a_recording_is_opened_and_shown_without_any_right(terminal: Open, roots: Path) -> None:
    it = terminal(*_BY_SUDO, PROGRAM, "--replay", str(roots)).started()
    assert children(it.pid) == []
    _check_given_up(it.pid, NOBODY)
    it.type(b"i")
    it.wait_for_shown(f"UID {NOBODY}, GID {NOBODY}, no capabilities, no new privileges, seccomp, Landlock ")
    it.type(b"iq")
    assert it.ended() == 0


def test_what_comes_by_a_pipe_is_too(roots: Path) -> None:
    command = f"{PROGRAM} --replay {roots} --json | env SUDO_UID={NOBODY} {PROGRAM} --replay - --json"
    ended = subprocess.run(["sh", "-c", command], capture_output=True, timeout=START_S, check=True)
    assert (
        ended.stdout
        == subprocess.run([PROGRAM, "--replay", roots, "--json"], capture_output=True, check=True).stdout
    )
    assert ended.stdout.count(b"\n") > 4


def test_two_recordings_are_compared_without_any_right(terminal: Open, roots: Path) -> None:
    it = terminal(*_BY_SUDO, PROGRAM, "--compare", str(roots), str(roots))
    it.wait_for_shown("Quit")
    _check_given_up(it.pid, NOBODY, 3)


def test_what_is_kept_is_opened_and_shown_without_any_right(terminal: Open) -> None:
    script = f'mount -t tmpfs none /var/lib; {PROGRAM} --keep 1h --count 2 >/dev/null && exec "$@"'
    before = ("unshare", "--mount", "sh", "-c", script, "sh", *_BY_SUDO)
    it = terminal(*before, PROGRAM, "--at", "50%").started()
    _check_given_up(it.pid, NOBODY)


def test_a_server_is_asked_for_its_fleet_without_any_right(terminal: Open) -> None:
    with serve() as silent:
        it = terminal(*_BY_SUDO, PROGRAM, "--fleet", f"http://127.0.0.1:{port_of(silent)}")
        asked, _ = silent.accept()
        with asked:
            assert asked.recv(4) == b"POST"
            _check_given_up(it.pid, NOBODY, 1)


@pytest.mark.parametrize("source", ["tcp_probe", "sock_diag"])
def test_others_are_seen_as_before(source: str) -> None:
    """A process of a third user in another network namespace, with a connection there."""
    with others() as (pid, netns, _, _, port):
        ended = run("--json", "--count", "2", "--source", source, before=_BY_SUDO)
    opened = [line for line in lines_of(ended) if line["event"] == "open" and line["netns"] == netns]
    assert [(line["pid"], line["comm"], line["uid"]) for line in opened if line["lport"] == port] == [
        (pid, "python3", 1)
    ]


def test_the_helper_ends_with_the_program(terminal: Open) -> None:
    it = terminal(*_BY_SUDO, PROGRAM).started()
    helper = _helper_of(it.pid)
    os.kill(it.pid, signal.SIGKILL)
    assert becomes(lambda: is_gone(helper))


def test_a_helper_that_is_killed_is_told_and_what_needs_none_goes_on(terminal: Open) -> None:
    with serve() as server:
        address = server.getsockname()
        it = terminal(*_BY_SUDO, PROGRAM, "--interval", "0.2", "--rport", str(address[1])).started()
        os.kill(_helper_of(it.pid), signal.SIGKILL)
        it.wait_for_shown("has ended: start tcptop-rtt again")
        with socket.create_connection(address):
            it.wait_for_shown(f"127.0.0.1:{address[1]}")
    it.type(b"i")
    it.wait_for_shown("none: the helper has ended")
    it.type(b"i")
    it.check_keys()
    it.type(b"q")
    assert it.ended() == 0


def test_a_recording_is_made_with_the_rights_of_who_has_called_sudo(nobodys: Path, tmp_path: Path) -> None:
    refused = complaint(run("--json", "--count", "1", "--record", str(tmp_path / "it"), before=_BY_SUDO))
    assert refused.endswith(f"cannot record into {tmp_path / 'it'}: Permission denied")
    lines_of(run("--json", "--count", "2", "--record", str(nobodys / "it"), before=_BY_SUDO))
    found = (nobodys / "it").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (NOBODY, NOBODY, 0o600)
    assert found.st_size > 0


def test_so_is_one_beside_what_is_kept_and_that_is_roots(nobodys: Path) -> None:
    script = 'mount -t tmpfs none /var/lib; "$@"; find /var/lib -printf "%U %m %f\\n" >&2'
    before = (*_BY_SUDO, "unshare", "--mount", "sh", "-c", script, "sh")
    ended = run("--json", "--count", "2", "--keep", "1h", "--record", str(nobodys / "it"), before=before)
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^0 600 kept_", ended.stderr, re.MULTILINE)
    assert (nobodys / "it").stat().st_uid == NOBODY


def test_where_who_has_called_sudo_cannot_read_the_program_it_stays_root_and_says_so(
    terminal: Open, nobodys: Path
) -> None:
    checkout = Path(__file__).parents[2]
    script = (
        f"mount --bind {checkout} {nobodys} && mount -t tmpfs -o mode=700 none {checkout} && cd {checkout}"
        " && for part in .venv tcptop_rtt; do"
        f" mkdir $part && mount --bind {nobodys}/$part $part || exit; done"
        f' && umount {nobodys} && exec "$@"'
    )
    it = terminal("unshare", "--mount", "sh", "-c", script, "sh", *_BY_SUDO, PROGRAM).started()
    it.type(b"i")
    it.wait_for_shown(f"not given up   to be UID 0: UID {NOBODY} cannot read ")
    assert "UID 0, GID 0, no capabilities, no new privileges, seccomp, Landlock" in it.shown


_READS = """
import os, sys
sys.path.insert(0, sys.argv[1])
from tcptop_rtt.privileges.main_process import Needs, give_up
give_up(Needs())
open("/etc/resolv.conf").read(), os.listdir("/etc/ssl/certs")
"""


def test_settings_of_names_and_authorities_that_are_links_are_read() -> None:
    """As where /etc/resolv.conf leads to /mnt/wsl, and certificates are kept elsewhere."""
    script = (
        "mount -t tmpfs none /mnt && cp -a /etc /mnt/etc && mkdir /mnt/wsl /mnt/pem && cd /mnt/etc"
        " && rm -rf resolv.conf ssl/certs && echo nameserver 127.0.0.1 > /mnt/wsl/resolv.conf"
        " && ln -s /mnt/wsl/resolv.conf . && ln -s /mnt/pem ssl/certs && mount --bind /mnt/etc /etc"
        ' && cd / && exec "$@"'
    )
    root = str(Path(__file__).parents[2])
    command = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-c", _READS, root]
    subprocess.run(command, check=True, timeout=START_S)


def test_without_libseccomp_it_runs_and_says_so(terminal: Open) -> None:
    (library,) = Path("/usr/lib").glob("*-linux-gnu/libseccomp.so.2")
    it = terminal(*mounted(("/dev/null", library)), *_BY_SUDO, PROGRAM).started()
    it.type(b"i")
    it.wait_for_shown("not given up   seccomp: ")
    assert "no capabilities, no new privileges, Landlock" in it.shown


_TRIES = """
import fcntl, json, os, resource, signal, socket, struct, sys, threading
root, place, port, other, name = sys.argv[1:]
sys.path.insert(0, root)
from tcptop_rtt.system_call import LIBC as libc, call, checked
from tcptop_rtt.privileges.main_process import Needs, give_up
from tests.live.tried import bpf, outcomes
def connect(port): socket.create_connection(("127.0.0.1", int(port)), 5).close()
def bind():
    with socket.socket() as it: it.bind(("127.0.0.1", 0))
def abstract():
    with socket.socket(socket.AF_UNIX) as it: it.connect("\\0" + name)
def written(path):
    with open(path, "x") as file: file.write("x")
tries = {
    "write /etc": lambda: written(f"/etc/{name}"),
    "write beside": lambda: written(place + "-not"),
    "overwrite": lambda: open("/etc/hostname", "r+"),
    "secret": lambda: open("/etc/shadow"),
    "home": lambda: os.listdir("/root"),
    "environment": lambda: open(f"/proc/{other}/environ").read(),
    "descriptors": lambda: os.readlink(f"/proc/{other}/fd/0"),
    "execve": lambda: os.execv("/bin/true", ["true"]),
    "ptrace": lambda: checked(libc.ptrace(16, int(other), None, None)),
    "memory": lambda: checked(libc.process_vm_readv(int(other), None, 0, None, 0, 0)),
    "kill": lambda: os.kill(int(other), signal.SIGTERM),
    "thread kill": lambda: checked(libc.tgkill(int(other), int(other), signal.SIGTERM)),
    "by descriptor": lambda: signal.pidfd_send_signal(os.pidfd_open(int(other)), signal.SIGTERM),
    "by a pipe": lambda: fcntl.fcntl(pipe, fcntl.F_SETOWN, int(other)),
    "by a pipe, otherwise": lambda: fcntl.fcntl(pipe, 15, struct.pack("ii", 1, int(other))),
    "which signal": lambda: fcntl.fcntl(pipe, 10, signal.SIGKILL),
    "by a socket": lambda: fcntl.ioctl(pair, 0x8901, struct.pack("i", int(other))),
    "by a socket, otherwise": lambda: fcntl.ioctl(pair, 0x8902, struct.pack("i", int(other))),
    "limit": lambda: resource.prlimit(int(other), resource.RLIMIT_CPU, (1, 1)),
    "load": lambda: bpf(5),
    "map": lambda: bpf(0),
    "mount": lambda: checked(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None)),
    "unshare": lambda: checked(libc.unshare(0x10000000)),
    "perf": lambda: call(298 if os.uname().machine == "x86_64" else 241, None, 0, -1, -1, 0),
    "packet": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "connect": lambda: connect(port),
    "bind": bind,
    "abstract": abstract,
    "root": lambda: os.setuid(0),
    # what is needed
    "allowed to write": lambda: written(os.path.join(place, "new")),
    "allowed to read": lambda: open("/etc/hosts").read(),
    "allowed to look": lambda: open(f"/proc/{other}/cmdline").read(),
    "allowed to stop": lambda: os.kill(int(other), signal.SIGTSTP) if os.geteuid() == 0 else None,
    "allowed to thread": lambda: threading.Thread(target=int).start(),
    "allowed to connect": lambda: connect(sys.stdin.readline()),
    "allowed to limit itself": lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    "allowed to raise": lambda: signal.raise_signal(signal.SIGCHLD),
}
user = tuple(map(int, os.environ["USER_AND_GROUP"].split())) if "USER_AND_GROUP" in os.environ else None
allowed = sys.stdin.readline()
sys.stdin = __import__("io").StringIO(allowed)
ports = frozenset({int(allowed)}) if allowed.strip() != "none" else None
pipe, _ = os.pipe()
pair, _other_end = socket.socketpair()
given_up = give_up(Needs(user, False, (place,), ports))
print(json.dumps([given_up, outcomes(tries)]))
"""


@pytest.mark.parametrize("user", [NOBODY, None])
@pytest.mark.parametrize("network", [True, False])
def test_what_is_not_needed_is_refused(user: int | None, network: bool, nobodys: Path) -> None:
    root = str(Path(__file__).parents[2])
    place, beside = nobodys / "place", nobodys / "place-not"
    place.mkdir()
    os.chown(place, user or 0, user or 0)
    nobodys.chmod(0o711)
    environment = {"USER_AND_GROUP": f"{user} {user}"} if user is not None else {}
    with (
        ExitStack() as at_end,
        serve() as closed,
        serve() as opened,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        name = f"tcptop-rtt-test-{os.getpid()}"
        abstract.bind(f"\0{name}")
        abstract.listen()
        other = at_end.enter_context(subprocess.Popen(["sleep", "1000"]))
        at_end.callback(other.kill)
        ended = subprocess.run(
            [sys.executable, "-c", _TRIES, root, str(place), str(port_of(closed)), str(other.pid), name],
            input=f"{port_of(opened) if network else 'none'}\n",
            env=environment,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
        assert other.poll() is None
    assert ended.returncode == 0, ended.stderr
    (landlock, left), results = json.loads(ended.stdout)
    assert landlock >= 6
    assert left == []
    needed = {name: results.pop(name) for name in list(results) if name.startswith("allowed")}
    if not network:
        assert needed.pop("allowed to connect") == -1
    assert set(needed.values()) == {0}, needed
    assert len(results) == 29
    assert results["execve"] == 1  # by seccomp, and not by Landlock alone
    assert {name: number for name, number in results.items() if number not in (1, 13)} == {}  # EPERM, EACCES
    assert not Path(f"/etc/{name}").exists()
    assert not beside.exists()
