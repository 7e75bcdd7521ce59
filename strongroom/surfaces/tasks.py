"""Tasks and model ids from JSON: held to the protocol's own bounds, with refusals that name the field."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, TypeVar

import msgspec

from strongroom.protocol.names import Identifier
from strongroom.protocol.payloads import ChatTask, CompleteTask, EmbedTask, InferTask
from strongroom.surfaces.refusals import Refused, invalid

MAX_MARKS: Final = 4 << 20
"""Of the characters that open or part values, in one request of JSON: what FP32 of a whole sealed request needs."""
_MARKS: Final = (b"[", b"{", b'"', b",")

T = TypeVar("T", ChatTask, CompleteTask, EmbedTask, InferTask)

_FIELD = re.compile(r"^\w+")
_UNKNOWN = re.compile(r"Object contains unknown field `([A-Za-z0-9_-]{1,64})`")


def json_object(body: bytes) -> dict[str, object]:
    """The JSON object that a body is. Raises Refused, before it decodes what would be out of all proportion."""
    # `[],` has three bytes, and a list a hundred. Marks in texts are counted with the others: a text has few of them.
    if (marks := sum(map(body.count, _MARKS))) > MAX_MARKS:
        message = (
            f"expected JSON of at most {MAX_MARKS} brackets, quotes and commas, got {marks}: send tensors as bytes"
        )
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", message)
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise invalid("expected a JSON object, got something else") from None


def checked(kind: type[T], tag: str, fields: Mapping[str, object], *, names: Mapping[str, str] | None = None) -> T:
    """The task of those fields. Raises Refused for a field that the protocol has no room for.

    `names` are the surface's for fields that the protocol calls otherwise.
    """
    try:
        return msgspec.convert({"task": tag, **fields}, kind, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at ")
        path = path.strip("`").removeprefix("$").removeprefix(".")
        raise _refused(reason, _FIELD.sub(lambda named: (names or {}).get(named[0], named[0]), path, 1)) from None


def model_id(model: object) -> str:
    """The id of a model. Raises Refused: what is no id is no model's."""
    try:
        return msgspec.convert(model, Identifier)
    except msgspec.ValidationError:
        raise unknown_model() from None


def unsupported(name: str) -> Refused:
    """A field that has no meaning here."""
    return invalid(f"{name}: not supported, and it would change the answer: leave it out", name)


def unknown_model() -> Refused:
    """The model is not there."""
    return Refused(HTTPStatus.NOT_FOUND, "unknown-model", "expected a listed model, got another", field="model")


def _refused(reason: str, path: str) -> Refused:
    if unknown := _UNKNOWN.match(reason):
        return unsupported(f"{path}.{unknown[1]}".removeprefix("."))
    # Other reasons quote what the caller passed.
    rule = reason if reason.startswith(("Expected", "Object missing")) else "Expected another value"
    return invalid(f"{path or 'request'}: {rule[0].lower()}{rule[1:]}", path or None)
