"""The wall clock of one process, set back and forth: the machine's is that of others, too."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_CLOCKS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int step_file;

/* Open it as long as every file may be opened. */
__attribute__((constructor)) static void begin(void)
{
	step_file = open(STEP_FILE, O_RDONLY | O_CLOEXEC);
}

/* CLOCK_REALTIME is off by as many seconds as the file says at this moment. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	static int (*real)(clockid_t, struct timespec *);
	char step[32] = "";
	int failed;

	if (!real)
		real = dlsym(RTLD_NEXT, "clock_gettime");
	failed = real(clock, now);
	if (!failed && clock == CLOCK_REALTIME && pread(step_file, step, sizeof(step) - 1, 0) > 0)
		now->tv_sec += atol(step);
	return failed;
}
"""


class WallClock:
    """CLOCK_REALTIME as a process sees it that loads the library before all others."""

    def __init__(self, directory: Path) -> None:
        source = directory / "clocks.c"
        self._step, self._library = directory / "step", directory / "clocks.so"
        source.write_text(_CLOCKS)
        self.step(0)
        path = f'-DSTEP_FILE="{self._step}"'
        subprocess.run(["gcc", "-shared", "-fPIC", path, "-o", self._library, source], check=True)

    @property
    def environment(self) -> dict[str, str]:
        """Loads it."""
        return {"LD_PRELOAD": str(self._library)}

    def step(self, seconds: int) -> None:
        """Set it to so much later than it is for others."""
        fd = os.open(self._step, os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(fd, b"%20d" % seconds, 0)  # each time all of it: a reader sees either number
        os.close(fd)
