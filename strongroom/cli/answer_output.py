"""Answers as JSON: one line, bytes in base64."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from strongroom.client.answers import Answer, TextAnswer


def to_json(answer: "Answer") -> str:
    """One line: what the commands that ask a model print."""
    from strongroom.client.answers import TextAnswer
    from strongroom.client.resting.plain import fields_of

    fields = _text_fields(answer) if isinstance(answer, TextAnswer) else fields_of(answer)
    return msgspec.json.encode(fields).decode()


def _text_fields(answer: "TextAnswer") -> dict[str, object]:
    fields: dict[str, object] = {
        "text": answer.text,
        "finish": answer.finish,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
    }
    return fields | {"logprobs": answer.logprobs} if answer.logprobs else fields
