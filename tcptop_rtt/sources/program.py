"""The running BPF program: the descriptors that the loader has handed over, and what is read through them.

This process loads and attaches nothing, and has no compiler.
"""

from __future__ import annotations

import os
import struct

import numpy as np

from tcptop_rtt.model.records import CONNECTION
from tcptop_rtt.sources import bpf_call
from tcptop_rtt.sources.loader.handover import Handover
from tcptop_rtt.sources.loader.places import FILES, HOOKS, SOCKETS
from tcptop_rtt.sources.loader.process import Loading
from tcptop_rtt.sources.loader.request import Request


class Program:
    """The BPF program, which runs in the kernel until this object is closed.

    :param made: what the loader has handed over
    """

    def __init__(self, made: Handover) -> None:
        self.hook = made.hook
        self.hook_note = made.hook_note
        """Why the first choice of hook was refused; empty if it was not."""
        self.lacking = made.lacking
        """The fields of a row that this kernel does not have."""
        self.ring_fd = made.maps["records"]
        self.last_fd = made.maps.get("last_entries")
        self.control_fd = made.maps["controls"]
        self._connections_fd = made.maps["connections"]
        self._connection_bytes = bpf_call.map_info(self._connections_fd).value_bytes
        self._maps = made.maps
        self.links = made.links
        """Descriptors of links, by the names of the programs that they attach."""
        self.programs = made.programs
        """Descriptors of programs, by name."""

    @classmethod
    def loaded(cls, request: Request | None = None) -> Program:
        """Load the program, and wait until it runs.

        :raises TcptopError: it cannot run here, and why
        """
        return cls(Loading(request or Request()).wait())

    def connection_at(self, sock: int) -> int | None:
        """The id of the live connection that the kernel side has for a socket."""
        value = bpf_call.look_up(self._connections_fd, struct.pack("=Q", sock), self._connection_bytes)
        if value is None:
            return None
        connection = np.frombuffer(value, CONNECTION, 1)[0]
        return None if connection["closed"] else int(connection["id"])

    def open_files(self) -> int:
        """A file descriptor from which one ``ENTRY`` per descriptor of a TCP or MPTCP socket can be read."""
        return bpf_call.create_iterator(self.links[FILES.program])

    @property
    def sockets_link(self) -> int | None:
        """The link of the iterator over sockets; None before Linux 5.9. It writes an ``ENTRY`` per listener
        of the network namespace in which it is created, and per connection there that the latest scan of
        descriptors has not met.
        """
        return self.links.get(SOCKETS.program)

    def detach_hook(self) -> int:
        """Detach the hook, and return the descriptor of its program, which this object keeps open."""
        name = HOOKS[self.hook].program
        os.close(self.links.pop(name))
        return self.programs[name]

    def close(self) -> None:
        """Detach everything; the kernel keeps nothing of ours."""
        for fd in (*self.links.values(), *self.programs.values(), *self._maps.values()):
            os.close(fd)
