"""Who looks at the dashboard for hours: every view in turn, in a real terminal."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.kinds import KINDS
from tests.live.program import PROGRAM, START_S
from tests.live.terminal import Terminal
from tests.unit.recorded import replayed

_PRESS_S = 0.4
"""Between two keys: Escape and what follows it would else be one."""
_STAY_S = 2.0
"""So long each view is looked at."""


class View(NamedTuple):
    """A stop of the tour: the keys that lead there, what the screen then shows, and the keys back."""

    name: str
    keys: Sequence[str]
    shows: str
    back: Sequence[str] = ()


TOUR = (
    View("by process", ["p"], "sort PROCESS"),
    View("by why", ["w"], "sort WHY"),
    View("by a column", ["o", "a"], "sort "),
    View("next columns", ["s", "s", "s", "<", "S"], "sort "),
    View("by RTT", ["r"], "sort RTT"),
    View("scrolled", ["PageDown", "PageDown", "End"], "PROCESS", ["Home"]),
    View("followed", ["f"], "PROCESS", ["f"]),
    View("one scale", ["l"], "PROCESS", ["l"]),
    View("names", ["n"], "PROCESS", ["n"]),
    View("slower", ["+"], "every 2s", ["-"]),
    View("filter of words", ["/", *"python", "Enter"], 'filter "python"', ["Escape"]),
    View("filter of numbers", ["/", *"rtt>0.02ms", "Enter"], 'filter "rtt>0.02ms"', ["Escape"]),
    View("details", ["Enter"], "WHOSE IT IS", ["z", "z", "Left", "Left", "Right", "Escape"]),
    View("neighbours", ["Enter", "]", "]", "["], "WHOSE IT IS", ["Escape"]),
    View("beside", ["d"], "RTT", ["Down", "Down", "d"]),
    View("hosts", ["Tab"], " hosts  sort", ["BTab"]),
    View("connections of a host", ["Tab", "Enter"], " hosts > ", ["Escape", "BTab"]),
    View("services", ["Tab"] * 2, " services  sort", ["BTab"] * 2),
    View("processes", ["Tab"] * 3, " processes  sort", ["BTab"] * 3),
    View("units", ["Tab"] * 4, " units  sort", ["BTab"] * 4),
    View("listeners", ["Tab"] * 5, " listeners  sort", ["BTab"] * 5),
    View("failed connects", ["Tab"] * 6, " failed connects  sort", ["Tab"]),
    View("past", ["h", "Left", "Left", "Left", "Right"], "PAST", ["h"]),
    View("moments", ["m"], "Moments", ["Down", "Escape"]),
    View("a moment", ["m", "Down", "Enter"], "PAST", ["h"]),
    View("in common", ["c"], "in common", ["Tab", "Tab", "Escape"]),
    View("own cost", ["i"], "WHAT THIS PROGRAM COSTS", ["Escape"]),
    View("help", ["?"], "close the help", ["PageDown", "Escape"]),
    View("commands", ["C-p", *"sort"], "sort", ["Escape"]),
    View("frozen", ["Space"], "FROZEN", ["Space"]),
    View("copied", ["y", "Y"], "PROCESS"),
    View("another theme", ["t"], "PROCESS"),
    View("without mouse", ["M"], "PROCESS", ["M"]),
)


class Dashboard:
    """The program in a terminal.

    :param directory: where it works, and leaves what it records
    :param before: a command that starts it
    """

    def __init__(self, terminal: Terminal, directory: Path, before: Sequence[str]) -> None:
        self._terminal = terminal
        self._directory = directory
        terminal.run(shlex.join([*before, "env", f"--chdir={directory}", PROGRAM]))
        terminal.wait_for("PROCESS", timeout_s=START_S)
        self.pid = terminal.child
        self.missed: Counter[str] = Counter()
        """How often a view did not show what it shows."""

    def visit(self, view: View) -> None:
        """Go there, look, and go back."""
        self._press(view.keys)
        until_s = time.monotonic() + 5 * _STAY_S
        while not (seen := view.shows in self._terminal.text) and time.monotonic() < until_s:
            time.sleep(0.2)
        if not seen:
            self.missed[view.name] += 1
            print(f"soak: {view.name} without {view.shows!r}:", *self._head, sep="\n", flush=True)
        time.sleep(_STAY_S)
        self._press(view.back)
        self._go_home()

    @property
    def _head(self) -> list[str]:
        """The lines above the table."""
        return self._terminal.text.splitlines()[:2]

    def _go_home(self) -> None:
        """To the table of connections as it is now, wherever it has ended up."""
        for key in ["Escape"] * 3 + ["Tab"] * 7:
            if self._is_home():
                return
            self._press([key])
            time.sleep(1)

    def _is_home(self) -> bool:
        first, second = (*self._head, "", "")[:2]
        elsewhere = any(f" {kind.name} {sign}" in second for kind in KINDS for sign in (" sort", "> "))
        return " sort " in second and not elsewhere and "PAST" not in first

    def _press(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._terminal.press(key)
            time.sleep(_PRESS_S)

    def begin_recording(self) -> None:
        self._terminal.press("R")
        self._terminal.expect(lambda: bool(self._recordings), "a recording")

    @property
    def _recordings(self) -> list[Path]:
        return list(self._directory.glob("*.jsonl.zst"))

    def end_recording(self) -> list[Snapshot]:
        """What it has recorded since."""
        self._terminal.press("R")
        time.sleep(_STAY_S)
        (path,) = self._recordings
        recorded = list(replayed(path).snapshots())
        path.unlink()
        return recorded

    def leave(self) -> None:
        self._terminal.press("q")
        self._terminal.wait_for("code=0")
