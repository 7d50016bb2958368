"""The command line: what it accepts, how it fails, how it ends, and what it writes."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tcptop_rtt.view.fields import CONNECTIONS
from tests.live.conftest import Recording
from tests.live.kernel_objects import kernel_objects, remaining
from tests.live.pairs import connected, port_of, talking
from tests.live.program import (
    END_S,
    PROGRAM,
    START_S,
    Line,
    as_nobody,
    complaint,
    in_chroot,
    lines_of,
    mounted,
    run,
)
from tests.ports import serve
from tests.waiting import becomes

NO_PORT = "1"
"""As --lport it matches nothing, so nothing is written between the first line and the last."""

_HOLD = """
import ctypes, socket, sys
from tests.ports import bind, serve
ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]), 0, 0, 0)
listener, client = serve(), socket.socket()
bind(client)
client.connect(listener.getsockname())
server, _ = listener.accept()
print(client.getsockname()[1], server.getsockname()[1], flush=True)
sys.stdin.read()
"""
"""A process of the given name with both ends of a connection."""

_PUBLISHED = Path(__file__).parents[2] / "docs" / "stream.schema.json"
CONNECTION = ("open", "sample", "close")
"""The events of a connection."""
_SCHEMA = Draft202012Validator(json.loads(_PUBLISHED.read_text()))
_ALWAYS_KNOWN = """
    time_ns id event family laddr raddr state uid netns rtt_samples retrans lost bytes_acked bytes_received
"""
# A sample may be of less than a microsecond.
_NEVER_ZERO = "pid was_pid lport rport srtt_us min_rtt_us last_rtt_us mss"


# What needs no root


_TELLING = """
import sys
sys.argv[0] = "tcptop-rtt"
from tcptop_rtt import cli
try:
    code = cli.main()
finally:
    print("loaded:", *sorted({"numpy", "textual"} & set(sys.modules)))
sys.exit(code)
"""


def test_version_and_help_need_no_root() -> None:
    version = run("--version", before=as_nobody())
    assert version.returncode == 0
    assert re.fullmatch(r"tcptop-rtt \d+\.\d+\.\d+\S*\n", version.stdout)
    assert run("--help", before=as_nobody()).returncode == 0


def test_help_has_examples_and_loads_nothing_big() -> None:
    command = [sys.executable, "-c", _TELLING, "--help"]
    helped = subprocess.run(command, capture_output=True, text=True, timeout=START_S, check=False)
    assert helped.returncode == 0
    text, _, loaded = helped.stdout.partition("loaded:")
    assert "examples:\n  sudo tcptop-rtt " in text
    assert loaded.split() == []
    assert helped.stderr == ""


# What can be missing


_FENTRY = ("--source", "fentry")
"""Without it the program goes on by the kernel's list of sockets, where it cannot have BPF."""


def test_an_unprivileged_user_who_wants_a_hook_is_told_what_to_type() -> None:
    hooks = (_FENTRY, ("--json", "--source", "tcp_probe"), ("--count", "1", *_FENTRY))
    # These rely on that everything is seen.
    gate, metrics = ("--fail-if", "count()>1", "--once"), ("--prometheus", "9464")
    for options in (*hooks, gate, metrics, ("run", "--", "true")):
        assert "run sudo tcptop-rtt" in complaint(run(*options, before=as_nobody()))


def _with_bcc_of(directory: Path) -> tuple[str, ...]:
    """Starts a program that finds another bcc, and no code that is compiled already."""
    package = PathFinder.find_spec("bcc")
    assert package is not None
    assert package.origin is not None
    return mounted((directory, Path(package.origin).parent))


def test_without_bcc_the_distributions_package_is_named(tmp_path: Path) -> None:
    commands = {
        "debian": "sudo apt install python3-bpfcc",
        "ubuntu": "sudo apt install python3-bpfcc",
        "fedora": "sudo dnf install python3-bcc",
    }
    line = complaint(run("--json", *_FENTRY, before=_with_bcc_of(tmp_path)))
    assert "bcc" in line
    assert commands.get(platform.freedesktop_os_release()["ID"], "sudo ") in line


def test_another_projects_bcc_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("")
    line = complaint(run("--json", *_FENTRY, before=_with_bcc_of(tmp_path)))
    assert re.search(r"/bcc/__init__.py is not the BPF Compiler Collection's: remove it", line)


