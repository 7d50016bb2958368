"""The command line: its options, exit codes and complaints, with a source made by hand."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.otlp import OK, Receiving, points, self_signed, value
from tests.waiting import ENOUGH_S

_ROOT = Path(__file__).parents[2]
_COMMAND = (sys.executable, "-B", "-m", "tests.unit.fake_command")


def _run(*options: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, *_COMMAND, *options],
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ENOUGH_S,
        check=False,
    )


def _shell(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script, "sh")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--interval", "0"], "argument --interval/-i: '0' is not a number of seconds from 0.1 to 3600"),
        (["--interval", "x"], "argument --interval/-i: 'x' is not a number of seconds"),
        (["--fleet", "http://a", "--pid", "1"], "argument --fleet: not allowed with --pid, which is about"),
        (["--fleet", "http://a", "--compare", "a", "b"], "argument --fleet: not allowed with --compare"),
        (["--fleet", "http://a", "--source", "fentry"], "argument --fleet: not allowed with --source, which"),
        (["--replay", "x", "--source", "fentry"], "argument --source: what has been recorded is not read"),
        (["--at", "10m", "--source", "sock_diag"], "argument --source: what has been recorded is not read"),
        (["--compare", "a", "b", "--source", "fentry"], "argument --source: what has been recorded is not"),
        (["--fleet", "http://a", "web1"], "argument --fleet: it is not for other hosts"),
        (["--fleet", "http://a", "--filter", "rport:1"], "argument --filter: there is no field rport"),
        (["--fleet-range", "9s"], "argument --fleet-range: '9s' is not a time from 10s to 7d, such as 15m"),
        (["--interval", "nan"], "argument --interval/-i: 'nan' is not a number of seconds"),
        (["--count", "-1"], "argument --count/-n: "),
        (["--count=-1"], "argument --count/-n: '-1' is not a positive whole number"),
        (["--count", "0"], "argument --count/-n: '0' is not a positive whole number"),
        (["--lport", "70000"], "argument --lport: '70000' is not a port from 1 to 65535"),
        (["--rport", "http"], "argument --rport: 'http' is not a port from 1 to 65535"),
        (["--pid", "abc"], "argument --pid/-p: 'abc' is not a positive whole number"),
        (["--source", "ebpf"], "argument --source: invalid choice: 'ebpf'"),
        (
            ["--prometheus", "9464", "--source", "sock_diag"],
            "argument --prometheus: not allowed with --source sock_diag, which sees no RTT samples",
        ),
        (
            ["--filter", "curl rtt>fast"],
            "argument --filter: 'fast' is not a number such as 50ms (at character 10 of 'curl rtt>fast')",
        ),
        (["--prometheus", "70000"], "argument --prometheus: '70000' is not a port, or an address and a port"),
        (["--prometheus", ":9464"], "argument --prometheus: ':9464' is not a port, or an address and a port"),
        (["--prometheus", "localhost:9464"], "argument --prometheus: 'localhost:9464' is not a port, or an"),
        (["--prometheus", "::1:x"], "argument --prometheus: '::1:x' is not a port, or an address and a port"),
        (["--prometheus-prefix", "24"], "argument --prometheus-prefix: '24' is not the bits of two networks"),
        (["--prometheus-prefix", "33,48"], "argument --prometheus-prefix: '33,48' is not the bits of two"),
        (["--prometheus-series", "0"], "argument --prometheus-series: '0' is not a whole number from 1 to"),
        (["--json", "--otlp", "http://a"], "argument --otlp: not allowed with --json"),
        (["--otlp", "http://a", "--once"], "argument --otlp: not allowed with --once"),
        (["--otlp", "http://a", "--fail-if=count()>1"], "argument --otlp: not allowed with --fail-if"),
        (["--otlp", "http://a", "--replay", "x"], "argument --otlp: not allowed with --replay"),
        (["--otlp", "http://a", "--compare"], "argument --compare: not allowed with --otlp"),
        (["--otlp", "http://a", "web1"], "argument --otlp: it is not for other hosts"),
        (
            ["--otlp", "http://a", "--source", "sock_diag"],
            "argument --otlp: not allowed with --source sock_diag, which sees no RTT samples",
        ),
        (["--otlp-headers", "x"], "argument --otlp-headers: only with --otlp"),
        (["--json", "--prometheus", "9464"], "argument --prometheus: not allowed with argument --json"),
        (["--prometheus", "9464", "--once"], "argument --prometheus: not allowed with --once and --fail-if"),
        (
            ["--budget", "0.5"],
            "argument --budget: '0.5' is not a share of one processor from 0.01% to 100%, such",
        ),
        (["--budget=0%"], "argument --budget: '0%' is not a share of one processor"),
        (["--budget", "101%"], "argument --budget: '101%' is not a share of one processor"),
        (["--budget", "1%", "web1"], "argument --budget: it is not for other hosts"),
        (["--budget", "1%", "--replay", "x"], "argument --budget: what has been recorded costs nothing"),
        (["--budget", "1%", "--at", "14:03"], "argument --budget: what has been recorded costs nothing"),
        (
            ["--budget", "1%", "--compare", "a", "b"],
            "argument --budget: what has been recorded costs nothing",
        ),
        (["--budget", "1%", "--fleet", "http://a"], "argument --fleet: not allowed with --budget, which is"),
        (["-4", "-6"], "argument -6: not allowed with argument -4"),
        (
            ["--fail-if", "p99(rprt:1)>1ms"],
            "argument --fail-if: there is no field rprt: rport? (at character 5 of 'p99(rprt:1)>1ms')",
        ),
        (["--fail-if=count()>1", "--for", "ever"], "argument --for: 'ever' is not a time such as 30s or 5m"),
        (["--keep", "0s"], "argument --keep: '0s' is not a time such as 30s or 5m"),
        (["--for", "5s"], "argument --for: only with --fail-if, and not with --once"),
        (["--once", "--count=2"], "argument --count/-n: not allowed with --once and --fail-if"),
        (["--once", "--fail-if=count()>1 for 3s"], "argument --fail-if: with --once there is no time"),
        (["--fail-if=count()>1 for 3s", "--for=2s"], "argument --for: it is shorter than a condition"),
        (["--at", "14:00..14:10"], "argument --at: a time, such as 14:03; from one to another only with"),
        (["--replay", "x", "--at", "1m..2m"], "argument --at: a time, such as 14:03; from one to another"),
        (["--replay", "x", "--interval", "2"], "argument --interval/-i: what has been recorded has"),
        (["--replay", "x", "--record-limit", "1GB"], "argument --record, --keep: what is replayed has been"),
        (
            ["--fleet", "http://a", "--record-limit", "1GB"],
            "argument --fleet: not allowed with --record-limit",
        ),
        (["--json", "run", "--", "curl", "-s", "a"], "argument HOST: run comes first: tcptop-rtt run"),
        (["--fleet-range", "15m"], "argument --fleet-range: only with --fleet"),
        (["--replay", "x", "--fleet-by", "processes"], "argument --fleet-by: only with --fleet"),
        (["--prometheus-series", "7"], "argument --prometheus-series: only with --prometheus or --otlp"),
        (["--ssh", "ssh -p 22"], "argument --ssh: only with a HOST"),
        (["--remote-command", "x"], "argument --remote-command: only with a HOST"),
        (["--record", ""], "argument --record: it is empty"),
        (["--compare", "a", ""], "argument --compare: it is empty"),
        (["web1", "--remote-command", " "], "argument --remote-command: it is empty"),
        (["--fleet", "http://a", "-6"], "argument --fleet: not allowed with -4 and -6, which is about one"),
        (["--fail-if=count()>1", "--for=1s", "-i", "5"], "argument --for: it is shorter than --interval"),
        (["--jso"], "unrecognized arguments: --jso"),
        (["--", "-oProxyCommand=x"], "argument HOST: '-oProxyCommand=x' is not the name of a host"),
        (["web1;x"], "argument HOST: 'web1;x' is not the name of a host, such as web1 or root@web1"),
        (["web1", "web1"], "argument HOST: web1 is there twice"),
        (["web1", "--replay", "x"], "argument --replay: it is not for other hosts"),
        (["web1", "--prometheus", "9464"], "argument --prometheus: it is not for other hosts"),
        (["--ssh", "ssh 'x", "web1"], 'argument --ssh: "ssh \'x" is no command: No closing quotation'),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_in_one_message_with_exit_code_2(options: list[str], message: str) -> None:
    ended = _run(*options)
    assert ended.returncode == 2
    assert ended.stdout == ""
    *usage, last = ended.stderr.splitlines()
    assert usage[0].startswith("usage: tcptop-rtt ")
    assert last.startswith(f"tcptop-rtt: error: {message}")
    assert ended.stderr.count("error:") == 1
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("option", "digits", "unit", "complaint"),
    [
        ("--for", 400, "s", "is not a time such as 30s or 5m"),
        ("--keep", 400, "d", "is not a time such as 30s or 5m"),
        ("--fail-if", 400, "s", "is not a time such as 30s or 5m (at character "),
        ("--record-limit", 400, "GB", "is not a size from 1MB on"),
        ("--at", 400, "h", "is not a time such as 14:03"),
        ("--fleet-range", 400, "s", "is not a time from 10s to 7d"),
        ("--count", 5000, "", "is not a positive whole number"),
        ("--rport", 5000, "", "is not a port from 1 to 65535"),
        ("--prometheus", 5000, "", "is not a port, or an address and a port"),
        ("--prometheus-series", 5000, "", "is not a whole number from 1 to 100000"),
    ],
)
def test_a_number_of_any_length_is_refused_in_one_message(
    option: str, digits: int, unit: str, complaint: str
) -> None:
    value = digits * "9" + unit
    ended = _run(f"{option}=count()>1 for {value}" if option == "--fail-if" else f"{option}={value}")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"'{value}' {complaint}" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "a command is missing: tcptop-rtt run -- COMMAND"),
        (["--json", "--"], "a command is missing: tcptop-rtt run -- COMMAND"),
        (["--count", "1", "--", "true"], "unrecognized arguments: --count"),
        (["--user", "no such", "--", "true"], "argument --user/-u: there is no user 'no such'"),
    ],
    ids=" ".join,
)
def test_wrong_usage_of_run_is_told_likewise(options: list[str], message: str) -> None:
    ended = _run("run", *options)
    assert (ended.returncode, ended.stdout) == (2, "")
    usage, *_, last = ended.stderr.splitlines()
    assert usage == "usage: tcptop-rtt run [options] -- COMMAND [ARGUMENTS]"
    assert last.startswith(f"tcptop-rtt run: error: {message}")


def test_so_many_updates_are_written_then_the_source_is_closed() -> None:
    ended = _run("--json", "--count", "2", "--interval", "0.1")
    assert (ended.returncode, ended.stderr) == (0, "closed\n")
    events = [json.loads(line)["event"] for line in ended.stdout.splitlines()]
    assert [event for event in events if event != "column"] == [
        *("header", "open", "open", "open", "refresh", "refresh", "end"),
    ]


@pytest.mark.parametrize(
    ("host", "given"), [("127.0.0.1", ""), ("127.0.0.2", "127.0.0.2:"), ("[::1]", "[::1]:")]
)
def test_an_exporter_says_where_it_serves(host: str, given: str) -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as free:
        port = free.getsockname()[1]
    ended = _run("--prometheus", f"{given}{port}", "--count", "2", "--interval", "0.1")
    assert (ended.returncode, ended.stderr) == (0, "closed\n")
    assert ended.stdout == f"metrics at http://{host}:{port}/metrics\n"


def test_an_exporter_whose_port_is_taken_begins_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ended = _run("--open=broken", "--prometheus", str(other.getsockname()[1]))
    assert ended.returncode == 1
    assert "the port is in use" in ended.stderr


def test_metrics_are_pushed_as_often_as_is_asked_for_and_served_beside_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Receiving(OK) as receiver:
        ended = _run(
            *("--otlp", receiver.url, "--prometheus", str(port)),
            *("--count", "3", "--interval", "0.1", "--prometheus-prefix", "8,8"),
        )
    assert (ended.returncode, ended.stderr) == (0, "closed\n")
    place = f"{receiver.url.removeprefix('http://')}/v1/metrics"
    assert ended.stdout == f"metrics at http://127.0.0.1:{port}/metrics\nmetrics go to {place}\n"
    pushes = [points(body) for body in receiver.bodies]
    assert 1 <= len(pushes) <= 3
    times = [there[0].raw.time_unix_nano for there in pushes]
    assert times == sorted({*times})
    networks = {one.labels.get("tcptop.remote_network") for one in pushes[-1]}
    assert networks - {None}
    assert all(str(network).endswith("/8") for network in networks - {None})
    # Whatever comes last is pushed.
    assert value(pushes[-1], "tcptop.connection.count") == 3


def test_a_receiver_that_is_not_there_is_told_and_ends_nothing_before_the_last_push() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ended = _run("--otlp", f"http://127.0.0.1:{port}", "--count", "2", "--interval", "0.1")
    assert ended.returncode == 1
    trouble = f"tcptop-rtt: metrics do not reach 127.0.0.1:{port}/v1/metrics: Connection refused"
    assert sorted(ended.stderr.splitlines()) == ["closed", trouble]


def test_nothing_of_the_environment_decides_what_is_pushed_and_to_whom(tmp_path: Path) -> None:
    certificate, both = self_signed(tmp_path)
    nobody = "http://127.0.0.1:9"
    before = (
        *("env", f"http_proxy={nobody}", f"ALL_PROXY={nobody}", f"SSL_CERT_FILE={certificate}"),
        *("OTEL_EXPORTER_OTLP_HEADERS=api-key=x", f"OTEL_EXPORTER_OTLP_ENDPOINT={nobody}"),
        "OTEL_RESOURCE_ATTRIBUTES=service.name=x",
    )
    with Receiving(OK) as receiver, Receiving(OK, certificate=both) as encrypted:
        ended = _run("--otlp", receiver.url, "--count", "1", before=before)
        assert (ended.returncode, ended.stderr) == (0, "closed\n")
        assert "api-key" not in {name.lower() for name in receiver.headers[0]}
        assert b"tcptop-rtt" in receiver.bodies[0]
        ended = _run("--otlp", encrypted.url, "--count", "1", before=before)
        assert encrypted.bodies == []
    assert "self-signed certificate" in ended.stderr


def test_an_address_that_is_none_is_wrong_usage() -> None:
    ended = _run("--open=broken", "--otlp", "localhost:4318")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "tcptop-rtt: --otlp takes an address such as http://127.0.0.1:4318\n"


def test_without_its_extra_the_command_that_installs_it_is_named() -> None:
    without = (
        "import runpy, sys; sys.modules['opentelemetry'] = None; del sys.argv[:4]; "
        "runpy.run_module(sys.argv[0], run_name='__main__')"
    )
    options = ("--open=broken", "--otlp", "http://127.0.0.1:4318")
    ended = _run(*options, before=(sys.executable, "-B", "-c", without))
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("tcptop-rtt: --otlp needs opentelemetry-proto (")
    assert line.endswith(f": run sudo {sys.executable} -m pip install 'opentelemetry-proto>=1.30,<2'")


def test_where_there_is_no_terminal_tables_are_written() -> None:
    ended = _run("--count", "2", "--interval", "0.1")
    assert (ended.returncode, ended.stderr) == (0, "closed\n")
    assert ended.stdout.count("  fake  3 connections  ") == 2


def test_metrics_end_with_an_error_where_their_recording_has_failed(tmp_path: Path) -> None:
    full = _shell('ulimit -f 0; trap "" XFSZ; exec "$@"')
    with Receiving(OK) as receiver:
        options = f"--otlp={receiver.url}", "--interval=0.1", "--count=3"
        assert _run(*options, f"--record={tmp_path}/whole").returncode == 0
        ended = _run(*options, f"--record={tmp_path}/none", before=full)
    assert (ended.returncode, "File too large" in ended.stderr) == (1, True)


def test_once_is_one_table_after_an_interval() -> None:
    ended = _run("--once", "--interval", "0.1")
    assert (ended.returncode, ended.stderr) == (0, "closed\n")
    assert ended.stdout.count("  fake  3 connections  ") == 1
    lines = list(map(json.loads, _run("--once", "--json", "--interval", "0.1").stdout.splitlines()))
    assert [line["event"] for line in lines] == ["header", "open", "open", "open", "refresh", "end"]
    assert lines[1]["age_ns"] >= 60_100_000_000  # a minute when the program began


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--once", "--fail-if=count()>2"], 3, "count()>2: 3 of 3 connections, since "),
        (["--once", "--fail-if=count()>3"], 0, ""),
        (["--once", "--fail-if=count()>2", "--rport=5432"], 0, ""),
        (
            ["--fail-if=count()>3", "--fail-if=count(:5432)=1 for 0.3s"],
            3,
            "count(:5432)=1 for 0.3s: 1 of 1 conn",
        ),
        (["--fail-if=count()>3 for 0.3s", "--for=0.4s"], 0, ""),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_a_gate_says_by_its_exit_code_whether_a_condition_has_held(
    options: list[str], code: int, said: str
) -> None:
    ended = _run("--interval", "0.1", *options)
    assert (ended.returncode, ended.stderr) == (code, "closed\n")
    assert ended.stdout.startswith(said)
    assert ended.stdout.count("\n") == bool(said)


def test_a_gate_counts_where_nobody_reads_and_a_signal_is_no_pass() -> None:
    alone = _run("--fail-if=count()>2 for 0.3s", "--interval=0.1", before=_shell('("$@"; echo $? >&2) | :'))
    assert alone.stderr == "closed\n3\n"
    told = _run(
        "--fail-if=count()>3", "--interval=0.1", before=_shell('"$@" & sleep 3; kill -TERM $!; wait $!')
    )
    assert told.returncode in (128 + signal.SIGTERM, 130)  # 130: it came while the program was starting
    # On a busy machine it may not even have begun to open the source.
    assert (told.stdout, told.stderr) in (("", "closed\n"), ("", "Terminated\n"))


def test_a_gate_counts_where_its_line_cannot_be_written() -> None:
    ended = _run("--fail-if=count()>2", "--interval=0.1", before=_shell('"$@" >/dev/full'))
    assert ended.returncode == 3
    assert "cannot write to standard output: No space left on device; 1 line is not written" in ended.stderr


@pytest.mark.parametrize(
    ("options", "ports"),
    [
        (["-4"], {40001, 40002}),
        (["-6"], {40003}),
        (["--rport", "5432"], {40002}),
        (["--lport", "40001"], {40001}),
        (["-4", "--lport", "40003"], set()),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_only_the_connections_that_are_asked_for_are_written(options: list[str], ports: set[int]) -> None:
    lines = map(json.loads, _run("--json", "--count", "1", *options).stdout.splitlines())
    assert {line["lport"] for line in lines if line["event"] == "open"} == ports


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--open=refused", "--source", "fentry", "--json"], "fentry is refused"),
        (["--open=refused", "--count", "1"], "auto is refused"),
        (
            ["--open=without a descriptor", "--json"],
            "[Errno 24] Too many open files: run ulimit -n 1024 first",
        ),
        (["--open=broken", "--json"], "unexpected ValueError: two lines: please report this line"),
    ],
    ids=lambda it: it[0] if isinstance(it, list) else "",
)
def test_a_source_that_cannot_be_opened_is_told_in_one_line(options: list[str], complaint: str) -> None:
    ended = _run(*options)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"tcptop-rtt: {complaint}\n")


def test_a_process_that_does_not_exist_is_told_and_the_source_is_not_opened() -> None:
    most = int(Path("/proc/sys/kernel/pid_max").read_text())
    ended = _run("--open=broken", "--json", "--pid", str(most + 1))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"tcptop-rtt: no process has PID {most + 1} here: ps -e lists those that there are\n"
    )


def test_a_signal_while_it_opens_ends_it_as_ctrl_c_does_and_closes_the_source() -> None:
    ended = _run("--open=interrupted", "--json")
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "closed\n")


def test_a_signal_before_the_command_is_started_ends_it_and_the_command_is_not_run(tmp_path: Path) -> None:
    ended = _run("--open=interrupted", "run", "--", "touch", str(tmp_path / "ran"))
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "closed\n")
    assert not (tmp_path / "ran").exists()


def test_a_command_is_not_run_where_nothing_can_be_measured(tmp_path: Path) -> None:
    ended = _run("--open=refused", "run", "--", "touch", str(tmp_path / "ran"))
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "tcptop-rtt: auto is refused\n")
    assert not (tmp_path / "ran").exists()


def test_the_status_of_a_command_outlives_its_report(tmp_path: Path) -> None:
    options = "run", "--output", str(tmp_path / "report"), "--", "sh", "-c", "exit 7"
    ended = _run(*options, before=_shell('ulimit -f 0; trap "" XFSZ; exec "$@"'))
    told = "tcptop-rtt: cannot write the report: File too large\nclosed\n"
    assert (ended.returncode, ended.stderr) == (7, told)


def test_a_full_device_is_told() -> None:
    ended = _run("--json", before=_shell('exec "$@" >/dev/full'))
    assert ended.returncode == 1
    assert ended.stderr == (
        "tcptop-rtt: cannot write to standard output: No space left on device; 2 lines are not written\n"
        "closed\n"
    )


def test_closed_standard_output_is_told() -> None:
    ended = _run("--json", before=_shell('exec "$@" >&-'))
    assert (ended.returncode, ended.stderr) == (1, "tcptop-rtt: standard output is closed\n")


def test_a_reader_that_goes_away_ends_it_however_long_the_interval() -> None:
    # It reads all that the first snapshot brings: no later write tells that it has gone.
    ended = _run("--json", "--interval", "3600", before=_shell('"$@" | head -n 4'))
    assert (ended.returncode, ended.stderr) == (0, "closed\n")
    assert [json.loads(line)["event"] for line in ended.stdout.splitlines()] == ["header", *3 * ["open"]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda it: it.name)
def test_a_signal_ends_a_stream_with_its_last_line(number: signal.Signals) -> None:
    with subprocess.Popen(
        [*_COMMAND, "--json", "--interval", "3600"],
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        first = process.stdout.readline()
        process.send_signal(number)
        rest, complaint = process.communicate(timeout=ENOUGH_S)
    assert (process.returncode, complaint) == (0, "closed\n")
    assert json.loads(first)["event"] == "header"
    assert json.loads(rest.splitlines()[-1])["event"] == "end"


@pytest.mark.parametrize("options", [["--json", "--count", "2"], ["--count", "2"]])
def test_numpy_s_masked_arrays_are_not_imported_which_takes_longer_than_a_scan(options: list[str]) -> None:
    ended = _run(*options, before=("env", "PYTHONPROFILEIMPORTTIME=1"))
    assert ended.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "tcptop_rtt.tracking.connections" in imported
    assert "numpy.ma" not in imported


def test_on_a_terminal_it_is_the_dashboard_until_q() -> None:
    near, far = pty.openpty()
    with subprocess.Popen(
        _COMMAND,
        cwd=_ROOT,
        stdin=far,
        stdout=far,
        stderr=far,
        env=os.environ | {"TERM": "xterm-256color", "LINES": "24", "COLUMNS": "120"},
        start_new_session=True,
    ) as process:
        os.close(far)
        screen, deadline, asked = b"", time.monotonic() + ENOUGH_S, False
        try:
            while time.monotonic() < deadline:
                if select.select([near], [], [], 1.0)[0]:
                    screen += os.read(near, 1 << 16)
                if not asked and b"198.51.100.2:5432" in screen:
                    os.write(near, b"q")
                    asked = True
        except OSError:
            pass  # nobody has the other side any more
        finally:
            os.close(near)
            process.kill()
    assert asked
    assert process.returncode == 0
    assert screen.endswith(b"closed\r\n")
