"""The file of headers that are sent with each push, such as credentials."""

from __future__ import annotations

import os
import re
import stat

from tcptop_rtt.model.errors import UsageError

_MOST_BYTES = 64 * 1024
_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]+([!-~](?:[ -~]*[!-~])?)[ \t]*")
_OURS = {"content-type", "content-encoding", "content-length", "host", "connection", "transfer-encoding"}


def headers_of(path: str, invoker: int) -> dict[str, str]:
    """Return the headers in the file, one ``NAME: VALUE`` per line; lines that begin with # are skipped.

    Error messages show none of the content, which may be secret, or be that of a wrong file.

    :param invoker: the user who started the program. The file must belong to this user, the effective user
        or root.
    :raises UsageError: the file cannot be read, has another owner, is open to others, or has a malformed line
    """
    try:
        # O_NONBLOCK: opening a FIFO must not wait for its writer.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "there is no such file"
        raise UsageError(f"--otlp-headers {path}: {why}") from None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"--otlp-headers {path}: it is not a regular file")
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
        headers[match[1].title()] = match[2]  # names are case-insensitive: each is sent once
    return headers
