"""For tests of functions and data."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.unit.harness import Harness

# The same examples each time, however long one takes, and nothing of what is computed left in the checkout.
os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = os.devnull
settings.register_profile("suite", derandomize=True, deadline=None, database=None)
settings.load_profile("suite")


@pytest.fixture
def harness() -> Harness:
    return Harness()
