"""One request, sealed once: never reused, not even to send it again."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import msgspec

from strongroom.client.attested import AttestedKey
from strongroom.client.errors import AnswerTruncated, InvalidArgument, SealBroken
from strongroom.protocol.constants import (
    MEDIA_SEALED_RESPONSE,
    MEDIA_SEALED_STREAM,
    REQUEST_ID_BYTES,
    SECRET_BYTES,
)
from strongroom.protocol.errors import ProtocolError, TooLarge, Truncated
from strongroom.protocol.names import Identifier
from strongroom.protocol.payloads import Request, Task
from strongroom.protocol.requests import seal_request
from strongroom.protocol.responses import ResponseOpener


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """The bytes to send, the secret that opens the answer, and the one media type the answer may have."""

    message: bytes = field(repr=False)
    secret: bytes = field(repr=False)
    media_type: str

    @classmethod
    def seal(cls, key: AttestedKey, model: str, task: Task, *, stream: bool, at_ms: int) -> Self:
        """Seal `task` for that key and model, under a fresh request id and a fresh secret. Raises InvalidArgument."""
        secret = secrets.token_bytes(SECRET_BYTES)
        try:
            message = seal_request(
                Request(secret, stream, task),
                key.configuration,
                request_id=secrets.token_bytes(REQUEST_ID_BYTES),
                at_ms=at_ms,
                model=msgspec.convert(model, Identifier),
            )
        except msgspec.ValidationError:
            raise InvalidArgument("model: expected an id of lower-case letters, digits and . _ -") from None
        except UnicodeEncodeError:
            raise InvalidArgument("text: expected valid Unicode, got a lone surrogate") from None
        except TooLarge as error:
            raise InvalidArgument(str(error)) from None
        return cls(message, secret, MEDIA_SEALED_STREAM if stream else MEDIA_SEALED_RESPONSE)

    def opener(self) -> ResponseOpener:
        """What opens the answer to this request and no other."""
        return ResponseOpener(self.secret, self.message, self.media_type)


@contextmanager
def opening() -> Iterator[None]:
    """Translate what the protocol says of an answer's bytes. Raises AnswerTruncated, SealBroken."""
    try:
        yield
    except Truncated:
        raise AnswerTruncated from None
    except ProtocolError as error:
        raise SealBroken(str(error)) from None
