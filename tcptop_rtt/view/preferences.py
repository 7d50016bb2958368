"""The user's choices of how things are shown, made once per start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcptop_rtt.view.table import Column


@dataclass(frozen=True, slots=True)
class Preferences:
    """The user's choices. None and empty stand for the default."""

    theme: str | None = None
    """The name of a palette."""
    columns: tuple[Column, ...] | None = None
    """The columns of the table of connections, from left to right."""
    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The key of each action, as the user has written it, by the action's id."""
    path: str = ""
    """The file in which the choices are; empty if there is none."""


NO_PREFERENCES = Preferences()
