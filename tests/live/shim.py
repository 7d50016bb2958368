"""The wall clock of one process, set back and forth: the machine's is that of others, too."""

from __future__ import annotations

import subprocess
from pathlib import Path

_CLOCKS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>

/* CLOCK_REALTIME is off by as many seconds as the file says at this moment. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	static int (*real)(clockid_t, struct timespec *);
	FILE *file;
	long step = 0;
	int failed;

	if (!real)
		real = dlsym(RTLD_NEXT, "clock_gettime");
	failed = real(clock, now);
	if (!failed && clock == CLOCK_REALTIME) {
		file = fopen(STEP_FILE, "re");
		if (file) {
			if (fscanf(file, "%ld", &step) == 1)
				now->tv_sec += step;
			fclose(file);
		}
	}
	return failed;
}
"""


class WallClock:
    """CLOCK_REALTIME as a process sees it that loads the library before all others."""

    def __init__(self, directory: Path) -> None:
        source = directory / "clocks.c"
        self._step, self._library = directory / "step", directory / "clocks.so"
        source.write_text(_CLOCKS)
        path = f'-DSTEP_FILE="{self._step}"'
        subprocess.run(["gcc", "-shared", "-fPIC", path, "-o", self._library, source], check=True)

    @property
    def environment(self) -> dict[str, str]:
        """Loads it."""
        return {"LD_PRELOAD": str(self._library)}

    def step(self, seconds: int) -> None:
        """Set it to so much later than it is for others."""
        new = self._step.with_suffix(".new")
        new.write_text(f"{seconds}\n")
        new.rename(self._step)
