"""What a benchmark finds, and how it is kept."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

DIRECTORY = Path(__file__).with_name("results")


@dataclass(frozen=True, slots=True)
class Result:
    """One measurement; with a limit, it is met or missed."""

    what: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    detail: str = ""

    @property
    def verdict(self) -> str:
        """``met``, ``MISSED``, or nothing where there is no limit."""
        if self.at_most is not None:
            return "met" if self.value <= self.at_most else "MISSED"
        if self.at_least is not None:
            return "met" if self.value >= self.at_least else "MISSED"
        return ""


def flat_memory(early_mib: float, late_mib: float) -> Result:
    """Whether a program needs no more memory the longer it runs."""
    return Result(
        "memory in the last third / in the second",
        late_mib / early_mib,
        at_most=1.05,
        detail=f"the least each: {late_mib:.0f} MiB, {early_mib:.0f} MiB",
    )


def _limit(result: Result) -> str:
    if result.at_most is not None:
        return f"at most {result.at_most:g}"
    return "" if result.at_least is None else f"at least {result.at_least:g}"


def write(name: str, about: str, results: list[Result]) -> str:
    """Keep the results of a benchmark as JSON and as a table, which is returned."""
    lines = [
        f"# {name}",
        "",
        about.strip(),
        "",
        f"Linux {os.uname().release}, {os.cpu_count()} processors. Written by `./setup bench {name}`.",
        "",
        "| what | value | limit | | |",
        "|---|---|---|---|---|",
    ]
    for one in results:
        value = f"{one.value:,.3g}" if one.value < 1000 else f"{one.value:,.0f}"
        lines.append(f"| {one.what} | {value} {one.unit} | {_limit(one)} | {one.verdict} | {one.detail} |")
    text = "\n".join(lines) + "\n"
    DIRECTORY.mkdir(exist_ok=True)
    (DIRECTORY / f"{name}.md").write_text(text)
    kept = [dataclasses.asdict(one) | {"verdict": one.verdict} for one in results]
    (DIRECTORY / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")
    return text
