"""/v1/embeddings."""

import math
import struct
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from strongroom.protocol.errors import Malformed
from strongroom.protocol.payloads import Embeddings, EmbedTask, Event
from strongroom.surfaces.calls import Call, Stamp, WholeCall
from strongroom.surfaces.http import HTTPRequest, Reply, json_reply
from strongroom.surfaces.openai.fields import read_fields, refuse_others, text_or_texts
from strongroom.surfaces.refusals import Refused, invalid, out_of_place
from strongroom.surfaces.tasks import checked, model_id

Encoding = Literal["float", "base64"]


def translate(request: HTTPRequest, stamp: Stamp) -> Call:
    """The embeddings that a request asks for. Raises Refused."""
    fields = read_fields(request.body)
    model, texts = model_id(fields.pop("model", None)), text_or_texts(fields, "input")
    encoding, dimensions = _encoding(fields.pop("encoding_format", "float")), fields.pop("dimensions", None)
    refuse_others(fields)
    task = checked(EmbedTask, "embed", {"texts": texts}, names={"texts": "input"})
    return WholeCall(f"embd-{stamp.id}", model, task, Writer(model, len(task.texts), encoding, dimensions))


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one vector for each of `count` texts, which must have `dimensions` if that is not None."""

    model: str
    count: int
    encoding: Encoding
    dimensions: object

    def __call__(self, events: Sequence[Event]) -> Reply:
        """The list of vectors. Raises Refused for other events, and for another width than was asked for."""
        if len(events) != 1 or not isinstance(embeddings := events[0], Embeddings):
            raise out_of_place()
        data = [
            {"object": "embedding", "index": index, "embedding": self._told(row)}
            for index, row in enumerate(self._rows(embeddings))
        ]
        usage = {"prompt_tokens": embeddings.prompt_tokens, "total_tokens": embeddings.prompt_tokens}
        return json_reply({"object": "list", "data": data, "model": self.model, "usage": usage})

    def _rows(self, embeddings: Embeddings) -> list[bytes]:
        vectors = embeddings.vectors
        try:
            vectors.check()
        except Malformed:
            raise out_of_place() from None
        if vectors.dtype != "float32" or len(vectors.shape) != 2 or vectors.shape[0] != self.count:
            raise out_of_place()
        width = vectors.shape[1]
        if self.dimensions not in (None, width):
            raise invalid(f"dimensions: expected {width}, which this model has, got another number", "dimensions")
        return [vectors.data[4 * width * row :][: 4 * width] for row in range(self.count)]

    def _told(self, row: bytes) -> str | list[float]:
        if self.encoding == "base64":
            return b64encode(row).decode()
        values = list(struct.unpack(f"<{len(row) // 4}f", row))
        if not all(map(math.isfinite, values)):
            message = "expected finite numbers, which JSON can hold, got others: ask for base64"
            raise Refused(HTTPStatus.BAD_REQUEST, "not-finite", message, field="encoding_format")
        return values


def _encoding(given: object) -> Encoding:
    match given:
        case "float" | "base64":
            return given
    raise invalid("encoding_format: expected float or base64, got another", "encoding_format")
