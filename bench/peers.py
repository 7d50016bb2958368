"""The program beside the tools that come nearest to it, under one stock kernel: ``./setup bench-peers``.

Twice: on two processors, for times and ratios; and counted, on one emulated processor where each instruction
takes a nanosecond, the same on every run. Both tables go to ``bench/results/``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.peers_guest import CONNECTIONS, OURS, PER_CONNECTION, TOOLS
from bench.traffic import ACCEPTS_PER_S

Row = dict[str, Any]
RESULTS = Path(__file__).with_name("results")
TIME_LIMIT_S = 1500.0
PACKAGES = ("bpfcc-tools", "libbpf-tools")


def measure(counting: bool) -> dict[str, Row]:
    """What the guest has found, by tool."""
    from tests.vm import lab, packages

    kernel = packages.kernel("bookworm")
    layers = [packages.headers(kernel), *map(packages.tools, PACKAGES)]
    with tempfile.TemporaryDirectory() as results:
        command = [sys.executable, "-m", "bench.peers_guest", *(["--counting"] if counting else [])]
        status = lab.run(
            kernel,
            command,
            layers=layers,
            counting=counting,
            time_limit_s=TIME_LIMIT_S,
            results=Path(results),
        )
        if status:
            sys.exit(f"bench: the guest's part ended with {status}")
        found: dict[str, Row] = json.loads(Path(results, "peers.json").read_text())
    return found


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _ratio(value: float | None, ours: float | None, form: str = ".2f") -> str:
    return "-" if not value or not ours else f"{value / ours:{form}}x"


def table(rows: dict[str, Row], counting: bool) -> list[str]:
    """Of Markdown; a peer's numbers come with how many times ours they are."""
    unit = "instructions" if counting else "ns"
    heads = [
        "tool",
        f"{unit} per segment",
        "against ours",
        f"while {ACCEPTS_PER_S} connections/s are accepted",
    ]
    heads += [f"a round trip grows by, {unit}"]
    heads += [] if counting else ["exec to attached, s", "against ours", "resident, MiB", "traffic"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    ours = rows[OURS]
    for name, row in rows.items():
        if "failed" in row:
            lines.append(f"| {name} | does not run here: {row['failed']}" + " |" * (len(heads) - 1))
            continue
        cells = [
            name,
            _cell(row["ns_per_segment"], ",.0f"),
            _ratio(row["ns_per_segment"], ours["ns_per_segment"]),
            _cell(row["ns_while_accepting"], ",.0f"),
            _cell(row["ns_per_trip"], ",.0f"),
        ]
        if not counting:
            cells += [
                _cell(row["start_s"], ".2f"),
                _ratio(row["start_s"], ours["start_s"], ".1f"),
                _cell(row["resident_mib"], ".0f"),
                _cell(100 * row["speed"], ".0f") + " %",
            ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def verdicts(rows: dict[str, Row], counting: bool) -> list[str]:
    """Each target, and whether it is met."""
    ours = rows[OURS]
    costs = {name: row["ns_per_segment"] for name, row in rows.items() if row.get("ns_per_segment")}
    peers = {name: cost for name, cost in costs.items() if name in PER_CONNECTION}
    histograms = {name: cost for name, cost in costs.items() if name in TOOLS and "tcprtt" in name}
    lines = []

    def judge(what: str, value: float, limit: float) -> None:
        lines.append(f"- {'met' if value <= limit else 'MISSED'}: {what}: {value:.2f} (at most {limit})")

    if peers:
        cheapest = min(peers, key=peers.__getitem__)
        judge(f"time per segment, ours / {cheapest}'s", ours["ns_per_segment"] / peers[cheapest], 0.5)
    for name, cost in histograms.items():
        judge(f"time per segment, ours / {name}'s", ours["ns_per_segment"] / cost, 1)
    if not counting and "start_s" in rows["bcc tcptop"]:
        judge("exec to attached, ours / bcc tcptop's", ours["start_s"] / rows["bcc tcptop"]["start_s"], 0.2)
    return lines


def report(kernel: str, timed: dict[str, Row], counted: dict[str, Row]) -> str:
    """Both tables, as Markdown."""
    lines = [
        f"# The program and its peers under Linux {kernel}",
        "",
        f"Written by `./setup bench-peers`. Loopback ping-pong on {CONNECTIONS} connections, each tool",
        "by itself, all in one boot. Per segment: the time of all of a tool's programs (bpf_stats), divided",
        "by the segments that the kernel received. Traffic: round trips, against those without the tool.",
        "",
        "## Counted: one emulated processor, one instruction per nanosecond",
        "",
        *table(counted, counting=True),
        "",
        *verdicts(counted, counting=True),
        "",
        "## Timed: two processors",
        "",
        *table(timed, counting=False),
        "",
        *verdicts(timed, counting=False),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure both ways; write and print the tables."""
    timed, counted = measure(counting=False), measure(counting=True)
    kernel = timed.pop("kernel")["release"]
    counted.pop("kernel")
    write(kernel, timed, counted)


def write(kernel: str, timed: dict[str, Row], counted: dict[str, Row]) -> None:
    """Leave the results as a table and as JSON."""
    text = report(kernel, timed, counted)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "peers.md").write_text(text)
    results = {"kernel": kernel, "timed": timed, "counted": counted}
    (RESULTS / "peers.json").write_text(json.dumps(results, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
