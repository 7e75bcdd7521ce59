"""/v1/completions: the prompt as it is, without a template."""

from typing import Final

from strongroom.protocol.payloads import CompleteTask
from strongroom.surfaces.calls import Call, Stamp, StreamedCall, WholeCall
from strongroom.surfaces.http import HTTPRequest
from strongroom.surfaces.openai.fields import read_fields, text_or_texts
from strongroom.surfaces.openai.generations import Finish, Logprobs, PieceWriter, WholeWriter
from strongroom.surfaces.openai.logprobs import CompletionLogprobs
from strongroom.surfaces.openai.options import shared_options, streaming
from strongroom.surfaces.refusals import invalid
from strongroom.surfaces.tasks import checked, model_id

_MAX_TOKENS: Final = 16  # the API's own default


def translate(request: HTTPRequest, stamp: Stamp) -> Call:
    """The completion that a request asks for. Raises Refused."""
    fields = read_fields(request.body)
    model, prompts = model_id(fields.pop("model", None)), text_or_texts(fields, "prompt")
    if len(prompts) != 1:
        raise invalid("prompt: expected one, got several: send a request for each", "prompt")
    stream, tells_usage = streaming(fields)
    options = {"max_tokens": _MAX_TOKENS, **shared_options(fields)}
    task = checked(CompleteTask, "complete", {"prompt": prompts[0], **options})
    stamp = Stamp(f"cmpl-{stamp.id}", stamp.created_s)
    if stream:
        return StreamedCall(stamp.id, model, task, PieceWriter(CompletionForm(), stamp, model, tells_usage=tells_usage))
    return WholeCall(stamp.id, model, task, WholeWriter(CompletionForm(), stamp, model))


class CompletionForm:
    """A choice is a text, whole or a piece of it."""

    whole_object = piece_object = "text_completion"
    opening: dict[str, object] | None = None

    def __init__(self) -> None:
        self._logprobs = CompletionLogprobs()

    def whole(self, text: str, logprobs: Logprobs, finish: Finish) -> dict[str, object]:
        """The whole text."""
        return self.piece(text, logprobs, finish)

    def piece(self, text: str | None, logprobs: Logprobs, finish: Finish) -> dict[str, object]:
        """More text, or none at the end."""
        told = None if logprobs is None else self._logprobs.tell(logprobs)
        return {"index": 0, "text": text or "", "logprobs": told, "finish_reason": finish}
