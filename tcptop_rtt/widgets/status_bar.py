"""The lines above the table: how the program itself is doing, and what is being shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tcptop_rtt.model.snapshot import Health
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.widgets.columns import BY_KEY, arrow
from tcptop_rtt.widgets.glyphs import Glyphs
from tcptop_rtt.widgets.styled import Part, StyledLines, component_classes


@dataclass(frozen=True, slots=True)
class Status:
    """Everything the lines say."""

    health: Health
    total: int
    shown: int
    interval_s: float
    sort_key: str
    descending: bool
    filter: Filter
    frozen: bool
    follow: bool
    time_wait: int = 0
    syn_recv: int = 0
    problem: str = ""
    waiting: str = ""  # what there is no first picture for yet; empty if there is one


class StatusBar(StyledLines):
    """Two lines; what matters most comes first, since a narrow terminal cuts them."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes(
        "status-bar", "name", "dim", "value", "bad", "flag", "filter"
    )

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._unicode = glyphs.unicode

    def show(self, status: Status) -> None:
        self.set_lines([self._first(status), self._second(status)])

    def _first(self, status: Status) -> list[Part]:
        if status.waiting:
            return [("tcptop-rtt", "name"), ("  " + status.waiting, "value")]
        health = status.health
        count = f"{status.total:,}"
        if status.shown != status.total:
            count = f"{status.shown:,} of {count}"
        untracked = _value(f"{health.untracked:,}", "without memory", "bad") if health.untracked else []
        return [
            ("tcptop-rtt", "name"),
            *_value(count, "connection" if status.total == 1 else "connections"),
            ("  " + fmt.printable(health.hook, self._unicode), "value"),
            *_value(fmt.bits(health.samples_per_s), "samples/s"),
            *_value(f"{health.lost:,}", "lost", "bad" if health.lost else "value"),
            *untracked,
            *_value(f"{health.cpu_percent:.1f}%", "cpu"),
            *(_value(f"{status.time_wait:,}", "TIME-WAIT") if status.time_wait else []),
            *(_value(f"{status.syn_recv:,}", "SYN-RECV") if status.syn_recv else []),
        ]

    def _second(self, status: Status) -> list[Part]:
        parts: list[Part] = []
        problem = status.problem or status.health.problem
        if problem:
            parts += [("! " + fmt.printable(problem, self._unicode), "bad"), ("  ", "")]
        for on, name in ((status.frozen, "FROZEN"), (status.follow, "FOLLOW")):
            if on:
                parts += [(f" {name} ", "flag"), ("  ", "")]
        title = BY_KEY[status.sort_key].title
        parts += _label("sort", f"{title} {arrow(status.descending, self._unicode)}")
        wanted = describe(status.filter)
        if wanted:
            parts += _label("  filter", fmt.printable(wanted, self._unicode), "filter")
        parts += _label("  every", f"{status.interval_s:g}s")
        if status.health.hook_note:
            parts += [("  " + fmt.printable(status.health.hook_note, self._unicode), "dim")]
        return parts


def _value(value: str, label: str, style: str = "value") -> list[Part]:
    return [("  " + value, style), (f" {label}", "dim")]


def _label(label: str, value: str, style: str = "value") -> list[Part]:
    return [(f"{label} ", "dim"), (value, style)]


def describe(filter: Filter) -> str:  # noqa: A002
    """A filter in words; empty if it lets everything through."""
    parts = [f'"{filter.text}"'] if filter.text else []
    if filter.pid is not None:
        parts.append(f"pid {filter.pid}")
    if filter.family is not None:
        parts.append(f"IPv{filter.family}")
    if filter.lport is not None:
        parts.append(f"local port {filter.lport}")
    if filter.rport is not None:
        parts.append(f"remote port {filter.rport}")
    return ", ".join(parts)