@pytest.mark.parametrize("limit", range(3, 24))
def test_with_too_few_descriptors_it_runs_or_says_so(limit: int) -> None:
    shell = ("sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh")
    ended = run("--count", "1", before=shell)
    if ended.returncode == 0:
        assert " connection" in ended.stdout
    elif limit >= 10:  # with fewer, Python itself does not start
        assert re.search(r"[Tt]oo many open files|no file descriptor", complaint(ended))


def test_without_proc_the_mount_command_is_told() -> None:
    hide = 'mount --make-rprivate /proc && mount -t tmpfs none /proc && exec "$@"'
    before = ("unshare", "--mount", "--propagation", "unchanged", "sh", "-c", hide, "sh")
    assert "mount -t proc proc /proc" in complaint(run("--json", before=before))


def test_with_input_and_errors_closed_a_table_is_written() -> None:
    shell = ("sh", "-c", 'exec "$@" <&- 2>&-', "sh")
    ended = run("--count", "1", before=shell)
    assert ended.returncode == 0
    assert " connection" in ended.stdout
    assert "has ended" not in ended.stdout  # what looks into other processes: it had lost its channel


def test_what_cannot_be_written_at_the_end_is_told_in_one_line() -> None:
    with serve() as taken:
        port = taken.getsockname()[1]
    for options in (("--version",), ("--prometheus", str(port), "--count", "1")):
        ended = run(*options, before=("sh", "-c", 'exec "$@" > /dev/full', "sh"))
        assert ended.returncode == 0
        assert ended.stderr == "tcptop-rtt: cannot write to standard output: No space left on device\n"


def test_without_standard_error_usage_is_written_nowhere() -> None:
    for options in (("--count", "0"), ("run",), ("--fail-if", "nothing")):
        ended = run(*options, before=("sh", "-c", 'exec "$@" 2>&-', "sh"))
        assert (ended.returncode, ended.stdout) == (2, "")


def test_a_module_that_is_not_installed_is_named() -> None:
    """As where the distribution's Python is another one since an upgrade."""
    without = (
        "-c",
        "import sys; sys.modules['numpy'] = None; from tcptop_rtt.cli import main; sys.exit(main())",
    )
    ended = subprocess.run(
        [sys.executable, *without, "--count", "1"], capture_output=True, text=True, check=False
    )
    assert ended.stderr == "tcptop-rtt: numpy is not installed for this Python: install tcptop-rtt again\n"
    assert ended.returncode == 1


def _in_own_mounts(mount: str) -> tuple[str, ...]:
    """Starts a program that has an empty directory at this place."""
    # Only /sys is made private, as / is no mount in a chroot.
    script = f'mount --make-rprivate /sys && mount -t tmpfs none {mount} && exec "$@"'
    return ("unshare", "--mount", "--propagation", "unchanged", "sh", "-c", script, "sh")


def test_a_kernel_without_type_information_is_told_as_such() -> None:
    line = complaint(run("--json", *_FENTRY, before=_in_own_mounts("/sys/kernel/btf")))
    assert "/sys/kernel/btf/vmlinux is missing" in line
    assert "CONFIG_DEBUG_INFO_BTF=y" in line


def test_without_sys_the_mount_command_is_told() -> None:
    assert "mount -t sysfs sysfs /sys" in complaint(run("--json", *_FENTRY, before=_in_own_mounts("/sys")))


def _without(*capabilities: str) -> tuple[str, ...]:
    dropped = ",".join(f"-{capability}" for capability in capabilities)
    return ("setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}")


@pytest.mark.parametrize(
    ("dropped", "named"),
    [
        (["sys_admin", "bpf"], {"CAP_BPF"}),
        (["sys_admin", "perfmon"], {"CAP_PERFMON"}),
        (["sys_admin", "bpf", "perfmon"], {"CAP_BPF", "CAP_PERFMON"}),
    ],
)
def test_root_without_capabilities_is_told_which_are_missing(dropped: list[str], named: set[str]) -> None:
    line = complaint(run("--json", *_FENTRY, before=_without(*dropped)))
    assert set(re.findall(r"CAP_\w+", line)) == named


_NOTE = """
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.sources.opening import source_opener
source = source_opener("auto", Direct()).open()
print(source.hook, source.hook_note)
"""


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (as_nobody(), "run sudo tcptop-rtt"),
        (_without("sys_admin", "bpf"), "CAP_BPF missing"),
        (_in_own_mounts("/sys/kernel/btf"), "/sys/kernel/btf/vmlinux is missing"),
        (_in_own_mounts("/sys"), "/sys is not mounted"),
    ],
    ids=["user", "capabilities", "types", "sys"],
)
def test_where_there_can_be_no_bpf_it_goes_on_without_and_knows_why(
    before: tuple[str, ...], reason: str
) -> None:
    ended = run("--json", "--count", "1", before=before)
    assert lines_of(ended)[0]["hook"] == "sock_diag"
    command = [*before, sys.executable, "-c", _NOTE]
    told = subprocess.run(command, capture_output=True, text=True, timeout=START_S, check=True).stdout
    assert told.startswith("sock_diag ")
    assert reason in told


