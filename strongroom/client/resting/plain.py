"""What people get of an answer: the text of a chat as it is, vectors and tensors as JSON."""

from typing import Literal

import msgspec

from strongroom.client.answers import Answer, ChatAnswer, Tensors, Vectors


def plain(answer: Answer) -> tuple[str, Literal["txt", "json"]]:
    """The content, and the ending of its file; tensors are in base64."""
    if isinstance(answer, ChatAnswer):
        return answer.text, "txt"
    return msgspec.json.encode(tensor_fields(answer)).decode(), "json"


def tensor_fields(answer: Vectors | Tensors) -> dict[str, object]:
    """Vectors or tensors as members of a JSON object."""
    return {"vectors": list(answer)} if isinstance(answer, Vectors) else {"outputs": dict(answer)}
