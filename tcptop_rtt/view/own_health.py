"""How the program itself is doing, in words: a list of everything, and notes on what matters."""

from __future__ import annotations

from typing import NamedTuple

from tcptop_rtt.model.reach import Rights
from tcptop_rtt.model.snapshot import RECORDS, REFRESHES, SCANS, Health, OwnCost, ProgramCost
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import UNICODE, Glyphs

MUCH_CPU_PERCENT = 25.0
"""The share of one processor from which the program may disturb what it measures."""


class HealthLine(NamedTuple):
    """One fact; ``style`` is the style of its value."""

    label: str
    value: str
    style: str = "value"


def everything(health: Health, glyphs: Glyphs) -> list[HealthLine]:
    """All lines on the program's health."""
    scans = f"{fmt.rtt(health.scan_s * 1e6)} of a processor, one every {fmt.span(health.scan_pause_s * 1e3)}"
    lost, missed, late = health.dropped_records, health.untracked, how_late(health.behind_s)
    unseen = f"{missed:,} {fmt.noun(missed, 'connection')} in the kernel"
    return [
        HealthLine("hook", fmt.printable(health.hook, glyphs) or fmt.UNKNOWN),
        HealthLine("why this one", fmt.printable(health.hook_note, glyphs) or "it is the first choice"),
        HealthLine("problem", fmt.printable(health.problem, glyphs) or "none", _style(bool(health.problem))),
        *([HealthLine("not seen", fmt.printable(health.missed, glyphs), "bad")] if health.missed else []),
        *_samples(health),
        HealthLine("records lost", f"{lost:,} since the start", _style(lost > 0)),
        HealthLine("how fresh", late or "on time", _style(bool(late))),
        *([HealthLine("no memory for", unseen, "bad")] if missed else []),
        HealthLine("scans", scans if health.scan_s else "there was none yet"),
        HealthLine("processor", f"{health.cpu_percent:.1f}% of one", _style(_is_much(health))),
        *_budget(health, glyphs),
        HealthLine("memory", fmt.size(health.rss_bytes) if health.rss_bytes else fmt.UNKNOWN),
        HealthLine("not available", ", ".join(sorted(health.lacking)) or "this kernel has every field"),
    ]


def rights(held: Rights, glyphs: Glyphs) -> list[HealthLine]:
    """The rights that the processes of the program still have."""
    return [HealthLine(whose, fmt.printable(which, glyphs)) for whose, which in held]


def _samples(health: Health) -> list[HealthLine]:
    if health.missed:
        return [HealthLine("RTT samples", "none: scans read the smoothed RTT")]
    spacing = fmt.span(health.report_interval_s * 1e3) if health.report_interval_s else fmt.UNKNOWN
    return [
        HealthLine("RTT samples", f"{fmt.bits(health.samples_per_s)} per second, seen by the kernel side"),
        HealthLine("records", f"{fmt.bits(health.records_per_s)} per second, read by this process"),
        HealthLine("", f"at most one per connection in {spacing}"),
    ]


def _budget(health: Health, glyphs: Glyphs) -> list[HealthLine]:
    if not health.budget_percent:
        return []
    given_up = _given_up(health) or "nothing is given up"
    lines = [HealthLine("budget", f"{_percent(health.budget_percent)} of a processor: {given_up}")]
    if health.cost_percent is not None and health.kernel_percent is not None:
        of_it = f"{_percent(health.kernel_percent)} of it at the hook"
        note = f" (estimated: {fmt.printable(health.kernel_note, glyphs)})" if health.kernel_note else ""
        spent = f"{_percent(health.cost_percent)} lately, {of_it}{note}"
        lines.append(HealthLine("spent", spent, _style(_is_over(health))))
    return lines


def measured(cost: OwnCost, glyphs: Glyphs) -> list[HealthLine]:
    """What the program has cost during one measurement."""
    if cost.kernel_percent is None:
        kernel = fmt.printable(cost.note, glyphs)
    else:
        kernel = f"{_percent(cost.kernel_percent)} at the hooks, on the traffic's time"
    return [
        HealthLine("measured", f"for {fmt.span(cost.lasted_s * 1e3)} until {fmt.clock(cost.time_ns / 1e9)}:"),
        HealthLine("  here", _percent(cost.cpu_percent)),
        HealthLine("  kernel", kernel, _style(cost.kernel_percent is None)),
        *(HealthLine(f"  {fmt.printable(one.name, glyphs)}", _runs(one)) for one in cost.programs),
    ]


def _runs(one: ProgramCost) -> str:
    share = _percent(one.runs_per_s * one.ns_per_run / 1e7)
    where = ", part of here" if one.ours else ""
    return f"{share}{where}: {fmt.bits(one.runs_per_s)} runs per second, {fmt.bits(one.ns_per_run)} ns each"


def what_the_budget_does(health: Health) -> str:
    """The budget, and what is done less often for it; empty if there is no budget."""
    if not health.budget_percent:
        return ""
    budget, given_up = _percent(health.budget_percent), _given_up(health)
    return f"budget {budget}: {given_up}" if given_up else f"budget {budget}"


def what_is_over(health: Health) -> str:
    """The cost that is over the budget; empty if none is known to be."""
    if not _is_over(health):
        return ""
    budget, kernel = health.budget_percent, health.kernel_percent or 0.0
    what, cost = ("hook alone costs", kernel) if kernel > budget else ("costs", health.cost_percent or 0.0)
    return f"{what} {_percent(cost)}: over the budget of {_percent(budget)}"


def _given_up(health: Health) -> str:
    periods_s = {
        RECORDS: health.report_interval_s,
        SCANS: health.scan_pause_s,
        REFRESHES: health.refresh_s,
    }
    return ", ".join(
        f"{name} every {fmt.span(period_s * 1e3)}"
        for name, period_s in periods_s.items()
        if name in health.spaced
    )


def _is_over(health: Health) -> bool:
    return health.cost_percent is not None and health.cost_percent > health.budget_percent > 0


def _percent(percent: float) -> str:
    return f"{percent:.2g}%" if percent < 99.5 else f"{percent:.0f}%"


def what_is_missed(health: Health, glyphs: Glyphs = UNICODE) -> str:
    """The header's note on what is not seen; empty if everything is seen."""
    return f"no BPF: {fmt.printable(health.missed, glyphs)}" if health.missed else ""


def how_late(behind_s: float) -> str:
    """The note on numbers that come late; empty if none does."""
    return f"behind by {fmt.span(behind_s * 1e3)}" if behind_s else ""


def what_matters(health: Health) -> str:
    """The header's note on processor time; empty if it is little."""
    return f"{health.cpu_percent:.0f}% cpu" if _is_much(health) else ""


def _is_much(health: Health) -> bool:
    return health.cpu_percent >= MUCH_CPU_PERCENT


def _style(is_bad: bool) -> str:
    return "bad" if is_bad else "value"
