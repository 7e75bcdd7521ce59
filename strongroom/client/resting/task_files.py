"""From a file to a task: JSON as docs/protocol.md has it, or plain text as the prompt of a chat."""

import json
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from strongroom.client.resting.errors import NotATask, NotText
from strongroom.client.resting.whole_files import read_bounded
from strongroom.client.tasks import GenerationOptions, chat_task
from strongroom.protocol.constants import MAX_SEALED_REQUEST_BYTES
from strongroom.protocol.errors import Malformed
from strongroom.protocol.payloads import InferTask, Task

_MAX_FILE_BYTES = 2 * MAX_SEALED_REQUEST_BYTES  # tensors are base64 in JSON

T = TypeVar("T")


def read_task(file: Path, options: GenerationOptions) -> Task:
    """The task in a .json file, which says everything itself; of any other, a chat with these options.

    Raises FileTooLarge, NotATask, NotText, InvalidArgument, OSError.
    """
    data = read_bounded(file, _MAX_FILE_BYTES)
    if file.suffix == ".json":
        return _from_json(data, file)
    try:
        return chat_task(data.decode("utf-8"), **options)
    except UnicodeDecodeError:
        raise NotText(file) from None


def strict_json(data: bytes, kind: type[T]) -> T:
    """JSON that says nothing twice, bytes in base64. Raises ValueError, RecursionError, msgspec.MsgspecError."""
    json.loads(data, object_pairs_hook=_once)
    return msgspec.json.decode(data, type=kind)


def _from_json(data: bytes, file: Path) -> Task:
    try:
        task = cast(Task, strict_json(data, cast(Any, Task)))  # a union is no type to mypy
        if isinstance(task, InferTask):
            for tensor in task.tensors.values():
                tensor.check()
    except (Malformed, msgspec.MsgspecError, ValueError, RecursionError):
        raise NotATask(file) from None
    return task


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("expected each name once")
    return dict(pairs)
