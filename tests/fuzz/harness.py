"""One target under libFuzzer, in a process of its own: ``python -m tests.fuzz.harness NAME SECONDS DIR``."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tcptop_rtt"]):
    from tests.fuzz import inputs, mutator_of, target

MOST_BYTES = 1 << 15
"""Of an input."""
INPUT_S = 20
"""For one input: a loop has no end, and a busy machine is slow."""
MOST_AT_ONCE_MIB, MOST_MIB = 1024, 4096
"""In one piece, and in all: the fuzzer itself takes a quarter of a MiB more with each input."""


def fuzz(name: str, seconds: int, directory: Path) -> None:
    """Run it for so long; libFuzzer ends the process, with an exit code if it has found something.

    :param directory: an empty one for what is found, and what is needed meanwhile
    """
    with atheris.instrument_imports(include=["tcptop_rtt"]):
        it = target(name)
    corpus, words = directory / "corpus", directory / "words"
    corpus.mkdir()
    for number, data in enumerate(inputs(name)):
        (corpus / str(number)).write_bytes(data)
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in it.WORDS or " "))  # it takes no empty one
    options = {
        "max_total_time": seconds,
        "max_len": MOST_BYTES,
        "timeout": INPUT_S,
        "malloc_limit_mb": MOST_AT_ONCE_MIB,
        "rss_limit_mb": MOST_MIB,
        "dict": words,
        "artifact_prefix": f"{directory}/found-",
        "print_final_stats": 1,
    }
    arguments = [name, *(f"-{key}={value}" for key, value in options.items()), str(corpus)]
    own = {"custom_mutator": mutator} if (mutator := mutator_of(it)) else {}
    atheris.Setup(arguments, it.check, **own)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    fuzz(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
