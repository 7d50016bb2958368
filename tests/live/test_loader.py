"""The process that loads the BPF program, and the compiled code that it keeps."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tcptop_rtt.sources.bpf_call import MapInfo
from tcptop_rtt.sources.loader import cache
from tcptop_rtt.sources.loader.code import Code
from tcptop_rtt.sources.requirements import BTF_PATH
from tests.live.held import Open
from tests.live.kernel_objects import kernel_objects, remaining
from tests.live.loaders import stopped_loader
from tests.live.program import END_S, NOBODY, PROGRAM, START_S, lines_of, mounted, run
from tests.waiting import becomes


def _is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def _started(*options: str) -> subprocess.Popen[str]:
    """A program that has to compile."""
    return subprocess.Popen(
        [*mounted(), PROGRAM, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_loader_that_stands_still_does_not_hold_up_an_end(number: int) -> None:
    with _started("--json") as process:
        loader = stopped_loader(process.pid)
        process.send_signal(number)
        assert process.wait(END_S) == 128 + signal.SIGINT
        assert process.communicate() == ("", "")
    assert _is_gone(loader)


@pytest.mark.parametrize("key", [b"q", b"\x03"])
def test_nor_does_it_hold_up_the_screen(terminal: Open, key: bytes) -> None:
    it = terminal(*mounted(), PROGRAM)
    loader = stopped_loader(it.pid)
    it.wait_for(b"Quit")
    it.type(key)
    assert it.ended() == 0
    it.check_restored()
    assert _is_gone(loader)


def test_a_loader_that_is_killed_is_told_in_one_line() -> None:
    with _started("--json", "--source", "tcp_probe") as process:
        os.kill(stopped_loader(process.pid), signal.SIGKILL)
        assert process.communicate(timeout=END_S) == (
            "",
            "tcptop-rtt: what loads the BPF program was ended by SIGKILL: start tcptop-rtt again\n",
        )
        assert process.returncode == 1


def test_without_it_the_best_that_there_is_is_shown() -> None:
    with _started("--json", "--count", "1") as process:
        os.kill(stopped_loader(process.pid), signal.SIGKILL)
        out, err = process.communicate(timeout=END_S)
    lines = lines_of(subprocess.CompletedProcess([], process.returncode, out, err))
    assert lines[0]["hook"] == "sock_diag"


def test_the_loader_ends_with_whoever_it_loads_for() -> None:
    with _started("--json") as process:
        loader = stopped_loader(process.pid)
        objects = kernel_objects(loader)
        process.kill()
        process.wait()
    assert becomes(lambda: _is_gone(loader))
    assert becomes(lambda: not remaining(objects))


def test_what_was_compiled_once_needs_no_compiler_again(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = f"{PROGRAM} --count 1 --source tcp_probe"
    traced = f"strace -f -e trace=openat -o {trace}"
    shell = [*mounted(), "sh", "-c", f"{traced}.1 {command} && {traced}.2 {command}"]
    subprocess.run(shell, check=True, capture_output=True, timeout=2 * START_S)
    first, second = (Path(f"{trace}.{number}").read_text() for number in (1, 2))
    library = re.compile(r"libbcc\.so|libLLVM|libclang")
    assert library.search(first)
    assert not library.search(second)
    assert "/sys/kernel/btf/vmlinux" in second


def test_without_a_place_for_it_nothing_is_kept_and_all_else_is_as_ever(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    ended = run("--json", "--count", "1", before=mounted((tmp_path, "/var/cache")))
    assert lines_of(ended)[0]["hook"] != "sock_diag"
    assert list(tmp_path.iterdir()) == []


# What is kept, and who can be trusted with it

CODE = Code({"map": MapInfo(1, 8, 8, 1, 0)}, {"program": bytes(16)}, {"target": 3}, frozenset({"mss"}))
KEY = "0" * 64


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That of the cache: beside the real one, as a temporary directory is nothing that it trusts."""
    path = Path(f"/var/cache/tcptop-rtt-test-{os.getpid()}")
    monkeypatch.setattr(cache, "DIRECTORY", str(path))
    yield path
    if path.is_symlink():
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)


def test_what_is_kept_is_found_again_by_its_key_alone(directory: Path) -> None:
    assert cache.kept(KEY) is None
    cache.keep(KEY, CODE)
    assert cache.kept(KEY) == CODE
    assert cache.kept("1" * 64) is None
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / KEY).stat().st_mode & 0o777 == 0o600


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _linked(path: Path) -> None:
    path.rename(path.parent / "elsewhere")
    path.symlink_to(path.parent / "elsewhere")


def _as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _too_large(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" " * (1 << 20))


def _no_code(path: Path) -> None:
    path.write_bytes(b"4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945\n[]")  # its digest


@pytest.mark.parametrize(
    "change",
    [
        _cut,
        _linked,
        _as_pipe,
        _too_large,
        _no_code,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\xff\n{}"),
        lambda path: path.chmod(0o620),
        lambda path: path.chmod(0o602),
        lambda path: os.chown(path, NOBODY, 0),
        lambda path: path.parent.chmod(0o707),
        lambda path: path.parent.chmod(0o770),
        lambda path: os.chown(path.parent, NOBODY, 0),
    ],
)
def test_what_anybody_could_have_written_is_not_taken(
    directory: Path, change: Callable[[Path], None]
) -> None:
    cache.keep(KEY, CODE)
    change(directory / KEY)
    assert cache.kept(KEY) is None


def test_a_link_in_place_of_the_directory_is_not_followed(directory: Path, tmp_path: Path) -> None:
    directory.symlink_to(tmp_path)
    cache.keep(KEY, CODE)
    assert cache.kept(KEY) is None
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_replaced(directory: Path) -> None:
    cache.keep(KEY, CODE)
    _cut(directory / KEY)
    cache.keep(KEY, CODE)
    assert cache.kept(KEY) == CODE


def test_only_the_newest_are_kept(directory: Path) -> None:
    keys = [f"{number:064}" for number in range(cache.KEPT + 3)]
    for number, key in enumerate(keys):
        cache.keep(key, CODE)
        os.utime(directory / key, (number, number))
    cache.keep(KEY[:-1] + "f", CODE)
    assert {path.name for path in directory.iterdir()} == {*keys[4:], KEY[:-1] + "f"}


def test_all_that_code_is_made_of_is_in_its_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keys = [
        cache.key_of(b"text", ["flag"]),
        cache.key_of(b"text", ["flag", "g"]),
        cache.key_of(b"texts", ["flag"]),
    ]
    types = tmp_path / "vmlinux"
    types.write_bytes(BTF_PATH.read_bytes()[:-1])
    with monkeypatch.context() as patch:
        patch.setattr(cache, "BTF_PATH", types)
        keys.append(cache.key_of(b"text", ["flag"]))
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_HERE", tmp_path)
        keys.append(cache.key_of(b"text", ["flag"]))
    assert len(set(keys)) == len(keys)
    assert cache.key_of(b"text", ["flag"]) == keys[0]
