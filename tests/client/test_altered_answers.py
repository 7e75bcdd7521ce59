"""Answers cut, altered, rearranged or exchanged on their way (review R2)."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from aiohttp import web

from strongroom.client.errors import (
    AnswerTruncated,
    SealBroken,
)
from strongroom.client.session import AttestedSession
from strongroom.protocol.constants import (
    PATH_SEALED,
)
from strongroom.protocol.messages import SealedResponseHead
from strongroom.protocol.payloads import TextDelta
from tests.client.asking import TASK, ask, tampered
from tests.client.fake_enclave import PIECES, Sealed
from tests.client.fake_gateway import FakeGateway

HEAD_BYTES = SealedResponseHead.SIZE_BYTES
CHUNK_HEAD_BYTES = 5


@pytest.mark.parametrize("aborted", [False, True])
@pytest.mark.parametrize("kept", range(len(PIECES) + 1))
async def test_a_stream_cut_at_every_chunk(
    session: AttestedSession, gateway: FakeGateway, kept: int, aborted: bool
) -> None:
    async def cut(request: web.BaseRequest) -> web.StreamResponse:
        answer = gateway.enclave.answer(gateway.messages[-1])
        response = await gateway.send(request, replace(answer, chunks=answer.chunks[:kept]))
        if aborted and request.transport is not None:
            request.transport.close()
        return response

    gateway.faults[PATH_SEALED] = cut
    events = session.stream("tiny-chat", TASK)
    assert [await anext(events) for _ in range(kept)] == [TextDelta(piece) for piece in PIECES[:kept]]
    with pytest.raises(AnswerTruncated):
        await anext(events)


@pytest.mark.parametrize("at", [1, 4, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + CHUNK_HEAD_BYTES, -17, -1])
async def test_a_whole_answer_cut_anywhere(session: AttestedSession, gateway: FakeGateway, at: int) -> None:
    async def cut(request: web.BaseRequest) -> web.StreamResponse:
        answer = gateway.enclave.answer(gateway.messages[-1])
        return web.Response(body=answer.to_bytes()[:at], content_type=answer.media_type)

    gateway.faults[PATH_SEALED] = cut
    with pytest.raises(AnswerTruncated):
        await ask(session)


REGIONS = {
    "magic": 0,
    "version": 3,
    "suite": 5,
    "request id": 6,
    "end of the request id": 21,
    "salt": 22,
    "end of the salt": HEAD_BYTES - 1,
    "flag": HEAD_BYTES,
    "length, high": HEAD_BYTES + 1,
    "length, low": HEAD_BYTES + 4,
    "ciphertext": HEAD_BYTES + CHUNK_HEAD_BYTES,
    "middle": HEAD_BYTES + 100,
    "tag": -16,
    "end": -1,
}


@pytest.mark.parametrize("region", REGIONS)
async def test_an_altered_byte(session: AttestedSession, gateway: FakeGateway, region: str) -> None:
    async def alter(request: web.BaseRequest) -> web.StreamResponse:
        answer = gateway.enclave.answer(gateway.messages[-1])
        body = bytearray(answer.to_bytes())
        body[REGIONS[region]] ^= 1
        return web.Response(body=bytes(body), content_type=answer.media_type)

    gateway.faults[PATH_SEALED] = alter
    # A longer length is indistinguishable from a missing end.
    with pytest.raises(AnswerTruncated if region == "length, low" else SealBroken):
        await ask(session)
    assert len(gateway.messages) == 1


Tamper = Callable[[Sealed], Sealed]
TAMPERS: dict[str, Tamper] = {
    "swapped chunks": lambda sent: replace(sent, chunks=(sent.chunks[1], sent.chunks[0], *sent.chunks[2:])),
    "a chunk twice": lambda sent: replace(sent, chunks=(sent.chunks[0], *sent.chunks)),
    "a chunk dropped": lambda sent: replace(sent, chunks=sent.chunks[1:]),
    "the last one only": lambda sent: replace(sent, chunks=sent.chunks[-1:]),
    "bytes after the last": lambda sent: replace(sent, chunks=(*sent.chunks, b"more")),
    "a chunk after the last": lambda sent: replace(sent, chunks=(*sent.chunks, sent.chunks[0])),
    "a chunk marked last": lambda sent: replace(sent, chunks=(b"\x01" + sent.chunks[0][1:],)),
    "a last marked not last": lambda sent: replace(sent, chunks=(*sent.chunks[:-1], b"\0" + sent.chunks[-1][1:])),
    "a huge length": lambda sent: replace(sent, chunks=(b"\0\xff\xff\xff\xff",)),
    "no length": lambda sent: replace(sent, chunks=(b"\0\0\0\0\0",)),
    "two heads": lambda sent: replace(sent, head=sent.head * 2),
}


@pytest.mark.parametrize("name", TAMPERS)
async def test_a_rearranged_stream(session: AttestedSession, gateway: FakeGateway, name: str) -> None:
    gateway.faults[PATH_SEALED] = tampered(gateway, TAMPERS[name])
    with pytest.raises(SealBroken):
        await ask(session, stream=True)


async def test_answers_swapped_between_two_requests(session: AttestedSession, gateway: FakeGateway) -> None:
    requests: list[bytes] = []
    both = asyncio.Event()

    async def swap(request: web.BaseRequest) -> web.StreamResponse:
        mine = len(requests)
        requests.append(gateway.messages[-1])
        if len(requests) == 2:
            both.set()
        await both.wait()
        return await gateway.send(request, gateway.enclave.answer(requests[1 - mine]))

    gateway.faults[PATH_SEALED] = swap
    outcomes = await asyncio.gather(ask(session), ask(session), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [SealBroken, SealBroken]


async def test_an_answer_under_another_answers_head(session: AttestedSession, gateway: FakeGateway) -> None:
    async def splice(request: web.BaseRequest) -> web.StreamResponse:
        first, second = (gateway.enclave.answer(gateway.messages[-1]) for _ in range(2))
        return await gateway.send(request, replace(second, head=first.head))

    gateway.faults[PATH_SEALED] = splice
    with pytest.raises(SealBroken):
        await ask(session)


async def test_an_earlier_answer_replayed(session: AttestedSession, gateway: FakeGateway) -> None:
    kept: list[Sealed] = []

    async def replay(request: web.BaseRequest) -> web.StreamResponse:
        if not kept:
            kept.append(gateway.enclave.answer(gateway.messages[-1]))
        return await gateway.send(request, kept[0])

    gateway.faults[PATH_SEALED] = replay
    await ask(session)
    with pytest.raises(SealBroken):
        await ask(session)
