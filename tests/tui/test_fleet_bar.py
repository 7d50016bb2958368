"""The lines above the table of a fleet."""

from __future__ import annotations

from dataclasses import replace

from textual.app import App, ComposeResult

from tcptop_rtt.model.fleet import nothing_yet
from tcptop_rtt.model.question import Question
from tcptop_rtt.view.glyphs import UNICODE
from tcptop_rtt.widgets.fleet_bar import OLD_S, FleetBar


class _Bar(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.bar = FleetBar(UNICODE)

    def compose(self) -> ComposeResult:
        yield self.bar


async def test_the_first_line_says_whose_answer_it_is_how_old_and_what_it_took() -> None:
    app = _Bar()
    async with app.run_test(size=(120, 10)):
        app.bar.tell(nothing_yet(Question()), 0)
        assert "asking the server" in app.bar.plain
        answer = replace(nothing_yet(Question()), time_ns=10**18, answered_ns=1, hosts=3, took_s=0.25)
        app.bar.tell(answer, OLD_S - 1)
        assert "250ms to answer" in app.bar.plain
        assert " old" not in app.bar.plain
        app.bar.tell(answer, OLD_S)
        assert f"{OLD_S}s old" in app.bar.plain
