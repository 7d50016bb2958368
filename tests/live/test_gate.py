"""``--fail-if`` on a link of known delay."""

from __future__ import annotations

import re

from tests.live.compared import namespace_of
from tests.live.link import ADDRESSES, Link, sending, taking
from tests.live.program import run

PORT = 8087


def test_a_link_of_50_ms_is_slower_than_20_and_the_evidence_says_whose_it_is() -> None:
    with Link(25) as link:
        link.start(link.b, taking(PORT))
        sender = link.start(link.a, sending(PORT, 100, 0.02))
        where = f"rport:{PORT} netns:{namespace_of(link.a.pid)}"
        slow = run("--fail-if", f"p99({where})>20ms for 2s", "--interval", "0.5", "--for", "60s")
        fine = run("--fail-if", f"p99({where})>10s for 1s", "--interval", "0.5", "--for", "2s")
        one = run("--once", "--fail-if", f"count({where} pid:{sender.pid})=1")
    assert (fine.returncode, fine.stdout, fine.stderr) == (0, "", "")
    assert (slow.returncode, slow.stderr) == (3, "")
    found = re.fullmatch(
        rf"p99\({where}\)>20ms for 2s: ([\d.]+)ms of 1 connection, since [\d:]+; "
        rf"worst: python\S* {ADDRESSES['b'][0]}:{PORT} [\d.]+ms\n",
        slow.stdout,
    )
    assert found, slow.stdout
    assert float(found[1]) >= 50
    assert one.returncode == 3
