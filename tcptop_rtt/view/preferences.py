"""What somebody has chosen of how things are shown, once for each start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcptop_rtt.view.table import Column


@dataclass(frozen=True, slots=True)
class Preferences:
    """None and empty: as it is without any choice."""

    theme: str | None = None
    """The name of a palette."""
    columns: tuple[Column, ...] | None = None
    """Those of connections, from left to right."""
    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """By the id of an action its key, as it is written."""


NO_PREFERENCES = Preferences()
