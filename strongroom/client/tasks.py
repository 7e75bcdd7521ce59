"""Tasks from arguments: checked against the protocol's bounds here, so that nothing unusable is sealed and sent."""

from collections.abc import Mapping, Sequence
from typing import TypedDict, TypeVar, Unpack

import msgspec

from strongroom.client.errors import InvalidArgument
from strongroom.protocol.errors import Malformed
from strongroom.protocol.payloads import (
    ChatTask,
    ClassifyTask,
    CompleteTask,
    EmbedTask,
    InferTask,
    Message,
    TagTask,
    Task,
)
from strongroom.protocol.tensors import Tensor

Prompt = str | Sequence[Message | dict[str, str]]
"""One user message, or the turns of a conversation as `Message` or {"role": ..., "content": ...}."""

T = TypeVar("T", bound=Task)


class GenerationOptions(TypedDict, total=False):
    """How to generate; bounds and defaults are those of the protocol's `Generation`."""

    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    seed: int | None
    stop: Sequence[str]
    logprobs: int | None
    schema: str | None


def chat_task(prompt: Prompt, **options: Unpack[GenerationOptions]) -> ChatTask:
    """A chat. Raises InvalidArgument."""
    messages = [Message("user", prompt)] if isinstance(prompt, str) else prompt
    return _checked(ChatTask, "chat", {"messages": messages, **options})


def complete_task(prompt: str, **options: Unpack[GenerationOptions]) -> CompleteTask:
    """A text to be continued. Raises InvalidArgument."""
    return _checked(CompleteTask, "complete", {"prompt": prompt, **options})


def embed_task(texts: Sequence[str]) -> EmbedTask:
    """An embedding of each text; one string is not a list of texts. Raises InvalidArgument."""
    return _checked(EmbedTask, "embed", {"texts": texts})


def classify_task(texts: Sequence[str]) -> ClassifyTask:
    """A score of each label for each text. Raises InvalidArgument."""
    return _checked(ClassifyTask, "classify", {"texts": texts})


def tag_task(texts: Sequence[str]) -> TagTask:
    """The labelled spans of each text. Raises InvalidArgument."""
    return _checked(TagTask, "tag", {"texts": texts})


def infer_task(tensors: Mapping[str, Tensor]) -> InferTask:
    """Inputs of a tensor model. Raises InvalidArgument."""
    task = _checked(InferTask, "infer", {"tensors": tensors})
    try:
        for tensor in task.tensors.values():
            tensor.check()
    except Malformed as error:
        raise InvalidArgument(str(error)) from None
    return task


def _checked(kind: type[T], task: str, arguments: Mapping[str, object]) -> T:
    """Constructors do not check bounds; decoding does."""
    try:
        plain = msgspec.to_builtins({"task": task, **arguments}, builtin_types=(bytes,))
        return msgspec.convert(plain, kind, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at ")
        # Other reasons quote what the caller passed, which may be a prompt in the wrong place.
        rule = reason if reason.startswith("Expected") else "expected another value or field"
        raise InvalidArgument(f"{task} {path.strip('`') or '$'}: {rule}") from None
    except (TypeError, ValueError, OverflowError):
        raise InvalidArgument(f"{task}: expected text, numbers and tensors only, got another type") from None
