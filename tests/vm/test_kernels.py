"""The program under stock kernels, as Debian's suites have them, on two architectures.

Each test boots a guest of its own, and runs tests inside.
"""

from __future__ import annotations

import sys

import pytest

from tests.vm import lab, packages

TIME_LIMIT_S = 1800.0

OLDEST, SECOND, NEWEST = "bullseye", "bookworm", packages.NEWEST
THOROUGH = (OLDEST, SECOND, NEWEST)
WITHOUT_MPTCP = (OLDEST,)
SMOKE_ONLY = (("bookworm-backports", "amd64"), ("trixie", "amd64"), ("trixie", "arm64"))

# Each starts the program anew, which takes long there: one of each kind has to do.
_OF_MANY = "not test_a_field_that or mss_cache or srtt_us"

_SMOKE = "tests/vm/guest/test_smoke.py"

# The program is another one where it follows a command.
_FOLLOWING = (
    "tests/live/test_run.py::test_connections_of_others_do_not_count_and_a_server_counts_what_it_accepts"
)

# Linux 5.10 does not take policies in BPF unless told to.
_SECURITY = "lockdown,yama,apparmor,bpf"

# Their link is a Python program, and those milliseconds are too many for it on an emulated processor;
# guest/test_netem.py has the kernel's own link instead.
_NEED_A_FAST_MACHINE = (
    "tests/live/test_rtt.py::test_curl_over_a_50_ms_link_shows_its_rtt_and_both_processes",
    "tests/live/test_rtt.py::test_an_ipv6_transfer_over_a_50_ms_link_shows_its_rtt_and_both_processes",
    "tests/live/test_rtt.py::test_without_sacks_a_connection_has_samples_and_answers_too",
    "tests/live/test_silence.py",
)


_MODULES = ("layout", "owners", "samples", "rtt", "attribution", "sock_diag", "diag_messages")


def _pytest(kernel: packages.Kernel, *arguments: str, boot: str = "") -> None:
    """Run tests in a guest; they all have to pass."""
    options = ["-p", "no:cacheprovider", "--durations=5"]
    command = [sys.executable, "-m", "pytest", *options, *arguments]
    assert lab.run(kernel, command, boot=boot, time_limit_s=TIME_LIMIT_S) == 0


@pytest.mark.parametrize(("name", "architecture"), SMOKE_ONLY)
def test_both_hooks_work(name: str, architecture: str) -> None:
    _pytest(packages.kernel(name, architecture), _SMOKE)


@pytest.mark.parametrize("name", THOROUGH)
def test_live_tests_pass(name: str) -> None:
    modules = [f"tests/live/test_{module}.py" for module in _MODULES]
    chosen = f"({_OF_MANY}) and not mptcp" if name in WITHOUT_MPTCP else _OF_MANY
    # Two at a time, as the guest has two processors: each test waits a lot.
    options = ["-n2", "-k", chosen, *(f"--deselect={test}" for test in _NEED_A_FAST_MACHINE)]
    _pytest(packages.kernel(name), _SMOKE, _FOLLOWING, *modules, *options)


@pytest.mark.parametrize("name", [OLDEST, NEWEST])
def test_what_only_a_stock_kernel_can_show(name: str) -> None:
    # A kernel cannot be unlocked again: lockdown comes last.
    modules = [f"tests/vm/guest/test_{module}.py" for module in ("hooks", "netem", "privileges", "lockdown")]
    _pytest(packages.kernel(name), *modules, boot=f"lsm={_SECURITY}")
