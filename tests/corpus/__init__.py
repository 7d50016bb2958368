"""Text that somebody has made to do harm, kept: what has failed once, and what is known to fail elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

HOSTILE: dict[str, str] = json.loads(Path(__file__).with_name("text.json").read_text())
"""By what is wrong with each."""
BYTES = {"no UTF-8": b"\xff\xfe\x80", "half a character": b"a\xe6\x97", "a surrogate": b"\xed\xa0\x80x"}
"""What no text can be."""


def raw() -> dict[str, bytes]:
    """All of it as bytes, as the kernel, files and servers have them."""
    return {name: text.encode("utf-8", "surrogatepass") for name, text in HOSTILE.items()} | BYTES
