"""The live tests' recordings, for tests that need a kernel of their own."""

from __future__ import annotations

from tests.live.conftest import record, watch

__all__ = ["record", "watch"]
