"""Slow lookups, done in background threads; the answers are remembered for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key")

FOUND_S = 600.0
"""How long an answer is valid."""
NONE_S = 300.0
"""How long it is remembered that there is no answer."""
FAILED_S = 30.0
"""The pause after a lookup has failed, before it is tried again."""
MOST = 4096
"""The number of answers that are kept: the latest ones."""
SOUGHT = MOST // 2
"""The number of keys that one request may have, so that all their answers can be kept; more are ignored."""
QUEUE = 512
"""The largest number of keys that wait to be looked up."""


class _Answer(NamedTuple):
    text: str
    until_s: float
    """When to look it up again."""


class Lookups(Generic[Key]):
    """All methods may be called from any thread; none waits for an answer.

    :param look_up: returns the text for a key, empty if there is none; OSError if it fails. It may take long
    :param threads: the number of lookups at the same time
    :param pause_s: the pause between two lookups of a thread
    """

    def __init__(
        self,
        look_up: Callable[[Key], str],
        threads: int,
        pause_s: float,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_up = look_up
        self._threads = threads
        self._pause_s = pause_s
        self._clock_s = clock_s
        self._news = threading.Condition()
        self._answers: dict[Key, _Answer] = {}  # the oldest first
        self._next: list[Key] = []  # the next key to look up is the last item
        self._later: list[Key] = []
        self._source: Callable[[], Iterable[Key]] | None = None
        self._asking: set[Key] = set()
        self.version = 0
        """Grows with each answer that differs from the previous one."""

    def get(self, key: Key) -> str:
        """The latest answer; empty if there is none yet."""
        answer = self._answers.get(key)
        return answer.text if answer else ""

    def with_text(self, word: str) -> list[Key]:
        """The keys whose answers, in small letters, contain the word."""
        with self._news:
            return [key for key, answer in self._answers.items() if word in answer.text.lower()]

    def ask(self, keys: Iterable[Key]) -> None:
        """Look these keys up next. Keys of earlier calls that still wait are dropped."""
        with self._news:
            self._next = self._due(keys)
            if self._next:
                self._begin()

    def ask_later(self, source: Callable[[], Iterable[Key]]) -> None:
        """Look up more keys when there is nothing else to do.

        :param source: returns the keys; called in one of the threads
        """
        with self._news:
            self._source = source
            self._begin()

    def _begin(self) -> None:
        threads, self._threads = self._threads, 0
        for _ in range(threads):
            # Daemon threads: a pending lookup does not delay the end of the program.
            thread = threading.Thread(target=self._work, name="lookup", daemon=True)
            with suppress(RuntimeError):  # no more threads can be started: the others do the work
                thread.start()
        self._news.notify_all()

    def _due(self, keys: Iterable[Key]) -> list[Key]:
        """The keys that need a lookup, at most QUEUE, in reverse order."""
        due = (key for key in dict.fromkeys(islice(keys, SOUGHT)) if self._is_due(key))
        return list(islice(due, QUEUE))[::-1]

    def _is_due(self, key: Key) -> bool:
        answer = self._answers.get(key)
        return key not in self._asking and (answer is None or self._clock_s() >= answer.until_s)

    def _work(self) -> None:
        while True:
            key = self._take()
            try:
                text, kept_s = self._look_up(key), NONE_S
                if text:
                    kept_s = FOUND_S
            except OSError:
                text, kept_s = self.get(key), FAILED_S
            self._keep(key, _Answer(text, self._clock_s() + kept_s))
            time.sleep(self._pause_s)

    def _take(self) -> Key:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._next or self._later or self._source)
                queue = self._next or self._later
                if queue:
                    key = queue.pop()
                    if self._is_due(key):
                        self._asking.add(key)
                        return key
                    continue
                source, self._source = self._source, None
            if source is not None:
                keys = list(islice(source(), SOUGHT))
                with self._news:
                    self._later = self._due(keys)

    def _keep(self, key: Key, answer: _Answer) -> None:
        with self._news:
            self._asking.discard(key)
            before = self._answers.pop(key, None)
            self._answers[key] = answer
            while len(self._answers) > MOST:
                del self._answers[next(iter(self._answers))]
            if answer.text != (before.text if before else ""):
                self.version += 1
