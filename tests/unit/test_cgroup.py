"""The cgroup of a process, by what hosts of all kinds have in /proc/PID/cgroup."""

from __future__ import annotations

import pytest

from tcptop_rtt.feeds.processes import cgroup_path
from tcptop_rtt.model.outside import CUT, TEXT_BYTES

V2 = b"0::/user.slice/user-1000.slice/session-3.scope\n"

V1 = b"""\
11:freezer:/
10:cpuset:/
9:devices:/system.slice/nginx.service
8:memory:/system.slice/nginx.service
7:pids:/system.slice/nginx.service
6:perf_event:/
5:net_cls,net_prio:/
4:blkio:/system.slice
3:cpu,cpuacct:/system.slice
2:hugetlb:/
1:name=systemd:/system.slice/nginx.service
"""

HYBRID = b"""\
12:memory:/system.slice/ssh.service
11:cpu,cpuacct:/system.slice
1:name=systemd:/system.slice/ssh.service
0::/system.slice/ssh.service
"""

DOCKER_ON_V1 = b"""\
12:pids:/docker/3601745b3bd54d9780436faa5f0e4f72bb46231663bb99a6bb892764917832c2
4:memory:/docker/3601745b3bd54d9780436faa5f0e4f72bb46231663bb99a6bb892764917832c2
1:name=systemd:/docker/3601745b3bd54d9780436faa5f0e4f72bb46231663bb99a6bb892764917832c2
0::/system.slice/containerd.service
"""

WITHOUT_SYSTEMD = b"""\
9:name=systemd:/
8:pids:/
4:memory:/process_api/7d9ebf84f771b15b282d3864ed181b4e
1:cpu:/
0::/
"""


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (V2, "/user.slice/user-1000.slice/session-3.scope"),
        (b"0::/\n", "/"),
        (b"0::/../../kubepods.slice/pod1\n", "/../../kubepods.slice/pod1"),
        (V1, "/system.slice/nginx.service"),
        (HYBRID, "/system.slice/ssh.service"),
        (DOCKER_ON_V1, "/system.slice/containerd.service"),
        (WITHOUT_SYSTEMD, "/process_api/7d9ebf84f771b15b282d3864ed181b4e"),
        (b"3:cpu:/a\n1:name=systemd:/\n0::/\n", "/a"),
        (b"2:cpu:/\n1:name=systemd:/\n", "/"),
        (b"0::/gone (deleted)\n", "/gone (deleted)"),
        (b"", None),
        (b"garbage\n", None),
    ],
)
def test_the_path_is_found_on_hosts_of_all_kinds(raw: bytes, path: str | None) -> None:
    assert cgroup_path(raw) == path


@pytest.mark.parametrize("end", [b"\v", b"\f", b"\r", b"\x1c", b"\x85", "\u2028".encode()])
def test_only_a_newline_ends_a_line(end: bytes) -> None:
    raw = b"1:name=systemd:/a" + end + b"0::/another\n"
    assert cgroup_path(raw) == (b"/a" + end + b"0::/another").decode("utf-8", "replace")
    assert cgroup_path(raw + b"0::/right\n") == "/right"


def test_colons_belong_to_the_path() -> None:
    assert cgroup_path(b"1:cpu:/\n0::/a:b::c\n") == "/a:b::c"


def test_of_a_long_path_the_beginning_is_told() -> None:
    assert cgroup_path(b"0::/" + b"x" * 5000 + b"\n") == "/" + "x" * (TEXT_BYTES - 1) + CUT
