"""Runs a command while the probe is attached, and reports on its connections."""

from __future__ import annotations

import os
import stat
import sys
import time
from argparse import Namespace
from typing import TYPE_CHECKING

from tcptop_rtt import environment
from tcptop_rtt.command.account import Account
from tcptop_rtt.command.process import Command, NotStartedError
from tcptop_rtt.command.report import Ended, write_json, write_tables
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.standard_streams import complain

if TYPE_CHECKING:
    from tcptop_rtt.feeds.base import Feed
    from tcptop_rtt.view.filter import Filter

LAST_REFRESH_S = 0.05
LINGER_S = 1.0
"""How long to wait, after the command's end, for connections that the kernel is still closing."""


def run_command(feed: Feed, options: Namespace, chosen: Filter) -> int:
    """Run the command, write the report, and return the command's exit status.

    :param feed: open, from a source that follows the descendants of this process
    :raises TcptopError: the report cannot be opened, or measuring has ended before the command
    """
    out = open_output(options.output, options.invoker.uid) if options.output else None
    stderr = sys.stderr.fileno() if sys.stderr is not None else None
    command = Command(
        options.command,
        options.environment,
        options.held_before,
        options.user,
        lambda: feed.set_refresh(LAST_REFRESH_S),
    )
    account = Account(chosen)
    started = ended = scanned = False
    end = float("inf")
    try:
        for snapshot in feed.snapshots():
            # The command starts after the first scan, which tells the kernel side whom to follow.
            if not started:
                command.start()
                started = True
                continue
            account.take(snapshot)
            if ended:
                end = min(end, time.monotonic() + LINGER_S)
                if scanned or not account.unfinished():
                    break
                if time.monotonic() >= end:
                    # What is still open sends no last record, and the latest scan may be before all it did.
                    feed.scan()
                    scanned = True
            ended = command.status is not None  # the next snapshot is then taken after the end
    except NotStartedError as error:
        if str(error):
            complain(error)
        return error.status
    if command.status is None:
        raise TcptopError("measuring has ended before the command")
    fd = out if out is not None else stderr
    if fd is not None:
        writer = Writer(fd, lambda: True, sys.stderr.encoding if out is None else "utf-8")
        ended_so = Ended(options.command, command.status, command.lasted_ns)
        if options.json:
            write_json(writer, account, ended_so)
        else:
            write_tables(
                writer, account, ended_so, os.get_terminal_size(fd).columns or None if os.isatty(fd) else None
            )
        if writer.failure:  # whoever runs the command needs its status all the same
            complain(f"cannot write the report: {writer.failure}")
    return command.status


def open_output(path: str, invoker: int) -> int:
    """Return a descriptor of a new or emptied regular file, which only its owner can read.

    :param invoker: the user who started the program and will own a new file. An existing file must belong
        to this user or to the effective user.
    :raises TcptopError: the file cannot be opened, or is not acceptable, such as a link
    """
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        try:
            fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
            if owner := environment.owner_of_files(invoker):
                os.fchown(fd, *owner)
        except FileExistsError:
            fd = os.open(path, flags)
        if wrong := _not_to_be_written(os.fstat(fd), invoker):
            os.close(fd)
            raise TcptopError(f"cannot write to {path}: {wrong}: choose another --output")
        os.fchmod(fd, 0o600)  # an existing file may be readable by all
        os.ftruncate(fd, 0)
    except OSError as error:
        raise TcptopError(f"cannot write to {path}: {error.strerror}: choose another --output") from error
    return fd


def _not_to_be_written(status: os.stat_result, invoker: int) -> str:
    """Return why a file must not be written to; empty if it may be."""
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:  # another link to it may be somebody else's
        return "it is not a regular file of one name"
    return "" if status.st_uid in (os.geteuid(), invoker) else "it is another user's file"
