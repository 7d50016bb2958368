"""Nothing that others have written, or that the environment names, is compiled, imported or run as root."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.live.held import Open
from tests.live.program import PROGRAM, START_S, mounted
from tests.waiting import becomes

_USED = "#error of another user\n"
_SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


def _table(cwd: Path | str, *before: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One table of the program, started from this directory with these further variables."""
    return subprocess.run(
        [*before, PROGRAM, "--count", "1"],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "TERM": "dumb", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )


def _check(ended: subprocess.CompletedProcess[str]) -> None:
    assert (ended.returncode, ended.stderr) == (0, "")
    assert " connection" in ended.stdout
    assert "no BPF" not in ended.stdout


def _looked_for(directory: Path, **environment: str) -> tuple[set[str], str]:
    """The headers that are looked for anywhere, and all that the kernel was asked for."""
    trace = directory.parent / f"{directory.name}.strace"
    calls = "trace=openat,open,stat,newfstatat,statx,access,faccessat,faccessat2,readlink"
    _check(_table(directory, *mounted(), "strace", "-f", "-o", str(trace), "-e", calls, **environment))
    text = trace.read_text(errors="replace")
    return set(re.findall(r'"([^"]+\.h)"', text)), text


def test_no_header_of_the_working_directory_or_of_an_include_path_is_compiled(tmp_path: Path) -> None:
    work, home, path = (tmp_path / name for name in ("work", "home", "path"))
    for directory in (work, home, path):
        directory.mkdir()
    environment = {
        "HOME": str(home),
        "ARCH": "x86",
        **{name: str(path) for name in ("CPATH", "C_INCLUDE_PATH", "BCC_KERNEL_SOURCE", "TMPDIR")},
    }
    headers, _ = _looked_for(work)
    # The longest ends of each path are names that an #include may have had.
    ends = {"/".join(Path(header).parts[-length:]) for header in headers for length in (1, 2, 3)}
    names = {end.lstrip("/") for end in ends}
    assert {"linux/types.h", "bcc/bpf.h", "uapi/linux/bpf.h", "asm/page.h"} <= names
    folders = (
        "",
        "include",
        "include/uapi",
        "include/generated",
        "arch/x86/include",
        "arch/x86/include/uapi",
    )
    for root in (work, home, path):
        for name in names:
            for folder in folders:
                planted = root / folder / name
                planted.parent.mkdir(parents=True, exist_ok=True)
                planted.write_text(_USED)
    _check(_table(work, **environment))
    _, asked = _looked_for(work, **environment)
    for root in (work, home, path):
        assert not re.search(rf'"{re.escape(str(root))}/[^"]', asked)