def test_without_bcc_it_goes_on_too(tmp_path: Path) -> None:
    ended = run("--json", "--count", "1", before=_with_bcc_of(tmp_path))
    assert lines_of(ended)[0]["hook"] == "sock_diag"


@pytest.mark.skipif(in_chroot(), reason="the kernel makes no user namespace in a chroot")
def test_where_the_kernel_refuses_bpf_it_goes_on_without() -> None:
    # It has every capability there, and none that counts.
    container = ("unshare", "--user", "--map-root-user")
    assert lines_of(run("--json", "--count", "1", before=container))[0]["hook"] == "sock_diag"
    assert "BPF is refused: not permitted" in complaint(run("--json", *_FENTRY, before=container))


def test_the_two_bpf_capabilities_are_enough() -> None:
    ended = run("--json", "--count", "1", "--source", "tcp_probe", before=_without("sys_admin"))
    assert (ended.returncode, ended.stderr) == (0, "")


def test_fentry_attaches_or_the_way_out_is_told() -> None:
    ended = run("--json", "--count", "1", "--source", "fentry")
    if ended.returncode == 0:
        assert json.loads(ended.stdout.splitlines()[0])["hook"] == "fentry"
    else:
        line = complaint(ended)
        assert re.search(r"refused: .+; \w+ --source tcp_probe$", line)
        assert run("--json", "--count", "1", "--source", "tcp_probe").returncode == 0


@pytest.mark.parametrize("options", [["--json"], []], ids=["json", "plain"])
def test_a_full_disk_is_told(options: list[str]) -> None:
    shell = ("sh", "-c", 'exec "$@" >/dev/full', "sh")
    assert "No space left on device" in complaint(run(*options, before=shell))


# How it ends


@contextlib.contextmanager
def _started(*options: str, before: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*before, PROGRAM, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _is_running(process: subprocess.Popen[str]) -> set[tuple[str, int]]:
    """Wait for its first line; what it has in the kernel."""
    assert process.stdout
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr else ""
    objects = kernel_objects(process.pid)
    assert {kind for kind, _ in objects} == {"prog", "map", "link"}
    assert remaining(objects) == objects
    return objects


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda it: it.name)
@pytest.mark.parametrize("options", [["--json"], []], ids=["json", "plain"])
def test_a_signal_ends_it_in_order_and_nothing_stays_in_the_kernel(
    options: list[str], number: signal.Signals
) -> None:
    with _started(*options) as process:
        objects = _is_running(process)
        process.send_signal(number)
        out, err = process.communicate(timeout=END_S)
    assert (process.returncode, err) == (0, "")
    assert not out or out.endswith("\n")
    if options:
        assert set(json.loads(out.splitlines()[-1])) == {"event", "lost"}
    assert becomes(lambda: not remaining(objects))


def test_nothing_stays_in_the_kernel_after_sigkill() -> None:
    with _started("--json") as process:
        objects = _is_running(process)
        process.kill()
        process.wait(END_S)
        assert becomes(lambda: not remaining(objects))


def test_it_creates_no_file(tmp_path: Path) -> None:
    """So there is none to be left behind by a start that is killed."""
    trace = tmp_path / "trace"
    calls = "openat,open,creat,mkdir,mkdirat,symlink,symlinkat,link,linkat,mknod,mknodat,rename,renameat2"
    ended = run("--json", "--count", "2", before=("strace", "-f", "-o", str(trace), "-e", f"trace={calls}"))
    assert (ended.returncode, ended.stderr) == (0, "")
    made = re.findall(r"^\d+ +(\w+\(.*) = \d+", trace.read_text(errors="replace"), re.MULTILINE)
    assert len(made) > 100
    assert [call for call in made if not re.match(r"open(at)?\((?!.*O_(CREAT|TMPFILE))", call)] == []


