"""Sealed exchanges: what goes out, and the one form in which an answer may come back."""

from dataclasses import replace

import pytest
from aiohttp import web

from strongroom.client.errors import (
    AnswerTruncated,
    SealBroken,
)
from strongroom.client.session import AttestedSession
from strongroom.protocol.constants import (
    MEDIA_SEALED_REQUEST,
    MEDIA_SEALED_RESPONSE,
    MEDIA_SEALED_STREAM,
    PATH_SEALED,
)
from strongroom.protocol.payloads import GenerationEnd, TextDelta
from tests.client.asking import ask, tampered
from tests.client.fake_enclave import PIECES, Clock
from tests.client.fake_gateway import FakeGateway, Handler, respond


@pytest.mark.parametrize("stream", [False, True])
async def test_an_honest_exchange(session: AttestedSession, gateway: FakeGateway, clock: Clock, stream: bool) -> None:
    headers = []

    async def note(request: web.BaseRequest) -> web.StreamResponse:
        headers.append(request.headers)
        return await gateway.sealed(request)

    gateway.faults[PATH_SEALED] = note
    events = await ask(session, stream=stream)
    pieces = PIECES if stream else ["".join(PIECES)]
    assert events == [*(TextDelta(piece) for piece in pieces), GenerationEnd("stop", 7, 6)]
    assert headers[0]["Content-Type"] == MEDIA_SEALED_REQUEST
    assert b"canary" not in gateway.messages[0]
    head, request = gateway.enclave.opened[0]
    assert head.timestamp_ms == clock.now_ms
    assert request.stream is stream


async def test_every_request_has_an_id_and_a_secret_of_its_own(session: AttestedSession, gateway: FakeGateway) -> None:
    for _ in range(3):
        await ask(session)
    assert len({head.request_id for head, _ in gateway.enclave.opened}) == 3
    assert len({request.secret for _, request in gateway.enclave.opened}) == 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "answer",
    [
        respond(body=b'{"text": "hello"}', media_type="application/json"),
        respond(body=b"hello"),
        respond(body=b""),
        respond(201, media_type=MEDIA_SEALED_RESPONSE),
        respond(204),
        respond(206, media_type=MEDIA_SEALED_STREAM),
        respond(body=b"plaintext " * 20, media_type=MEDIA_SEALED_RESPONSE),
        respond(body=b"plaintext " * 20, media_type=MEDIA_SEALED_STREAM),
        respond(media_type=MEDIA_SEALED_RESPONSE + "; charset=utf-8"),
        respond(media_type=MEDIA_SEALED_REQUEST),
    ],
)
async def test_a_success_that_is_not_sealed(
    session: AttestedSession, gateway: FakeGateway, answer: Handler, stream: bool
) -> None:
    gateway.faults[PATH_SEALED] = answer
    with pytest.raises(SealBroken):
        await ask(session, stream=stream)
    assert len(gateway.messages) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_the_other_media_type_is_refused(session: AttestedSession, gateway: FakeGateway, stream: bool) -> None:
    other = MEDIA_SEALED_RESPONSE if stream else MEDIA_SEALED_STREAM
    gateway.faults[PATH_SEALED] = tampered(gateway, lambda answer: replace(answer, media_type=other))
    with pytest.raises(SealBroken, match=MEDIA_SEALED_STREAM if stream else MEDIA_SEALED_RESPONSE):
        await ask(session, stream=stream)


@pytest.mark.parametrize(("stream", "media_type"), [(False, MEDIA_SEALED_RESPONSE), (True, MEDIA_SEALED_STREAM)])
async def test_an_empty_success_is_truncated(
    session: AttestedSession, gateway: FakeGateway, stream: bool, media_type: str
) -> None:
    gateway.faults[PATH_SEALED] = respond(media_type=media_type)
    with pytest.raises(AnswerTruncated):
        await ask(session, stream=stream)
