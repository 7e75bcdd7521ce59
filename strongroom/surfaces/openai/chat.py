"""/v1/chat/completions."""

import msgspec

from strongroom.protocol.payloads import ChatTask
from strongroom.surfaces.calls import Call, Stamp, StreamedCall, WholeCall
from strongroom.surfaces.http import HTTPRequest
from strongroom.surfaces.openai.fields import flag, present, read_fields
from strongroom.surfaces.openai.generations import Finish, Logprobs, PieceWriter, WholeWriter
from strongroom.surfaces.openai.logprobs import chat_logprobs
from strongroom.surfaces.openai.options import shared_options, streaming
from strongroom.surfaces.refusals import invalid
from strongroom.surfaces.tasks import checked, model_id


def translate(request: HTTPRequest, stamp: Stamp) -> Call:
    """The chat that a request asks for. Raises Refused."""
    fields = read_fields(request.body)
    names = _names(fields)
    model, messages = model_id(fields.pop("model", None)), fields.pop("messages", None)
    stream, tells_usage = streaming(fields)
    told = {"logprobs": _alternatives(fields), "schema": _schema(fields), **_max_tokens(fields)}
    content = {"messages": _messages(messages), **told, **shared_options(fields)}
    task = checked(ChatTask, "chat", content, names=names)
    stamp = Stamp(f"chatcmpl-{stamp.id}", stamp.created_s)
    if stream:
        return StreamedCall(stamp.id, model, task, PieceWriter(ChatForm(), stamp, model, tells_usage=tells_usage))
    return WholeCall(stamp.id, model, task, WholeWriter(ChatForm(), stamp, model))


class ChatForm:
    """A choice is a message, or a delta to it."""

    whole_object = "chat.completion"
    piece_object = "chat.completion.chunk"

    def __init__(self) -> None:
        self.opening: dict[str, object] | None = self._choice(
            {"delta": {"role": "assistant", "content": ""}}, None, None
        )

    def whole(self, text: str, logprobs: Logprobs, finish: Finish) -> dict[str, object]:
        """The whole message."""
        return self._choice({"message": {"role": "assistant", "content": text, "refusal": None}}, logprobs, finish)

    def piece(self, text: str | None, logprobs: Logprobs, finish: Finish) -> dict[str, object]:
        """More text, or none at the end."""
        return self._choice({"delta": {} if text is None else {"content": text}}, logprobs, finish)

    def _choice(self, content: dict[str, object], logprobs: Logprobs, finish: Finish) -> dict[str, object]:
        told = None if logprobs is None else chat_logprobs(logprobs)
        return {"index": 0, **content, "logprobs": told, "finish_reason": finish}


def _names(fields: dict[str, object]) -> dict[str, str]:
    """What the caller calls those fields of the task that have another name here."""
    limit = "max_completion_tokens" if "max_completion_tokens" in fields else "max_tokens"
    return {"schema": "response_format", "logprobs": "top_logprobs", "max_tokens": limit}


def _max_tokens(fields: dict[str, object]) -> dict[str, object]:
    """The limit under its new name or its old one; without one, the protocol's default counts."""
    given = [fields.pop(name) for name in ("max_completion_tokens", "max_tokens") if name in fields]
    if len(given) == 2 and given[0] != given[1]:
        raise invalid("max_tokens: expected one limit, got another as max_completion_tokens", "max_tokens")
    return {"max_tokens": given[0]} if given else {}


def _alternatives(fields: dict[str, object]) -> object:
    """`top_logprobs`, which needs `logprobs`; none when log probabilities are not asked for."""
    asked, count = flag(fields, "logprobs"), fields.pop("top_logprobs", 0)
    if count and not asked:
        raise invalid("top_logprobs: expected logprobs: true beside it", "top_logprobs")
    return count if asked else None


def _schema(fields: dict[str, object]) -> str | None:
    """The JSON schema of `response_format`, as text; none for any answer. The schema's name says nothing to a model."""
    match fields.pop("response_format", None):
        case None:
            return None
        case {"type": "json_object", **rest} if not rest:
            schema: object = {"type": "object"}
        case {"type": "json_schema", "json_schema": dict(described), **rest} if not rest:
            match present(described):
                case {"description": _}:
                    raise invalid(
                        "response_format: expected a schema without description, which no model would read, got one; "
                        "say it in a message",
                        "response_format",
                    )
                case {"schema": dict(schema), **named} if named.keys() <= {"name", "strict"}:
                    pass
                case _:
                    raise invalid(
                        "response_format: expected a schema, a name, and strict, got others", "response_format"
                    )
        case _:
            raise invalid("response_format: expected text, json_object or json_schema, got another", "response_format")
    return msgspec.json.encode(schema).decode()


def _messages(messages: object) -> object:
    """As the protocol has them; what is no list of messages is left for it to refuse."""
    return [_message(each, at) for at, each in enumerate(messages)] if isinstance(messages, list) else messages


def _message(message: object, at: int) -> object:
    if not isinstance(message, dict):
        return message
    fields = present(message)
    if fields.get("role") == "developer":  # the newer name of the same turn
        fields["role"] = "system"
    if isinstance(parts := fields.get("content"), list):
        fields["content"] = "".join(_text(part, at) for part in parts)
    return fields


def _text(part: object, at: int) -> str:
    match part:
        case {"type": "text", "text": str(text), **rest} if not rest:
            return text
    raise invalid(f"messages[{at}].content: expected parts of type text only, got others", f"messages[{at}].content")
