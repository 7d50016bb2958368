"""Containers, pods and units, by the paths of control groups."""

from __future__ import annotations

import errno
import os

import pytest

from tcptop_rtt.feeds.units import Units, unit_of
from tcptop_rtt.model.rows import UNIT_BYTES
from tcptop_rtt.model.snapshot import ProcessKey

ID = "4f5e6d7c8b9a" + "0" * 52
POD = "0a1b2c3d_4e5f_6071_8293_a4b5c6d7e8f9"


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/", ""),
        ("", ""),
        ("/system.slice/nginx.service", "nginx.service"),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"),
        ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/firefox.scope", "firefox.scope"),
        (f"/system.slice/docker-{ID}.scope", "docker 4f5e6d7c8b9a"),
        (f"/docker/{ID}", "docker 4f5e6d7c8b9a"),
        (f"/docker/{ID}/init.scope", "docker 4f5e6d7c8b9a"),
        (f"/machine.slice/libpod-{ID}.scope/container", "podman 4f5e6d7c8b9a"),
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD}.slice/cri-containerd-{ID}.scope",
            "pod 0a1b2c3d/4f5e6d7c8b9a",
        ),
        (f"/kubepods/besteffort/pod{POD.replace('_', '-')}/{ID}", "pod 0a1b2c3d/4f5e6d7c8b9a"),
        (f"/something/{ID}", "container 4f5e6d7c8b9a"),
        ("/user.slice", ""),
        ("/\x1b[31m.service", "\x1b[31m.service"),  # what shows it makes it harmless
    ],
)
def test_the_unit_of_a_path(path: str, unit: str) -> None:
    assert unit_of(path) == unit


def test_a_process_is_asked_for_now_and_then_and_a_long_name_is_cut() -> None:
    asked: list[ProcessKey] = []

    def cgroup(process: ProcessKey) -> str | None:
        asked.append(process)
        return "/" + "\u00e4" * 100 + ".service" if process.pid == 1 else None

    clock_s = [100.0]
    units = Units(cgroup, lambda: clock_s[0])
    for _ in range(2):
        assert units.of(ProcessKey(1, 5)) == ("\u00e4" * 100).encode()[:UNIT_BYTES]
        assert units.of(ProcessKey(2, 5)) == b""
    assert asked == [ProcessKey(1, 5), ProcessKey(2, 5)]
    clock_s[0] += 5
    units.of(ProcessKey(1, 5))
    assert asked[2:] == [ProcessKey(1, 5)]


class Moved:
    """The control group of every process, until it has ended."""

    path: str | None = "/a.service"
    asked = 0

    def cgroup(self, process: ProcessKey) -> str | None:  # noqa: ARG002
        self.asked += 1
        if self.path == "":
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return self.path


def test_a_process_that_is_moved_is_followed_and_keeps_its_control_group_when_it_ends() -> None:
    moved, clock_s, process = Moved(), [100.0], ProcessKey(1, 5)
    units = Units(moved.cgroup, lambda: clock_s[0])
    seen = []
    for path in ("/a.service", "/b.service", "", None):
        moved.path = path
        seen.append((units.path(process), units.of(process)))
        clock_s[0] += 5
    assert seen == [("/a.service", b"a.service"), *3 * [("/b.service", b"b.service")]]


def test_a_control_group_that_could_not_be_read_is_read_later() -> None:
    moved, clock_s, process = Moved(), [100.0], ProcessKey(1, 5)
    units = Units(moved.cgroup, lambda: clock_s[0])
    moved.path = ""
    with pytest.raises(OSError, match="open files"):
        units.path(process)
    moved.path = None
    assert units.path(process) is None
    moved.path = "/a.service"
    assert units.path(process) is None
    clock_s[0] += 5
    assert units.path(process) == "/a.service"


def test_the_control_groups_of_ten_thousand_processes_are_read_again_a_few_at_a_time() -> None:
    moved, clock_s = Moved(), [100.0]
    units = Units(moved.cgroup, lambda: clock_s[0])
    processes = [ProcessKey(pid, 5) for pid in range(1, 10_001)]
    for _ in range(20):
        for process in processes:
            units.path(process)
        clock_s[0] += 1
    assert moved.asked <= 10_000 + 20 * 100
    moved.path = "/b.service"
    for _ in range(200):
        clock_s[0] += 1
        paths = {units.path(process) for process in processes}
    assert paths == {"/b.service"}
