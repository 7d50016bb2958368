"""Runs a command as root under a stock Debian kernel, in a virtual machine over this machine's own files.

    python -m tests.vm.lab [--kernel bookworm] -- COMMAND...

The guest sees this machine's / read-only, with a tmpfs over it: whatever is installed here, the checkout and
its .venv included, runs there, and nothing that it writes stays. A guest of another architecture has a Debian
of its own instead of this machine's, and a copy of the checkout. Each has its own kernel's modules, and no
network but its own. Needs qemu and busybox; KVM is used where it works.
"""

from __future__ import annotations

import argparse
import lzma
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.vm import foreign, machine, packages
from tests.vm.archive import LabError
from tests.vm.packages import NEWEST, Kernel

HERE = Path(__file__).parent
TIME_LIMIT_S = 600.0

_DRIVERS = ("virtio_pci", "9pnet_virtio", "9p", "overlay")  # what it takes to reach the files
_TIMED_OUT = 124  # of timeout(1)


def run(
    kernel: Kernel,
    command: Sequence[str],
    *,
    layers: Sequence[Path] = (),
    boot: str = "",
    counting: bool = False,
    time_limit_s: float = TIME_LIMIT_S,
    results: Path | None = None,
) -> int:
    """The exit code of a command in a new guest; its output is passed on.

    :param layers: trees of further files, laid over those that the guest has by itself
    :param boot: further parameters of the kernel
    :param counting: one CPU on which an instruction takes 1 ns, the same on every run
    :param results: gets what the command leaves in /run/lab/results
    :raises LabError: the guest did not come to the command's end; its console is printed
    """
    for program in (machine.MACHINES[kernel.architecture].qemu, "busybox"):
        if not shutil.which(program):
            raise LabError(f"{program} is missing: run ./setup test-vm, which installs it")
    with tempfile.TemporaryDirectory(prefix="tcptop-rtt-lab-") as work:
        exchange = Path(work, "exchange")
        (exchange / "results").mkdir(parents=True)
        shutil.copy(HERE / "main.sh", exchange)
        (exchange / "command").write_text(f"cd {shlex.quote(os.getcwd())}\nexec {shlex.join(command)}\n")
        native = kernel.architecture == machine.HOST
        files = [Path("/")] if native else foreign.layers(kernel.architecture, Path(work))
        shares = {f"layer{number}": tree for number, tree in enumerate([*layers, kernel.tree, *files])}
        qemu = machine.command(
            kernel.architecture,
            kernel=_uncompressed(kernel.image, Path(work)),
            initramfs=_initramfs(kernel, files[-1], list(shares), Path(work, "initramfs")),
            boot=boot,
            counting=counting,
            console=Path(work, "console"),
            shares=shares,
            exchange=exchange,
        )
        ended = _wait(qemu, time_limit_s)
        status = exchange / "status"
        if ended or not status.exists():
            print(Path(work, "console").read_text(errors="replace"), file=sys.stderr)
            raise LabError(
                f"the guest took more than {time_limit_s:.0f} s"
                if ended == _TIMED_OUT
                else f"the guest ended by itself (qemu's exit code {ended}); its console is above"
            )
        if results:
            shutil.copytree(exchange / "results", results, dirs_exist_ok=True)
        return int(status.read_text())


def _wait(qemu: Sequence[str], time_limit_s: float) -> int:
    # timeout(1) ends the guest even if nobody is left to wait for it.
    limited = ["timeout", "--kill-after=5", str(time_limit_s), *qemu]
    sys.stdout.flush()
    with subprocess.Popen(limited, stdin=subprocess.DEVNULL) as guest:
        try:
            return guest.wait()
        finally:
            guest.terminate()


def _uncompressed(image: Path, directory: Path) -> Path:
    """The kernel inside the image: a guest would take seconds to unpack it itself."""
    packed = image.read_bytes()
    start = packed.find(b"\xfd7zXZ\x00")
    try:
        kernel = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(packed[start:]) if start >= 0 else b""
    except lzma.LZMAError:
        kernel = b""
    if not kernel.startswith(b"\x7fELF"):
        return image
    place = directory / "kernel"
    place.write_bytes(kernel)
    return place


def _initramfs(kernel: Kernel, system: Path, layers: list[str], tree: Path) -> Path:
    """An archive of init.sh, busybox, and the drivers in the order in which to load them."""
    (tree / "bin").mkdir(parents=True)
    (tree / "modules").mkdir()
    shutil.copy(system / "usr/bin/busybox", tree / "bin")
    shutil.copy(HERE / "init.sh", tree / "init")
    (tree / "init").chmod(0o755)
    (tree / "layers.txt").write_text("\n".join(layers) + "\n")
    for number, module in enumerate(_in_order(kernel.modules)):
        content = module.read_bytes()
        if module.suffix == ".xz":
            content = lzma.decompress(content)
        (tree / f"modules/{number:02}-{module.name}").write_bytes(content)
    archive = tree.with_suffix(".cpio")
    with archive.open("wb") as output:
        names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
        pack = ["busybox", "cpio", "-o", "-H", "newc"]
        subprocess.run(
            pack, input=names.encode(), stdout=output, stderr=subprocess.DEVNULL, cwd=tree, check=True
        )
    return archive


def _in_order(modules: Path) -> list[Path]:
    """The files of the drivers that are not built in, each after those that it needs."""
    needs = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        module, _, needed = line.partition(":")
        needs[module] = needed.split()
    ordered: dict[str, None] = {}
    for driver in _DRIVERS:
        for module in needs:
            if Path(module).name.partition(".")[0] == driver:
                ordered.update(dict.fromkeys([*reversed(needs[module]), module]))
    return [modules / name for name in ordered]


def main() -> int:
    """The command line."""
    assert __doc__
    parser = argparse.ArgumentParser(prog="python -m tests.vm.lab", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--kernel", metavar="NAME", default="bookworm", help=f"a suite, a line such as 6.12, or {NEWEST}"
    )
    parser.add_argument(
        "--architecture", choices=machine.MACHINES, default=machine.HOST, help="of the processor"
    )
    parser.add_argument("--headers", action="store_true", help="with the kernel's headers")
    parser.add_argument("--counting", action="store_true", help="one CPU, 1 ns per instruction")
    parser.add_argument("--boot", default="", metavar="PARAMETERS", help="further ones for the kernel")
    parser.add_argument("--time-limit", type=float, default=TIME_LIMIT_S, metavar="SECONDS")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    try:
        kernel = packages.kernel(options.kernel, options.architecture)
        return run(
            kernel,
            options.command,
            layers=[packages.headers(kernel)] if options.headers else [],
            boot=options.boot,
            counting=options.counting,
            time_limit_s=options.time_limit,
        )
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 125


if __name__ == "__main__":
    sys.exit(main())
