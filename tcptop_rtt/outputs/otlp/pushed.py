"""Pushes metrics to an OTLP receiver.

Counts are totals, so a push includes what an earlier one failed to deliver. Only the latest numbers are kept.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tcptop_rtt.model.errors import TcptopError, UsageError
from tcptop_rtt.outputs.otlp.headers import headers_of
from tcptop_rtt.standard_streams import complain
from tcptop_rtt.web.address import web_address
from tcptop_rtt.web.client import brief

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tcptop_rtt.outputs.metrics.aggregate import Aggregate

REQUIREMENT = "opentelemetry-proto>=1.30,<2"
"""The requirement of the extra ``otlp``; a test compares it with pyproject.toml."""
TIMEOUT_S = 10.0
"""The timeout of one request."""
LAST_S = 5.0
"""The timeout of the last push, when the program ends."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0


class Pushed:
    """A ``Taker`` that pushes the latest numbers, in a thread that waits for the receiver.

    :param options: ``otlp``: the receiver; ``otlp_headers``: a file or None; ``refreshes_per_update``: the
        number of refreshes per push
    :param say: called with one line about each problem
    :raises TcptopError: pushing is not possible; the message says why, and what to do
    """

    def __init__(self, options: argparse.Namespace, say: Callable[[str], None] | None = None) -> None:
        try:
            address = web_address(options.otlp)
        except ValueError:
            raise UsageError("--otlp takes an address such as http://127.0.0.1:4318") from None
        try:
            from tcptop_rtt.outputs.otlp.receiver import Receiver
        except ImportError as error:
            raise TcptopError(
                f"--otlp needs opentelemetry-proto ({error}): "
                f"run sudo {sys.executable} -m pip install '{REQUIREMENT}'"
            ) from None
        file = options.otlp_headers
        headers = headers_of(file, options.invoker.uid) if file is not None else {}
        self._receiver = Receiver(address, headers, TIMEOUT_S)
        self._say = say or complain
        self._refreshes_per_push: int = options.refreshes_per_update
        self._shown = 0
        self._latest: Aggregate | None = None
        self._is_due = self._is_ending = self._is_pushed = self._has_given_up = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="otlp", daemon=True)
        self._problem = ""
        self._failures = 0
        self.where = f"metrics go to {self._receiver.name}"

    def histograms(self) -> Mapping[str, NDArray[np.float64]]:
        """Return the bounds of the exponential histogram."""
        from tcptop_rtt.outputs.otlp import exponential

        return {exponential.COLUMN: exponential.BOUNDS_US}

    def show(self, aggregate: Aggregate) -> None:
        """Take the latest numbers; the thread pushes them if a push is due."""
        with self._changed:
            self._latest, self._is_pushed = aggregate, False
            self._is_due |= self._shown % self._refreshes_per_push == 0
            self._shown += 1
            self._changed.notify()
        if self._shown == 1:
            self._thread.start()

    def close(self) -> None:
        """Push the latest numbers if they are not pushed yet, and wait at most LAST_S for that."""
        self.deliver()

    def deliver(self) -> bool:
        """Push the latest numbers as the last ones; return whether the receiver has them."""
        if self._latest is None or self._has_given_up:
            return self._latest is None
        with self._changed:
            self._is_ending = True
            self._changed.notify()
        self._thread.join(LAST_S)
        if self._thread.is_alive():
            self._has_given_up = True
            self._receiver.cancel()
            self._say(f"the last metrics have not reached {self._receiver.name} within {LAST_S:g} s")
            return False
        return self._is_pushed

    def _run(self) -> None:
        wait_s: float | None = None
        while True:
            with self._changed:
                if wait_s is None:
                    self._changed.wait_for(lambda: self._is_due or self._is_ending)
                else:
                    self._changed.wait_for(lambda: self._is_ending, wait_s)
                if self._is_ending and self._is_pushed:
                    return
                is_last = self._is_ending
                self._is_due, self._is_pushed, aggregate = False, True, self._latest
            assert aggregate is not None  # noqa: S101 - the thread starts after the first aggregate
            wait_s = self._push(aggregate)
            if is_last or self._has_given_up:
                return

    def _push(self, aggregate: Aggregate) -> float | None:
        """Push the numbers. Return the seconds until the next try; None: wait until a push is due."""
        from tcptop_rtt.outputs.otlp.encoding import requests
        from tcptop_rtt.outputs.otlp.receiver import NotTakenError

        try:
            said = self._receiver.push(requests(aggregate))
        except NotTakenError as error:
            self._is_pushed = False
            self._tell(f"metrics do not reach {self._receiver.name}: {error}")
            if not error.is_transient:
                return None
            self._failures += 1
            return max(_backoff_s(self._failures), error.after_s or 0.0)  # "at once" would be asked for ever
        except Exception as error:  # a bug: it is reported, and the next push may succeed
            self._is_pushed = False
            fault = f"unexpected {type(error).__name__}: {brief(error)}"
            self._tell(f"metrics do not reach {self._receiver.name}: {fault}: please report this line")
            return None
        self._failures = 0
        self._tell(f"metrics reach {self._receiver.name}, but {said}" if said else "")
        return None

    def _tell(self, problem: str) -> None:
        """Report a problem, or that it is over, if that differs from the previous report."""
        if problem != self._problem and not self._has_given_up:
            self._say(problem or f"metrics reach {self._receiver.name} again")
        self._problem = problem


def _backoff_s(failures: int) -> float:
    """Return a wait that grows with each failure. It is random, so that hosts do not retry in step."""
    longest_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(failures - 1, 30))
    return random.uniform(longest_s / 2, longest_s)  # noqa: S311 - not for security
