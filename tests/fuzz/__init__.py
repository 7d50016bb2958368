"""What reads data of others, fed with data that grow by what they reach.

Each module of TARGETS has ``seeds()``, inputs to begin with, and ``check(data)``, which raises where the data
bring out more than the errors that are documented. ``kept/NAME`` holds inputs that have failed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

TARGETS = ("answers", "filters", "labels", "netlink", "recording", "records", "settings", "stream")


class Target(Protocol):
    """One of them."""

    WORDS: Iterable[str]
    """Which inputs are made of, where it has some."""

    def seeds(self) -> Iterable[bytes]:
        """Inputs to begin with."""
        ...

    def check(self, data: bytes) -> None:
        """Raises where it finds something."""
        ...


def target(name: str) -> Target:
    """The target of that name."""
    return cast(Target, import_module(f"tests.fuzz.{name}"))


def mutator_of(it: Target) -> Callable[[bytes, int, int], bytes] | None:
    """How it changes an input, of so many bytes at most, by a number; None: as libFuzzer does."""
    return getattr(it, "mutate", None)


def kept(name: str) -> Path:
    """Where its inputs are that have failed once."""
    return Path(__file__).with_name("kept") / name


def inputs(name: str) -> list[bytes]:
    """All there are to begin with."""
    return [*target(name).seeds(), *(path.read_bytes() for path in sorted(kept(name).glob("*")))]
