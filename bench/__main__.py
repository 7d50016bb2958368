"""``python -m bench``: all benchmarks, or those named. Each leaves a table and JSON in ``bench/results/``."""

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


def main() -> None:
    """Run them one after the other; each tells what it measured beside its limits."""
    for name in sys.argv[1:] or BENCHMARKS:
        if name not in BENCHMARKS:
            sys.exit(f"bench: no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}")
        module = importlib.import_module(f"bench.{name}")
        results: list[Result] = module.measure()
        print(write(name, module.__doc__ or "", results), flush=True)


if __name__ == "__main__":
    main()
