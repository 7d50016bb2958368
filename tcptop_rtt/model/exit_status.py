"""Exit statuses as shells have them."""

from __future__ import annotations

NOT_EXECUTABLE, NOT_FOUND = 126, 127
BY_SIGNAL = 128
"""Plus the number of the signal."""
