"""For tests of functions and data."""

from __future__ import annotations

import pytest

from tests.unit.harness import Harness


@pytest.fixture
def harness() -> Harness:
    return Harness()