def _catches(pid: int, number: signal.Signals) -> bool:
    caught = re.search(r"^SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize("delay_s", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7])
@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "KILL", "QUIT", "ALRM", "USR1"])
def test_a_signal_while_it_starts_leaves_no_message_behind_and_nothing_in_the_kernel(
    name: str, delay_s: float
) -> None:
    number = signal.Signals[f"SIG{name}"]
    with _started("--json", "--lport", NO_PORT) as process:
        # Python itself has a message of its own for SIGINT while it starts.
        assert becomes(lambda: _catches(process.pid, signal.SIGTERM), START_S)
        time.sleep(delay_s)
        objects = kernel_objects(process.pid)
        process.send_signal(number)
        _, err = process.communicate(timeout=START_S)
    # A fast machine has started by the end.
    assert process.returncode in (-number, 130, 0)
    assert err == ""
    assert becomes(lambda: not remaining(objects))


@pytest.mark.parametrize("options", [["--json"], []], ids=["json", "plain"])
def test_it_ends_when_nobody_reads_its_pipe_however_quiet_the_machine(options: list[str]) -> None:
    with _started(*options, "--lport", NO_PORT) as process:
        _is_running(process)
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.wait(END_S) == 0
        assert process.stderr.read() == ""


# The stream


@contextlib.contextmanager
def _holder(name: bytes) -> Iterator[tuple[int, tuple[int, int]]]:
    """Another process of this name with a connection: its PID and both ports."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, name.hex()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        client, server = map(int, process.stdout.readline().split())
        try:
            yield process.pid, (client, server)
        finally:
            process.kill()


def _check_line(line: Line) -> None:
    assert line.keys() == {"event", "time_ns", "cgroup", *CONNECTIONS.names}
    _SCHEMA.validate(line)
    assert {name for name in _ALWAYS_KNOWN.split() if line[name] is None} == set(), line
    assert {name for name in _NEVER_ZERO.split() if line[name] == 0} == set(), line
    assert line["family"] in (4, 6)
    assert (":" in line["laddr"]) == (line["family"] == 6)
    assert line["comm"] is not None or line["pid"] is None
    assert line["was_pid"] is None or line["holder"] == "nobody"
    assert (line["rtt_lo_us"] is None) == (line["rtt_samples"] == 0)
    assert line["time_ns"] <= time.time_ns()


def test_the_stream_is_a_header_lines_with_exactly_these_fields_and_an_end(
    record: Callable[..., Recording],
) -> None:
    began = time.time_ns()
    with connected("::1", socket.AF_INET6) as six, connected() as four:
        ports = set(map(port_of, four))
        recording = record("--interval", "0.2")

        def have_samples() -> bool:
            seen = [line.get("lport") for line in recording.lines if line["event"] == "sample"]
            return all(seen.count(port) >= 2 for port in (*ports, *map(port_of, six)))

        with talking(six), talking(four):
            assert becomes(have_samples, START_S)
        for end in four:
            end.close()
        for port in ports:
            recording.wait_for(lambda line, port=port: line["event"] == "close" and line["lport"] == port)  # type: ignore[misc]
        _, *lines, end_line = recording.stop()  # the header has a test of its own
        for line in lines:
            _SCHEMA.validate(line)
        lines = [line for line in lines if line["event"] in CONNECTION]
    assert end_line == {"event": "end", "lost": 0}
    histories: dict[int, list[Line]] = {}
    for line in lines:
        _check_line(line)
        assert line["time_ns"] > began
        histories.setdefault(line["id"], []).append(line)
    for history in histories.values():
        events = [line["event"] for line in history]
        closing = events[-1:] if events[-1] == "close" else []
        assert events == ["open", *["sample"] * (len(events) - 1 - len(closing)), *closing]
        times = [line["time_ns"] for line in history]
        assert times == sorted(times)
    ours = [history for history in histories.values() if history[0]["lport"] in ports]
    assert len(ours) == 2
    for history in ours:
        assert [line["event"] for line in history].count("sample") >= 2
        assert history[-1]["event"] == "close"
        assert {line["pid"] for line in history} == {os.getpid()}
    assert sum(1 for line in lines if line["event"] == "sample" and line["family"] == 6) >= 4


def test_the_header_tells_machine_kernel_and_hook() -> None:
    header = lines_of(run("--json", "--count", "1"))[0]
    boot_time_ns = header.pop("boot_time_ns")
    assert abs(boot_time_ns / 1e9 - (time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))) < 1
    assert header.pop("hook") in ("fentry", "tcp_probe")
    assert header == {
        "event": "header",
        "version": 1,
        "host": os.uname().nodename,
        "kernel": os.uname().release,
    }


@pytest.mark.parametrize("count", [1, 3])
def test_count_is_the_number_of_updates(count: int) -> None:
    with connected() as pair, talking(pair):
        options = ("--count", str(count), "--interval", "0.2", "--lport", str(port_of(pair[0])))
        lines = lines_of(run("--json", *options))
        # On a busy machine the talk may pause for an update, which then has no line.
        updates = len({line["time_ns"] for line in lines[1:-1]})
        assert 1 <= updates <= count


def test_filters_let_through_what_matches_and_nothing_else() -> None:
    with (
        connected() as four,
        connected("::1", socket.AF_INET6) as six,
        connected("::ffff:127.0.0.1", socket.AF_INET6) as mapped,
        _holder(b"holder") as (pid, other),
    ):
        ports = {
            name: set(map(port_of, pair)) for name, pair in (("four", four), ("six", six), ("mapped", mapped))
        }
        ours = set().union(*ports.values())
        client, server = map(port_of, six)

        def shown(*options: str) -> tuple[list[Line], set[int]]:
            lines = [
                line
                for line in lines_of(run("--json", "--count", "1", *options))
                if line["event"] in CONNECTION
            ]
            seen = {line["lport"] for line in lines} & (ours | set(other))
            return lines, seen

        lines, seen = shown("--pid", str(pid))
        assert {line["pid"] for line in lines} == {pid}
        assert seen == set(other)
        lines, seen = shown("-4")
        assert {line["family"] for line in lines} == {4}
        assert seen == ports["four"] | ports["mapped"] | set(other)
        lines, seen = shown("-6", "--pid", str(os.getpid()))
        assert {line["family"] for line in lines} == {6}
        assert seen == ports["six"]
        lines, _ = shown("--lport", str(client))
        assert {(line["lport"], line["rport"]) for line in lines} == {(client, server)}
        lines, _ = shown("--rport", str(client))
        assert {(line["lport"], line["rport"]) for line in lines} == {(server, client)}
        assert shown("-4", "--lport", str(client))[0] == []


# The tables


def test_two_tables_are_two_tables() -> None:
    with connected() as pair:
        ended = run("--count", "2", "--interval", "0.2", "--pid", str(os.getpid()))
        near, far = (f"127.0.0.1:{port_of(end)}" for end in pair)
    assert (ended.returncode, ended.stderr) == (0, "")
    tables = ended.stdout.strip().split("\n\n")
    assert len(tables) == 2
    for table in tables:
        first, titles, *rows = table.splitlines()
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d  (fentry|tcp_probe)  \d+ connections  \d+ samples/s  0 lost", first
        )
        assert titles.split()[:6] == ["PROCESS", "PID", "LOCAL", "REMOTE", "STATE", "RTT"]
        assert sum(1 for row in rows if row.split()[1:5] == [str(os.getpid()), near, far, "ESTAB"]) == 1
        assert sum(1 for row in rows if row.split()[1:5] == [str(os.getpid()), far, near, "ESTAB"]) == 1


def test_a_process_name_brings_no_control_character_to_the_output() -> None:
    with _holder(b"a\x1b[31mb\nc\rd\x07e") as (pid, _):
        ended = run("--count", "1", "--pid", str(pid), env=os.environ | {"LC_ALL": "C.UTF-8"})
    assert ended.returncode == 0
    assert set(re.findall(r"[\x00-\x1f\x7f-\x9f]", ended.stdout)) == {"\n"}
    assert ended.stdout.count("a\ufffd[31mb\ufffdc\ufffdd\ufffde ") == 2
    assert len(ended.stdout.splitlines()) == 5  # first line, titles, two rows, blank


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"LANG": "C"}, "grün"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "grün"),
        ({"LC_ALL": "C.UTF-8", "NO_COLOR": "1", "TERM": "vt100"}, "grün"),
        ({"LC_ALL": "C.UTF-8", "TERM": "dumb", "FORCE_COLOR": "1"}, "grün"),
    ],
    ids=str,
)
def test_tables_are_plain_text_in_every_environment(environment: dict[str, str], name: str) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG"))}
    with _holder("grün".encode()) as (pid, _):
        ended = subprocess.run(
            [PROGRAM, "--count", "1", "--pid", str(pid)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=START_S,
            check=False,
            env=kept | environment,
        )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.decode().count(f"{name} ") == 2
    assert b"\x1b" not in ended.stdout


def test_the_compiler_is_never_in_the_programs_memory() -> None:
    with _started("--json", "--lport", NO_PORT, before=mounted()) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it is compiled by now
        assert not re.search("LLVM|clang|libbcc", Path(f"/proc/{process.pid}/maps").read_text())
        process.kill()
