"""Says how to install bcc's Python module, which the distribution has, if it is missing or another one."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tcptop_rtt.model.errors import TcptopError

_BCC_PACKAGES = {
    "debian": "apt install python3-bpfcc",
    "ubuntu": "apt install python3-bpfcc",
    "fedora": "dnf install python3-bcc",
    "rhel": "dnf install python3-bcc",
    "arch": "pacman -S python-bcc",
    "suse": "zypper install python3-bcc",
    "alpine": "apk add py3-bcc",
}


@contextmanager
def bcc_required() -> Iterator[None]:
    """Wraps an import of code that needs bcc.

    :raises TcptopError: bcc cannot be imported; names the command that installs it
    """
    try:
        yield
    except ImportError as error:
        name = (error.name or "").partition(".")[0]
        if name == "bcc":
            raise TcptopError(_mend(error)) from error
        raise
    except OSError as error:  # of bcc's library, which ctypes loads
        raise TcptopError(f"bcc's library cannot be loaded ({error}): run sudo {_command()}") from error


def _mend(error: ImportError) -> str:
    module = sys.modules.get("bcc")
    place = getattr(module, "__file__", None) or error.path
    if place is None:
        return f"bcc's Python module is missing: run sudo {_command()}"
    return f"{place} is not the BPF Compiler Collection's: remove it, then run sudo {_command()}"


def _command() -> str:
    """How to install bcc on this distribution."""
    try:
        fields = platform.freedesktop_os_release()
    except OSError:
        fields = {}
    names = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".split()
    return next((_BCC_PACKAGES[name] for name in names if name in _BCC_PACKAGES), _BCC_PACKAGES["debian"])
