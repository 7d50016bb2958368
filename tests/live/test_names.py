"""Names by the real resolver: of a name server that is slow, silent or hostile, and of a hosts file."""

from __future__ import annotations

import ipaddress
import json
import shlex
import subprocess
import sys
from pathlib import Path

from tests.live.program import END_S, PROGRAM, START_S
from tests.live.resolver_world import ResolverWorld
from tests.live.terminal import Terminals

_ASK = """
import json, sys, time
from tcptop_rtt.feeds.names import Resolver
from tcptop_rtt.model.names import Address
from tests.unit.rows import address
peers, wanted = json.loads(sys.argv[1]), json.loads(sys.argv[2])
keys = {peer: Address(6 if ":" in peer else 4, address(peer)) for peer in peers}
resolver = Resolver()
deadline = time.monotonic() + float(sys.argv[3])
while time.monotonic() < deadline:
    resolver.ask(keys.values(), [443, 5432, 0])
    found = {peer: resolver.host(key) for peer, key in keys.items()}
    found["ports"] = [resolver.service(port) for port in (443, 5432, 0)]
    if found == wanted:
        break
    time.sleep(0.1)
print(json.dumps(found), flush=True)
"""


def _ask(world: ResolverWorld, wanted: dict[str, object], patience_s: float = START_S) -> object:
    """What a resolver inside tells in the end."""
    peers = [peer for peer in wanted if peer != "ports"]
    command = [*world.inside, sys.executable, "-c", _ASK, json.dumps(peers), json.dumps(wanted)]
    ended = subprocess.run(
        [*command, str(patience_s)],
        capture_output=True,
        text=True,
        timeout=patience_s + END_S,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert ended.stderr == ""
    return json.loads(ended.stdout)


def test_names_are_those_of_dns_and_the_hosts_file_and_hostile_ones_are_none(tmp_path: Path) -> None:
    answers: dict[str, dict[str, object]] = {
        "198.51.100.1": {"name": "db1.example", "wait_s": 1.5},
        "2001:db8::1": {"name": "v6.example"},
        "198.51.100.2": {"name": "\x1b[31mred.example"},
        "198.51.100.3": {"name": "10.0.0.1"},
        "198.51.100.4": {"name": "[/red]$(x).example"},
        "198.51.100.5": {"name": ".".join(["a" * 60] * 4)},
        "198.51.100.6": {"rcode": 3},
        "198.51.100.7": {"rcode": 2},
        "198.51.100.8": {"name": "\xff\xfe.example"},
    }
    hosts = (
        "127.0.0.1 localhost\n10.1.2.3 private-host\nfe80::7 neighbour\n"
        "198.51.100.21 192.0.2.1\n198.51.100.22 evil\x1b]0;x\x07\n198.51.100.23 0x7f000001\n"
    )
    wanted: dict[str, object] = dict.fromkeys(answers, "")
    wanted |= {"198.51.100.1": "db1.example", "2001:db8::1": "v6.example"}
    wanted |= {"198.51.100.5": ".".join(["a" * 60] * 4)}
    wanted |= {"127.0.0.1": "localhost", "10.1.2.3": "private-host", "fe80::7": "neighbour"}
    wanted |= {"198.51.100.21": "", "198.51.100.22": "", "198.51.100.23": ""}
    wanted["ports"] = ["https", "postgresql", ""]
    with ResolverWorld(tmp_path, answers, hosts) as world:
        assert _ask(world, wanted) == wanted
        asked = world.asked()
    # Each was really asked for, once though wanted again and again; the C library tries a failure again.
    for address in answers:
        name = ipaddress.ip_address(address).reverse_pointer
        assert asked.count(name) >= 1
        if answers[address].get("rcode") != 2 and "wait_s" not in answers[address]:
            assert asked.count(name) == 1, address


def test_a_name_server_that_never_answers_holds_up_neither_the_others_nor_the_end(tmp_path: Path) -> None:
    answers: dict[str, dict[str, object]] = {"198.51.100.1": {}, "198.51.100.2": {"name": "db2.example"}}
    wanted: dict[str, object] = {"198.51.100.1": "", "198.51.100.2": "db2.example"}
    wanted["ports"] = ["https", "postgresql", ""]
    # By these options a lookup takes 150 s to fail: longer than the process is waited for.
    with ResolverWorld(tmp_path, answers, options="options timeout:30 attempts:5") as world:
        assert _ask(world, wanted) == wanted
        assert "1.100.51.198.in-addr.arpa" in world.asked()


def test_the_dashboard_shows_names_finds_them_and_closes_in_the_middle_of_a_lookup(
    tmp_path: Path, terminals: Terminals
) -> None:
    answers: dict[str, dict[str, object]] = {
        "198.51.100.1": {"name": "db1.example"},
        "198.51.100.2": {},
        "198.51.100.3": {"name": "198.51.100.1"},
    }
    with ResolverWorld(tmp_path, answers) as world:
        terminal = terminals((200, 40))
        terminal.run(f"{shlex.join(world.inside)} {PROGRAM} --rport 5432")
        for peer in answers:
            terminal.wait_for(f" {peer}:5432 ", timeout_s=START_S)
        terminal.press("n")
        terminal.wait_for(" db1.example:postgresql ")
        terminal.wait_for(" 198.51.100.2:postgresql ")
        terminal.wait_for(" 198.51.100.3:postgresql ")
        terminal.filter("db1.ex")
        terminal.expect(lambda: not terminal.line_with("198.51.100.2"), "only what has the name")
        assert terminal.line_with("db1.example:postgresql")
        terminal.press("Enter")
        terminal.wait_for("peer's name", "db1.example")
        terminal.wait_for("198.51.100.1:5432")
        terminal.press("Escape")
        terminal.wait_for("PROCESS")
        terminal.press("n")
        terminal.wait_for("no connection matches the filter")
        terminal.press("n")
        terminal.wait_for(" db1.e", "postgresql ")  # details beside the table may leave less room
        terminal.press("q")
        terminal.check_restored()
        assert "2.100.51.198.in-addr.arpa" in world.asked()