@pytest.mark.parametrize(
    "variable", ["PYTHONPATH", "PYTHONUSERBASE", "HOME", "PYTHONSTARTUP", "PYTHONHOME", "working directory"]
)
def test_no_python_of_the_invoker_runs(variable: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    mark = f"open({str(ran)!r}, 'a').write(__name__)\n"
    site = tmp_path if variable in ("PYTHONPATH", "working directory") else tmp_path / _SITE
    if variable == "HOME":
        site = tmp_path / ".local" / _SITE
    site.mkdir(parents=True, exist_ok=True)
    for module in ("sitecustomize", "usercustomize", "bcc", "numpy", "textual", "tcptop_rtt", "json"):
        (site / f"{module}.py").write_text(mark)
    (site / "any.pth").write_text(f"import sys; {mark}")
    environment = {}
    if variable == "PYTHONSTARTUP":
        environment[variable] = str(site / "bcc.py")
    elif variable != "working directory":
        environment[variable] = str(tmp_path)
    _check(_table(tmp_path, **environment))
    assert not ran.exists()


def test_no_file_that_a_variable_names_is_looked_for(tmp_path: Path) -> None:
    place = str(tmp_path / "named")
    there = os.path.relpath(place, "/usr/share/locale")
    named = dict.fromkeys(
        (
            *("TZ", "TZDIR", "LANGUAGE", "LC_MESSAGES", "NLSPATH", "HOSTALIASES", "TERM", "TERMINFO"),
            *("OPENSSL_CONF", "OPENSSL_MODULES", "SSL_CERT_FILE", "SSL_CERT_DIR", "BCC_KERNEL_SOURCE"),
        ),
        place,
    )
    for variables in (named, {"LANGUAGE": there, "LANG": "de_DE.UTF-8", "TZ": f":{place}"}):
        _, asked = _looked_for(tmp_path, **variables)
        after_start = asked[asked.index("tcptop_rtt/environment.py") :]
        assert "/named" not in after_start


def test_no_file_of_the_environments_choice_is_written(tmp_path: Path) -> None:
    environment = {name: str(tmp_path / name) for name in ("TEXTUAL_LOG", "TEXTUAL_SCREENSHOT_LOCATION")}
    for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "PYTHONPYCACHEPREFIX"):
        environment[name] = str(tmp_path)
    environment |= {
        "TEXTUAL_DRIVER": "no.such:driver",
        "TEXTUAL": "debug,devtools",
        "TEXTUAL_SCREENSHOT": "1",
    }
    environment["TERM"] = "xterm-256color"
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen(
        [PROGRAM],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=tmp_path,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        shown = b""
        try:
            while b"PROCESS" not in shown:
                shown += os.read(screen, 1 << 16)
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(OSError):  # how a terminal tells that nobody writes to it any more
                while os.read(screen, 1 << 16):
                    pass
        finally:
            process.kill()
            os.close(screen)
    assert list(tmp_path.iterdir()) == []


def _kernel_tree(place: Path) -> None:
    for name in (
        "Makefile",
        "Kconfig",
        "include/linux/kconfig.h",
        "include/linux/types.h",
        "arch/x86/Makefile",
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(_USED)


def test_it_starts_in_a_kernel_source_tree(tmp_path: Path) -> None:
    _kernel_tree(tmp_path)
    for directory in (tmp_path, tmp_path / "include", tmp_path / "include/linux"):
        _check(_table(directory))


@pytest.mark.parametrize("directory", ["/usr/include", "/proc/self", "/"])
def test_it_starts_in_a_directory_of_the_system(directory: str) -> None:
    _check(_table(directory))


def test_it_starts_in_a_deleted_directory(tmp_path: Path) -> None:
    _check(_table(tmp_path, "sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "sh"))


def test_the_dashboard_records_in_a_directory_that_has_no_path_under_its_root(
    terminal: Open, tmp_path: Path
) -> None:
    here, root = tmp_path / "here", tmp_path / "root"
    here.mkdir(mode=0o700)
    root.mkdir()
    # The command of that name goes to the root directory, too.
    chroot = f'import os, sys; os.chroot("{root}"); os.execv(sys.argv[1], sys.argv[1:])'
    script = f'cd {here} && mount --rbind / {root} && exec "$@"'
    command = ("sh", "-c", script, "sh", sys.executable, "-c", chroot, PROGRAM, "--record", "named")
    it = terminal("unshare", "--mount", *command).started()
    assert [path.name for path in here.iterdir()] == ["named"]
    it.type(b"R")
    it.type(b"R")
    assert becomes(lambda: len(list(here.iterdir())) == 2, START_S)
    it.type(b"q")
    assert it.ended() == 0


def test_it_starts_in_a_directory_whose_path_is_too_long(tmp_path: Path) -> None:
    deeper = 'i=0; while [ $i -lt 25 ]; do mkdir "$0" && cd -P "$0" || exit; i=$((i + 1)); done; exec "$@"'
    deeper = deeper.replace('cd -P "$0"', 'cd "./$0"')
    ended = _table(tmp_path, "bash", "-c", deeper, "d" * 250)
    _check(ended)
    shutil.rmtree(tmp_path / ("d" * 250))


def test_no_socket_of_a_network_is_opened(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    _check(_table(tmp_path, "strace", "-f", "-o", str(trace), "-e", "trace=socket,clone,clone3"))
    text = trace.read_text()
    assert "clone" in text  # all of its threads and processes are looked at
    assert set(re.findall(r"socket\((\w+)", text)) <= {"AF_UNIX", "AF_NETLINK"}


def test_a_password_database_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    """It may be another machine's, and that is down."""
    silent = tmp_path / "getent"
    silent.write_text("#!/bin/sh\nexec sleep 600\n")
    silent.chmod(0o755)
    before = mounted((silent, "/usr/bin/getent"))
    ended = _table(tmp_path, *before)
    said = "tcptop-rtt: the password database does not answer: your settings are not read\n"
    assert (ended.returncode, ended.stderr) == (0, said)
    assert " connection" in ended.stdout
