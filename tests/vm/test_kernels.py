"""The program under stock kernels: the oldest and the newest line of the package archive.

Each test boots a guest of its own, and runs tests inside.
"""

from __future__ import annotations

import sys

import pytest

from tests.vm import lab, packages

TIME_LIMIT_S = 600.0

# Their link is a Python program, and those milliseconds are too many for it on an emulated processor;
# guest/test_netem.py has the kernel's own link instead.
_NEED_A_FAST_MACHINE = (
    "tests/live/test_rtt.py::test_curl_over_a_50_ms_link_shows_its_rtt_and_both_processes",
    "tests/live/test_rtt.py::test_an_ipv6_transfer_over_a_50_ms_link_shows_its_rtt_and_both_processes",
    "tests/live/test_silence.py",
)


def _pytest(line: str, *arguments: str) -> None:
    """Run tests in a guest; they all have to pass."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--durations=5", *arguments]
    assert lab.run(packages.kernel(line), command, time_limit_s=TIME_LIMIT_S) == 0


@pytest.mark.parametrize("line", packages.lines())
def test_live_tests_pass(line: str) -> None:
    modules = [f"tests/live/test_{name}.py" for name in ("layout", "owners", "samples", "rtt", "attribution")]
    _pytest(line, *modules, *(f"--deselect={test}" for test in _NEED_A_FAST_MACHINE))


@pytest.mark.parametrize("line", packages.lines())
def test_what_only_a_stock_kernel_can_show(line: str) -> None:
    # A kernel cannot be unlocked again: lockdown comes last.
    modules = [f"tests/vm/guest/test_{name}.py" for name in ("hooks", "netem", "privileges", "lockdown")]
    _pytest(line, *modules)
