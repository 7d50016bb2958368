"""The file of settings: whose it is, when it is trusted, and what it may say."""

from __future__ import annotations

import argparse
import os
import pwd
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tcptop_rtt import cli, environment
from tcptop_rtt.config import file, settings_of
from tcptop_rtt.config.settings import LIMITS, Settings, parse
from tcptop_rtt.environment import Invoker
from tcptop_rtt.model.errors import UsageError
from tcptop_rtt.view import causes, thresholds
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.thresholds import DEFAULTS, Thresholds
from tests.unit.rows import row, rows_of

DESCRIBED = Path(__file__).parents[2] / "docs" / "settings.md"
ME = os.getuid()
OTHER = ME + 54_321
"""Nobody here."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "tcptop-rtt").mkdir()
    return tmp_path


def write(home: Path, text: str) -> Path:
    path = home / "tcptop-rtt" / "config.toml"
    path.write_text(text)
    path.chmod(0o644)
    return path


# Whose it is


def test_root_takes_the_home_of_who_called_sudo_and_nothing_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody = pwd.getpwnam("nobody")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, "/tmp/elsewhere")  # noqa: S108 - no file is there
    monkeypatch.setenv("SUDO_UID", str(nobody.pw_uid))
    assert environment.invoker() == Invoker(nobody.pw_uid, f"{nobody.pw_dir}/.config")
    for wrong in ("", "-1", "x", "../1", "\u0661"):
        monkeypatch.setenv("SUDO_UID", wrong)
        assert environment.invoker() == Invoker(0, f"{pwd.getpwuid(0).pw_dir}/.config")
    for missing in ("4000000000", "9" * 30):
        monkeypatch.setenv("SUDO_UID", missing)
        assert environment.invoker() == Invoker(int(missing), "")


def test_a_user_without_root_takes_their_own_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = pwd.getpwnam("nobody")
    monkeypatch.setattr(os, "getuid", lambda: nobody.pw_uid)
    monkeypatch.setattr(os, "geteuid", lambda: nobody.pw_uid)
    monkeypatch.setenv("SUDO_UID", "0")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/some/where")
    assert environment.invoker() == Invoker(nobody.pw_uid, "/some/where")
    for unset in ("", "relative"):
        monkeypatch.setenv("XDG_CONFIG_HOME", unset)
        assert environment.invoker() == Invoker(nobody.pw_uid, f"{nobody.pw_dir}/.config")


# Whether it is trusted


def test_without_a_file_nothing_is_set(home: Path) -> None:
    assert settings_of(Invoker(ME, str(home))) == Settings()
    assert settings_of(Invoker(ME, str(home / "missing"))) == Settings()
    assert settings_of(Invoker(ME, "")) == Settings()
    (home / "file").touch()
    assert settings_of(Invoker(ME, str(home / "file"))) == Settings()


def test_a_file_of_ones_own_is_read(home: Path) -> None:
    write(home, 'theme = "light"\n')
    assert settings_of(Invoker(ME, str(home))).preferences.theme == "light"


def refusal(home: Path, uid: int = ME) -> str:
    with pytest.raises(UsageError) as refused:
        file.read(Invoker(uid, str(home)))
    return str(refused.value)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_one_that_others_can_write_to_is_refused(home: Path, mode: int) -> None:
    path = write(home, "")
    path.chmod(mode)
    assert refusal(home) == f"{path} can be changed by others: run chmod go-w {path}"


def test_one_of_somebody_else_is_refused(home: Path) -> None:
    path = write(home, "")
    if ME == 0:
        os.chown(path, OTHER, -1)
        assert refusal(home) == f"{path} belongs to UID {OTHER}: run chown 0 {path}"
        os.chown(path, 0, -1)
        assert file.read(Invoker(OTHER, str(home))) is not None  # root may write for others
        path.chmod(0o600)
        assert "root's, and not for others to read" in refusal(home, OTHER)
    else:
        assert refusal(home, OTHER) == f"{path} belongs to UID {ME}: run chown {OTHER} {path}"


def test_one_that_its_user_cannot_read_is_refused_and_one_that_cannot_be_looked_for_is_none() -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        home.chmod(0o755)
        (home / "tcptop-rtt").mkdir()
        path = write(home, "theme = 'dark'")
        path.chmod(0)
        told = f"{path} cannot be read: run chmod u+r {path}, or use --no-config"
        for mode, refused in ((0o755, told), (0o600, "")):
            path.parent.chmod(mode)
            os.seteuid(ME or OTHER)  # root may read everything
            try:
                found = (
                    refusal(home, os.geteuid()) if refused else str(file.read(Invoker(ME, str(home))) or "")
                )
            finally:
                os.seteuid(ME)
            assert found == refused
        path.parent.chmod(0o755)


def test_what_is_no_regular_file_is_refused_and_nothing_waits_for_it(home: Path) -> None:
    path = home / "tcptop-rtt" / "config.toml"
    path.symlink_to("/etc/hostname")
    assert "is a symbolic link" in refusal(home)
    path.unlink()
    os.mkfifo(path)
    assert "is no regular file" in refusal(home)
    path.unlink()
    path.mkdir()
    assert "is no regular file" in refusal(home)


def test_a_large_one_is_refused(home: Path) -> None:
    path = write(home, "#" * file.MOST_BYTES)
    assert file.read(Invoker(ME, str(home))) is not None
    path.write_text("#" * (file.MOST_BYTES + 1))
    assert "larger than 64 KiB" in refusal(home)


# What it says


def test_what_a_file_may_say() -> None:
    found = parse(
        b'theme = "ansi"\ninterval = 2\ncolumns = ["why", "rtt", "process"]\n'
        b"[thresholds]\nrtt_red_ms = 200\nloss_percent = 1\nbacklog_s = 0.5\n"
        b'[keys]\nsort-rtt = "R"\n',
        "f",
    )
    assert found.preferences.theme == "ansi"
    assert found.interval_s == 2.0
    assert [column.key for column in found.preferences.columns or ()] == ["why", "rtt", "process"]
    assert found.thresholds == Thresholds(red_us=200_000, loss_share=0.01, backlog_ns=500_000_000)
    assert found.preferences.keys == {"sort-rtt": "R"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("theme = 'pink'", "theme: 'pink' is none of dark, light, contrast, ansi"),
        ("theme = []", "theme: [] is none of dark"),
        ("interval = 0", "interval: 0 is no number from 0.1 to 3600"),
        ("interval = nan", "interval: nan is no number"),
        ("interval = true", "interval: True is no number"),
        ("interval = '1'", "interval: '1' is no number"),
        ("columns = 'rtt'", "columns: 'rtt' is no list such as"),
        ("columns = ['rtt', 'ping']", "columns: 'ping' is none of host, process, pid, local, remote,"),
        ("columns = [['rtt']]", "columns: ['rtt'] is none of host, process"),
        ("columns = ['rtt', 'rtt']", "columns: 'rtt' is there twice"),
        ("columns = ['spark']", "columns: ['spark'] has no column of text"),
        ("columns = []", "columns: [] has no column of text"),
        ("colour = 1", "settings: 'colour' is none of theme, interval, columns, thresholds, keys"),
        ("thresholds = 1", "thresholds: 1 is no section: its lines stand below [thresholds]"),
        ("[thresholds]\nrtt = 1", "thresholds: 'rtt' is none of rtt_yellow_ms, rtt_red_ms,"),
        ("[thresholds]\nqueue_ms = -1", "thresholds.queue_ms: -1 is no number from 0.001 to 60000"),
        ("[thresholds]\nloss_percent = inf", "thresholds.loss_percent: inf is no number"),
        ("[thresholds]\nrtt_red_ms = 40", "rtt_yellow_ms (50) is more than rtt_red_ms (40)"),
        ("[keys]\nhelp = 1", "keys.help: 1 is no key such as"),
        ("[keys", "Expected ']' at the end of a table declaration (at "),
        ("theme = 'a'\ntheme = 'b'", "Cannot overwrite a value (at "),
        ("interval = " + "9" * 5_000, "for integer string conversion"),
        ("interval = 0x" + "f" * 5_000, "interval: a number of thousands of digits is no number"),
        ("x = " + "[" * 20_000, "brackets within brackets"),
        ("theme = '" + "x" * 5000 + "'", "x... is none of"),
        ("'\\u001b[31m\\nx' = 1", "settings: "),
        ("theme = '''\x1b[31m'''", "line 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line_with_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(text.encode(), "/home/x/config.toml")
    told = str(refused.value)
    assert told.startswith("/home/x/config.toml: ")
    assert message in told
    assert told.isascii()
    assert told.isprintable()
    assert len(told) < 300


def test_what_is_no_utf_8_is_told() -> None:
    with pytest.raises(UsageError, match="line 2 is no UTF-8"):
        parse(b"# x\n# \xff", "f")


def test_the_example_of_the_documentation_has_every_setting_with_its_default() -> None:
    example = DESCRIBED.read_text().partition("```toml\n")[2].partition("```")[0]
    found = parse(example.encode(), "settings.md")
    assert found.thresholds == DEFAULTS
    assert found.interval_s == 1.0
    entries = tomllib.loads(example)
    assert entries.keys() == {"theme", "interval", "columns", "thresholds", "keys"}
    assert list(entries["thresholds"]) == list(LIMITS)
    assert {limit.field for limit in LIMITS.values()} == set(Thresholds.__slots__)
    text = " ".join(DESCRIBED.read_text().split())
    names = text[text.index("Columns are those of connections") :].partition("A narrow")[0]
    assert re.findall("`(.*?)`", names) == list(CONNECTIONS.column)


# What it does


def test_options_go_before_the_file_and_no_config_leaves_it_unread(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "invoker", lambda: Invoker(ME, str(home)))
    monkeypatch.setattr(environment, "clean", lambda: None)
    taken: list[tuple[float, str | None]] = []

    def run(options: argparse.Namespace) -> int:
        taken.append((options.interval, options.preferences.theme))
        return 0

    def main(*options: str) -> int:
        monkeypatch.setattr(sys, "argv", ["tcptop-rtt", *options])
        return cli.main(run)

    path = write(home, 'interval = 3\ntheme = "light"\n')
    assert main() == main("-i", "2", "--theme", "ansi") == main("--no-config") == 0
    assert taken == [(3.0, "light"), (2.0, "ansi"), (1.0, None)]
    path.write_text("interval = 0\n")
    assert main() == 2
    assert capsys.readouterr().err == f"tcptop-rtt: {path}: interval: 0 is no number from 0.1 to 3600\n"
    assert main("--no-config") == 0
    thresholds.use(DEFAULTS)


@pytest.fixture
def restored() -> Iterator[None]:
    yield
    thresholds.use(DEFAULTS)


def test_thresholds_decide_on_colours_and_words(restored: None) -> None:  # noqa: ARG001
    rows = rows_of(row(1, srtt_us=30_000, min_rtt_us=20_000, rtt_age_ms=5))

    def word() -> str | None:
        (number,) = causes.verdicts(rows.__getitem__).tolist()
        cause = causes.numbered(number)
        return cause.name if cause else None

    assert (fmt.level(30_000), word()) == ("good", None)
    thresholds.use(Thresholds(queue_factor=1.5, queue_us=9_000))
    assert word() == "queue"
    thresholds.use(Thresholds(yellow_us=10_000, red_us=20_000))
    assert (fmt.level(15_000), fmt.level(30_000), word()) == ("warn", "bad", "long-path")
