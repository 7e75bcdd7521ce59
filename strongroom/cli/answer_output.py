"""Answers as JSON: one line, tensors in base64."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from strongroom.client.answers import Answer


def fields_of(answer: "Answer") -> dict[str, object]:
    """What `chat`, `embed` and `infer` print."""
    from strongroom.client.answers import ChatAnswer
    from strongroom.client.resting.plain import tensor_fields

    if isinstance(answer, ChatAnswer):
        return {
            "text": answer.text,
            "finish": answer.finish,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
        }
    return tensor_fields(answer)


def to_json(answer: "Answer") -> str:
    """One line."""
    return msgspec.json.encode(fields_of(answer)).decode()
