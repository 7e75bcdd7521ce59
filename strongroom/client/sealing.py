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
from strongroom.protocol.contents import request_content
from strongroom.protocol.errors import ProtocolError, Truncated
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.names import Identifier
from strongroom.protocol.payloads import Request, Task
from strongroom.protocol.requests import seal_request
from strongroom.protocol.responses import ResponseOpener


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """The bytes to send, and what its answer is held against: the secret, the content, the one media type."""

    message: bytes = field(repr=False)
    secret: bytes = field(repr=False)
    content: bytes = field(repr=False)
    """What its receipt must commit to: canonical CBOR of the task."""
    media_type: str

    @classmethod
    def seal(cls, key: AttestedKey, model: str, task: Task, *, stream: bool, at_ms: int) -> Self:
        """Seal `task` for that key and model, under a fresh request id and a fresh secret. Raises InvalidArgument."""
        secret = secrets.token_bytes(SECRET_BYTES)
        with sealing():
            message = seal_request(
                Request(secret, stream, task),
                key.configuration,
                request_id=secrets.token_bytes(REQUEST_ID_BYTES),
                at_ms=at_ms,
                model=msgspec.convert(model, Identifier),
            )
        return cls(message, secret, request_content(task), MEDIA_SEALED_STREAM if stream else MEDIA_SEALED_RESPONSE)

    @property
    def head(self) -> SealedRequestHead:
        """What the message says in the clear."""
        return SealedRequestHead.read(self.message)[0]

    def opener(self) -> ResponseOpener:
        """What opens the answer to this request and no other."""
        return ResponseOpener(self.secret, self.message, self.media_type)


@contextmanager
def sealing() -> Iterator[None]:
    """Translate what the protocol says of a request's parts, which are the caller's. Raises InvalidArgument."""
    try:
        yield
    except msgspec.ValidationError:
        raise InvalidArgument("model: expected an id of lower-case letters, digits and . _ -") from None
    except UnicodeEncodeError:
        raise InvalidArgument("text: expected valid Unicode, got a lone surrogate") from None
    except ProtocolError as error:
        raise InvalidArgument(str(error)) from None


@contextmanager
def opening() -> Iterator[None]:
    """Translate what the protocol says of an answer's bytes. Raises AnswerTruncated, SealBroken."""
    try:
        yield
    except Truncated:
        raise AnswerTruncated from None
    except ProtocolError as error:
        raise SealBroken(str(error)) from None
