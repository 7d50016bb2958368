"""The table of a recording: the user can play it, and go to any time of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType

from tcptop_rtt.feeds.base import Player
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.past.moment_lines import moment_of
from tcptop_rtt.past.moments import Log, Moment
from tcptop_rtt.screens.main import MainScreen
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import times
from tcptop_rtt.widgets.key_line import KeyLine
from tcptop_rtt.widgets.time_line import TimeLine

if TYPE_CHECKING:
    from tcptop_rtt.screens.moments import MomentsScreen

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class ReplayScreen(MainScreen):
    """Shows the player's snapshots. The display itself is never frozen: the player stands still instead."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play", "Play", tooltip="In a recording: play, or stand still", id="play"),
        Binding(
            "left,comma",
            "step(-1)",
            "Earlier",
            tooltip="In a recording: stand still, one refresh earlier",
            id="play-earlier",
        ),
        Binding(
            "right,full_stop",
            "step(1)",
            "Later",
            tooltip="In a recording: stand still, one refresh later",
            id="play-later",
        ),
        Binding(
            "T",
            "go_to_time",
            "Go to",
            tooltip="In a recording: to a time, such as 14:03, 14:03:22, 5m (ago) or 50%",
            id="go-to-time",
        ),
        Binding(
            "plus,equals_sign",
            "change_speed(1)",
            "Faster",
            tooltip="In a recording: play faster",
            id="play-faster",
        ),
        Binding(
            "minus",
            "change_speed(-1)",
            "Slower",
            tooltip="In a recording: play more slowly",
            id="play-slower",
        ),
    ]

    IDLE: ClassVar[Mapping[str, str]] = {
        "past": "the whole recording is here: Left and Right step, T goes to a time",
        "record": "this is a recording already",
    }

    _wanted: Moment | None = None
    """The moment whose row is selected as soon as a snapshot of its time is shown."""

    def __init__(self, player: Player, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.player = player

    def on_mount(self) -> None:
        self._time_line = TimeLine(self._glyphs)
        self.mount(self._time_line, before=self.query_one(KeyLine))

    def show(self, snapshot: Snapshot) -> None:
        super().show(snapshot)
        playing = self.player.playing
        pace = f"x{playing.speed:g}" if playing.on else "END" if playing.at_end else "PAUSED"
        self.past = f"REPLAY {fmt.moment(snapshot.time_ns / 1e9)} {pace}"
        self.problem = playing.problem
        if self.is_mounted:
            self._time_line.show(playing)
        wanted = self._wanted
        if wanted is not None and snapshot.time_ns == wanted.time_ns:  # older answers may come first
            self._wanted = None
            self.show_row(wanted.table, wanted.id)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "travel":
            return False
        if action in ("step", "play", "go_to_time") and not self.typing:
            return True
        if action == "change_speed" and not self.typing:
            (step,) = parameters
            return bool(self._other_speeds(int(str(step))))
        return super().check_action(action, parameters)

    def action_play(self) -> None:
        self.player.play(not self.player.playing.on)

    def action_step(self, step: int) -> None:
        self.player.step(step)

    def action_change_speed(self, step: int) -> None:
        """Changes to the next higher or lower speed."""
        others = self._other_speeds(step)
        if others:
            self.player.set_speed(others[0])

    def _other_speeds(self, step: int) -> list[float]:
        """Returns the higher or lower speeds, the nearest first."""
        now = self.player.playing.speed
        if step > 0:
            return [speed for speed in SPEEDS if speed > now]
        return [speed for speed in reversed(SPEEDS) if speed < now]

    def action_go_to_time(self) -> None:
        """Asks for a time, and goes there."""
        from tcptop_rtt.screens.seek import SeekScreen

        def go(time_ns: int | None) -> None:
            if time_ns is not None:
                self.player.seek(time_ns)

        playing = self.player.playing
        self.app.push_screen(
            SeekScreen(lambda text: times.time_ns(text, playing.at_ns, playing.first_ns, playing.last_ns)), go
        )

    def on_time_line_wanted(self, message: TimeLine.Wanted) -> None:
        self.player.seek(message.time_ns)

    # Moments

    def action_moments(self) -> None:
        """Opens the log of moments of the whole recording."""
        from tcptop_rtt.screens.moments import MomentsScreen

        found = [moment_of(line) for line in self.player.playing.moments]
        moments = tuple(sorted(filter(None, found), key=lambda moment: moment.time_ns))
        # By the wall clock: CLOCK_MONOTONIC restarts at each boot, and a recording may go on after one.
        log = Log(moments, tuple(self._shown.time_ns - moment.time_ns for moment in moments))
        screen: MomentsScreen = MomentsScreen(log, self._glyphs)
        self.app.push_screen(screen, self._on_moment)

    def _on_moment(self, moment: Moment | None) -> None:
        if moment is not None:
            self._wanted = moment
            self.player.step(0)
            self.player.seek(moment.time_ns)
