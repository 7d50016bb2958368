"""``python -m bench``: all benchmarks, or those named."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = ("kernel_cost", "startup")


def main() -> None:
    """Run them one after the other; each prints its ratios and their limits."""
    for name in sys.argv[1:] or BENCHMARKS:
        if name not in BENCHMARKS:
            sys.exit(f"bench: no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}")
        print(f"== {name}", flush=True)
        importlib.import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
