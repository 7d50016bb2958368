"""What the program has to be able to do still once it has given up its rights, by what it is asked for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tcptop_rtt import environment
from tcptop_rtt.privileges.capabilities import BPF
from tcptop_rtt.privileges.main_process import Needs
from tcptop_rtt.recording.place import Owner, directory_of
from tcptop_rtt.sources import bpf_call

_DNS = 53


def needs_of(options: argparse.Namespace, screen: bool) -> Needs:
    """What the options, and the keys of the dashboard, may ask for.

    :param screen: there is a dashboard
    """
    ports = {_DNS} if screen or options.otlp is not None else set()
    if options.otlp is not None:
        from tcptop_rtt.web.address import web_address  # with numpy, which has time

        ports.add(web_address(options.otlp).port)
    return Needs(
        environment.owner_of_files(options.invoker.uid),
        options.keep is not None,
        tuple(_written(options, screen)),
        frozenset(ports) if ports else None,
        bpf_call.WITHOUT_RIGHTS,
        {BPF: bpf_call.is_allowed},
    )


def needs_of_replay(options: argparse.Namespace) -> Needs:
    """What is replayed or compared, which is open already, may ask for: nothing."""
    return Needs(environment.owner_of_files(options.invoker.uid))


def needs_of_fleet(options: argparse.Namespace) -> Needs:
    """What asking a server for a fleet takes."""
    from tcptop_rtt.web.address import web_address

    with suppress(ValueError):  # who asks says what is wrong
        ports = frozenset({_DNS, web_address(options.fleet).port})
        return Needs(environment.owner_of_files(options.invoker.uid), ports=ports)
    return needs_of_replay(options)


def _written(options: argparse.Namespace, screen: bool) -> Iterator[str]:
    """Directories in which files are made."""
    if options.record is not None:
        yield str(Path(options.record).parent)
    if options.keep is not None:
        directory = environment.state_directory()
        with suppress(OSError):  # who keeps there says what is wrong
            os.makedirs(directory, mode=0o700, exist_ok=True)
        yield directory
    if screen:
        uid = options.invoker.uid
        owner = environment.owner_of_files(uid)
        with suppress(OSError):
            yield directory_of(Owner(*owner) if owner else None, environment.home_of(uid))
