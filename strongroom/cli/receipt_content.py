"""From a file to what a receipt commits to: a task, or the events of an answer, as CBOR or JSON, or a chat's text."""

from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from strongroom.cli.failures import EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_bounded
from strongroom.client.resting.task_files import strict_json
from strongroom.protocol import canonical
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.events import MAX_ITEMS
from strongroom.protocol.payloads import Event, Task

MAX_CONTENT_BYTES = 64 << 20
TASK, EVENTS = "a task", "a list of events"

T = TypeVar("T")


def read_request(file: Path) -> Task | str:
    """The task in `file`, defaults filled in; of any other but .json, the text. Raises CommandFailed, OSError."""
    content: Task | str = _read(file, cast(Any, Task), TASK)
    return content


def read_response(file: Path) -> list[Event] | str:
    """The events in `file`; of any other but .json, the text. Raises CommandFailed, OSError."""
    return _read(file, list[Event], EVENTS)


def unreadable(file: Path, what: str) -> CommandFailed:
    """The error for a file that is neither: what it may be."""
    forms = "as canonical CBOR or as JSON with bytes in base64, or a chat's text beside a proof bundle"
    return CommandFailed("content", f"{file}: expected {what} of docs/protocol.md, {forms}", EXIT_USAGE)


def _read(file: Path, kind: type[T], what: str) -> T | str:
    data = read_bounded(file, MAX_CONTENT_BYTES)
    try:
        if data.lstrip()[:1] in (b"{", b"["):
            return strict_json(data, kind)
        return canonical.decode(data, kind, what, max_items=MAX_ITEMS)
    except (ProtocolError, msgspec.MsgspecError, ValueError, RecursionError):
        return _text(data, file, what)


def _text(data: bytes, file: Path, what: str) -> str:
    try:
        if file.suffix != ".json":
            return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise unreadable(file, what)
