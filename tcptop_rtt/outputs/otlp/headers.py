"""The file of headers that go with each push, such as credentials."""

from __future__ import annotations

import os
import re
import stat

from tcptop_rtt.model.errors import UsageError

_MOST_BYTES = 64 * 1024
_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]+([!-~](?:[ -~]*[!-~])?)[ \t]*")
_OURS = {"content-type", "content-encoding", "content-length", "host", "connection", "transfer-encoding"}


def headers_of(path: str, invoker: int) -> dict[str, str]:
    """What the file says: a header on each line, ``NAME: VALUE``; lines that begin with # are left out.

    Complaints show nothing of it: it may be secret, or another file than was meant.

    :param invoker: the user who has started us, whose it is, or ours, or root's
    :raises UsageError: it cannot be read, is another one's, can be read by others, or says something else
    """
    try:
        # Nothing that would hold up whoever opens it.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "there is no such file"
        raise UsageError(f"--otlp-headers {path}: {why}") from None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"--otlp-headers {path}: it is no regular file")
        if found.st_uid not in (0, os.geteuid(), invoker):
            whose = f"it belongs to UID {found.st_uid}: run chown {invoker} {path}"
            raise UsageError(f"--otlp-headers {path}: {whose}")
        if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(f"--otlp-headers {path}: it is for others, too: run chmod go= {path}")
        raw = os.read(fd, _MOST_BYTES + 1)
    finally:
        os.close(fd)
    if len(raw) > _MOST_BYTES:
        raise UsageError(f"--otlp-headers {path}: it is larger than {_MOST_BYTES // 1024} KiB")
    headers = {}
    for number, line in enumerate(raw.decode("ascii", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise UsageError(f"--otlp-headers {path}: line {number} is not NAME: VALUE")
        if match[1].lower() in _OURS:
            raise UsageError(f"--otlp-headers {path}: line {number} names a header that is not to be chosen")
        headers[match[1].title()] = match[2]  # names have no case: each is sent once
    return headers
