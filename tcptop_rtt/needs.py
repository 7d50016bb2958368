"""The abilities that the program keeps when it gives up its rights, by its options."""

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
    """Return what the options and the keys of the dashboard need.

    :param screen: whether there is a dashboard
    """
    ports = {_DNS} if screen or options.otlp is not None else set()
    if options.otlp is not None:
        from tcptop_rtt.web.address import web_address  # it imports numpy, which would delay the start

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
    """Return what a replay or a comparison needs: nothing, as its files are open already."""
    return Needs(environment.owner_of_files(options.invoker.uid))


def needs_of_fleet(options: argparse.Namespace) -> Needs:
    """Return what queries to a Prometheus server need."""
    from tcptop_rtt.web.address import web_address

    with suppress(ValueError):  # the feed reports a wrong address
        ports = frozenset({_DNS, web_address(options.fleet).port})
        return Needs(environment.owner_of_files(options.invoker.uid), ports=ports)
    return needs_of_replay(options)


def _written(options: argparse.Namespace, screen: bool) -> Iterator[str]:
    """Yield the directories in which the program makes files."""
    if options.record is not None:
        yield str(Path(options.record).parent)
    if options.keep is not None:
        directory = environment.state_directory()
        with suppress(OSError):  # the recorder reports the error
            os.makedirs(directory, mode=0o700, exist_ok=True)
        yield directory
    if screen:
        uid = options.invoker.uid
        owner = environment.owner_of_files(uid)
        with suppress(OSError):
            yield directory_of(Owner(*owner) if owner else None, environment.home_of(uid))
