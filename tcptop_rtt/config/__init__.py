"""The file of settings: whose file is read, and what it may contain."""

from __future__ import annotations

from tcptop_rtt.config import file, settings
from tcptop_rtt.config.settings import Settings
from tcptop_rtt.environment import Invoker


def settings_of(invoker: Invoker) -> Settings:
    """The settings of the user who has started the program.

    :raises UsageError: the file cannot be trusted, or something in it is wrong
    """
    found = file.read(invoker)
    return Settings() if found is None else settings.parse(found[1], found[0])
