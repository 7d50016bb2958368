"""The last line of a screen: which keys there are, and what they do.

Textual's own Footer keeps every key that it has ever shown (github.com/Textualize/textual/issues/6666), and
changes them all whenever the focus moves: a day of filtering and opening details would fill the memory.
"""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding
from textual.events import MouseDown
from textual.screen import Screen

from tcptop_rtt.widgets.keys import key_name
from tcptop_rtt.widgets.styled import Part, StyledLines, component_classes


class KeyLine(StyledLines):
    """Shows the keys that can be pressed now. A click on a key presses it.

    The keys of the whole program come last. A narrow terminal drops other keys, and keeps these.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes("key-line", "key", "description")

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[tuple[int, str]] = []
        """The cell in which each key's text ends, and the key."""

    @property
    def keys(self) -> list[str]:
        """The keys on the line, as Textual names them."""
        return [key for _, key in self._keys]

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._show)

    def on_resize(self) -> None:
        self._show(self.screen)

    def on_unmount(self) -> None:
        self.screen.bindings_updated_signal.unsubscribe(self)

    def _show(self, screen: Screen[object]) -> None:
        of_screen: dict[str, Binding] = {}
        of_app: dict[str, Binding] = {}
        for node, binding, enabled, _ in screen.active_bindings.values():
            if binding.show and enabled:
                # Only the first of several keys for one action is shown.
                (of_app if node is self.app else of_screen).setdefault(binding.action, binding)
        room = self.size.width - sum(map(_width, of_app.values()))
        shown = []
        for binding in of_screen.values():
            room -= _width(binding)
            if room < 0:
                break
            shown.append(binding)
        parts: list[Part] = []
        self._keys = []
        end = 1  # the indent
        for binding in (*shown, *of_app.values()):
            parts += [(key_name(binding.key), "key"), (f" {binding.description} ", "description")]
            end += _width(binding)
            self._keys.append((end, binding.key))
        self.set_lines([parts])

    def on_mouse_down(self, event: MouseDown) -> None:
        for end, key in self._keys:
            if event.x < end:
                self.app.simulate_key(key)
                return


def _width(binding: Binding) -> int:
    return cell_len(f"{key_name(binding.key)} {binding.description} ")
