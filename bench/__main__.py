"""``python -m bench``: all benchmarks but the longest, or those named.

Each leaves a table and JSON in ``bench/results/``.
"""

from __future__ import annotations

import importlib
import sys

from bench.results import Result, write

BENCHMARKS = (
    "kernel_cost",
    "startup",
    "words",
    "records",
    "scan",
    "sock_diag",
    "scale",
    "recordings",
    "churn",
    "exporter",
    "fleet",
    "tools",
    "budget",
)
LONG = ("soak", "day")
"""They take long: only those named run."""


def main() -> None:
    """Run them one after the other; each tells what it measured beside its limits."""
    for name in sys.argv[1:] or BENCHMARKS:
        if name not in (*BENCHMARKS, *LONG):
            sys.exit(f"bench: no benchmark {name!r}; there are: {', '.join((*BENCHMARKS, *LONG))}")
        module = importlib.import_module(f"bench.{name}")
        results: list[Result] = module.measure()
        print(write(name, module.__doc__ or "", results), flush=True)


if __name__ == "__main__":
    main()
