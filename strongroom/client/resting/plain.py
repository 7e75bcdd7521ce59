"""What people get of an answer: generated text as it is, everything else as JSON."""

from typing import Literal

import msgspec

from strongroom.client.answers import (
    Answer,
    LabelScores,
    ModelDescription,
    Tensors,
    TextAnswer,
    TextSpans,
    Vectors,
)


def plain(answer: Answer) -> tuple[str, Literal["txt", "json"]]:
    """The content, and the ending of its file; tensors are in base64."""
    if isinstance(answer, TextAnswer):
        return answer.text, "txt"
    return msgspec.json.encode(fields_of(answer)).decode(), "json"


def fields_of(answer: Vectors | LabelScores | TextSpans | Tensors | ModelDescription) -> dict[str, object]:
    """An answer that is no text, as members of a JSON object."""
    if isinstance(answer, Vectors):
        return {"vectors": list(answer), "prompt_tokens": answer.prompt_tokens}
    if isinstance(answer, LabelScores):
        return {"scores": list(answer)}
    if isinstance(answer, TextSpans):
        return {"spans": list(answer)}
    if isinstance(answer, ModelDescription):
        return {name: getattr(answer, name) for name in ("version", "task", "inputs", "outputs")}
    return {"outputs": dict(answer)}
