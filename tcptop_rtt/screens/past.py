"""A live screen that can also show the past: second by second, and from moment to moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.reactive import var

from tcptop_rtt.model.names import Names
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.past.frames import Past, Visit
from tcptop_rtt.past.moments import Moment
from tcptop_rtt.screens.named import NamedScreen
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.ends import joined
from tcptop_rtt.view.glyphs import Glyphs

if TYPE_CHECKING:
    from tcptop_rtt.screens.moments import MomentsScreen


TIME_KEYS = (
    Binding(
        "h",
        "travel",
        "Past",
        tooltip="The whole table as it was, up to ten minutes ago; again: back to now",
        id="past",
    ),
    Binding(
        "left,comma",
        "step(-1)",
        "Earlier",
        tooltip="In the past: a second earlier",
        id="earlier",
    ),
    Binding(
        "right,full_stop",
        "step(1)",
        "Later",
        tooltip="In the past: a second later",
        id="later",
    ),
    Binding(
        "m",
        "moments",
        "Moments",
        tooltip="When something began: stalls, spikes, losses; Enter goes to that time",
        id="moments",
    ),
)
"""The keys of this screen; a subclass decides where they stand among its own."""


class PastScreen(NamedScreen):
    """While the user is in the past, one old snapshot is shown; the newest one is kept for the return."""

    travelling: var[bool] = var(False, init=False, bindings=True)
    """Whether the past is shown."""
    past: var[str] = var("", init=False)
    """The time that is shown, as text; empty: now."""

    def __init__(self, first: Snapshot, glyphs: Glyphs, resolver: Names | None, named: bool) -> None:
        super().__init__(first, resolver, named)
        self._glyphs = glyphs
        self._past = Past()
        self._visit: Visit | None = None
        self._shown = first
        """The snapshot on the screen: the newest, an old one, or that of when the screen was frozen."""
        self._moments: MomentsScreen | None = None

    def show_row(self, table: str, row: int) -> None:
        """Shows the table of this name, and selects the row with this id."""
        raise NotImplementedError

    def take_past(self, past: Past) -> None:
        """Takes the kept frames and moments."""
        self._past = past
        if self._moments is not None:
            self._moments.show(past.log)

    def show(self, snapshot: Snapshot) -> None:
        if self.travelling:
            self._latest = snapshot
            self._name_time()
            return
        super().show(snapshot)
        if not self.frozen:
            self._shown = snapshot

    async def action_toggle(self, attribute_name: str) -> None:
        """Toggles an attribute; freezing while the past is shown returns to now."""
        if attribute_name == "frozen" and self.travelling:
            self.return_to_now()
        else:
            await super().action_toggle(attribute_name)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offers steps in the past only."""
        return action != "step" or self.travelling

    # Going to the past

    def action_travel(self) -> None:
        """Goes to the frame before the snapshot that is shown, or back to now."""
        if self.travelling:
            self.return_to_now()
        elif not self._visit_frame(self._past.before(self._shown.clock_ns)):
            self.tell("nothing earlier is kept yet")

    def action_step(self, step: int) -> None:
        """Goes to the previous or next kept frame; after the last one comes now."""
        at_ns = self._shown.clock_ns
        if step > 0:
            if not self._visit_frame(self._past.after(at_ns)):
                self.return_to_now()
        elif not self._visit_frame(self._past.before(at_ns)):
            self.tell("nothing earlier is kept")

    def _visit_frame(self, number: int | None) -> bool:
        """Shows a frame, if there is one, and returns whether there is."""
        if number is None:
            return False
        self._visit = self._past.visit(number, self._visit)
        self._shown = joined(self._visit.snapshot)
        self.travelling = True
        self.frozen = False  # the past is shown instead
        self.paint(self._shown)
        self.show(self._latest)
        return True

    def return_to_now(self) -> None:
        """Show the newest snapshot again."""
        self._visit, self.travelling, self.past = None, False, ""
        self.show(self._latest)

    def _name_time(self) -> None:
        ago = fmt.since(self._latest.clock_ns - self._shown.clock_ns)
        self.past = f"PAST {fmt.clock(self._shown.time_ns / 1e9)}, {ago} ago"

    # Moments

    def action_moments(self) -> None:
        """Opens the log of moments."""
        from tcptop_rtt.screens.moments import MomentsScreen

        self._moments = MomentsScreen(self._past.log, self._glyphs)
        self.app.push_screen(self._moments, self._on_moment)

    def _on_moment(self, moment: Moment | None) -> None:
        self._moments = None
        if moment is None:
            return
        frames = self._past.frames
        if moment.clock_ns < frames[0].clock_ns:
            self.tell(f"that is no longer kept; the oldest is of {fmt.clock(frames[0].rest.time_ns / 1e9)}")
        elif self._visit_frame(self._past.after(moment.clock_ns - 1)):
            self.show_row(moment.table, moment.id)
