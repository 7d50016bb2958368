"""Landlock limits which files and TCP ports this thread, and what it starts, may reach.

The structures are those of include/uapi/linux/landlock.h. Each version of the interface (ABI) refuses more.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct

from tcptop_rtt.system_call import call

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH, _PORT = 1, 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_FILE, _MAKE_REG = 1, 2, 4, 8, 1 << 5, 1 << 8
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
"""The kinds of access that apply to a file; the others apply to directories only."""
_BITS = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many kinds of access to files each version knows; later versions know 16."""
_BIND, _CONNECT = 1, 2
_ABSTRACT_UNIX = 1

READ = _READ_FILE | _READ_DIR
LIST = _READ_DIR
"""List the names in a directory."""
USE = _READ_FILE | _WRITE_FILE
"""For terminals and similar devices."""
WRITE = READ | _WRITE_FILE | _REMOVE_FILE | _MAKE_REG | _TRUNCATE
"""Read, make, write and remove files."""


def version() -> int:
    """The version of the kernel's interface; 0 if it has none, or it is switched off."""
    try:
        return call(_CREATE_RULESET, None, 0, _ASK_VERSION)
    except OSError:
        return 0


class Rules:
    """What is allowed; everything else is refused.

    :raises OSError: the kernel has no Landlock
    """

    def __init__(self) -> None:
        abi = version()
        self._handled = (1 << _BITS.get(abi, 16)) - 1
        self._has_ports = abi >= 4
        ports, scopes = _BIND | _CONNECT if abi >= 4 else 0, _ABSTRACT_UNIX if abi >= 6 else 0
        attributes = struct.pack("=3Q", self._handled, ports, scopes)
        self._rules = call(_CREATE_RULESET, _buffer(attributes), len(attributes), 0)

    def allow(self, path: str, access: int) -> None:
        """Allow access to a file, or to everything in a directory. A missing path is skipped."""
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        try:
            if not stat.S_ISDIR(os.fstat(place).st_mode):
                access &= _FILES
            self._add(_PATH, struct.pack("=Qi", access & self._handled, place))
        finally:
            os.close(place)

    def allow_connecting(self, port: int) -> None:
        """Allow TCP connections to a port."""
        if self._has_ports:
            self._add(_PORT, struct.pack("=2Q", _CONNECT, port))

    def enforce(self) -> None:
        """Enforce the rules from now on, for good."""
        try:
            call(_RESTRICT_SELF, self._rules, 0)
        finally:
            os.close(self._rules)

    def _add(self, kind: int, attributes: bytes) -> None:
        call(_ADD_RULE, self._rules, kind, _buffer(attributes), 0)


def _buffer(data: bytes) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(data, len(data))
