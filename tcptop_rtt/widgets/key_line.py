"""The last line of a screen: which keys there are, and what they do.

Textual's own Footer keeps every key that it has ever shown (github.com/Textualize/textual/issues/6666), and
changes them all whenever the focus moves: a day of filters and drill-downs would fill the memory.
"""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.events import MouseDown
from textual.screen import Screen

from tcptop_rtt.widgets.styled import Part, StyledLines, component_classes


class KeyLine(StyledLines):
    """Keys that can be pressed now; a click on one presses it."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes("key-line", "key", "description")

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[tuple[int, str]] = []
        """Where each key's text ends, and the key."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._show)

    def on_resize(self) -> None:
        self._show(self.screen)

    def on_unmount(self) -> None:
        self.screen.bindings_updated_signal.unsubscribe(self)

    def _show(self, screen: Screen[object]) -> None:
        parts: list[Part] = []
        self._keys = []
        end = 1  # the indent
        actions: set[str] = set()
        for _, binding, enabled, _ in screen.active_bindings.values():
            if not (binding.show and enabled) or binding.action in actions:
                continue
            actions.add(binding.action)  # of several keys for it the first is enough
            key, description = self.app.get_key_display(binding), f" {binding.description} "
            end += cell_len(key) + cell_len(description)
            if end > self.size.width + 1:  # the last one needs no gap behind it
                break
            parts += [(key, "key"), (description, "description")]
            self._keys.append((end, binding.key))
        self.set_lines([parts])

    def on_mouse_down(self, event: MouseDown) -> None:
        for end, key in self._keys:
            if event.x < end:
                self.app.simulate_key(key)
                return
