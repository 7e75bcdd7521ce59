"""From a file to the bytes that a receipt commits to: a task, or the events of an answer, as CBOR or as JSON."""

from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from strongroom.cli.failures import EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_bounded
from strongroom.cli.tasks import strict_json
from strongroom.protocol import canonical, contents
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.payloads import Event, Task

MAX_CONTENT_BYTES = 64 << 20

T = TypeVar("T")


def request_content(file: Path) -> bytes:
    """The canonical CBOR of the task in `file`, defaults filled in. Raises CommandFailed."""
    task: Task = _read(file, cast(Any, Task), "a task")
    return contents.request_content(task)


def response_content(file: Path) -> bytes:
    """The canonical CBOR of the events in `file`, their text in one, without a receipt. Raises CommandFailed."""
    return contents.response_content(_read(file, list[Event], "a list of events"))


def _read(file: Path, kind: type[T], what: str) -> T:
    data = read_bounded(file, MAX_CONTENT_BYTES)
    try:
        if data.lstrip()[:1] in (b"{", b"["):
            return strict_json(data, kind)
        return canonical.decode(data, kind, what)
    except (ProtocolError, msgspec.MsgspecError, ValueError, RecursionError):
        message = f"{file}: expected {what} of docs/protocol.md, as canonical CBOR or as JSON with bytes in base64"
        raise CommandFailed("content", message, EXIT_USAGE) from None
