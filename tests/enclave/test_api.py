"""The client-facing application: who waits for whom."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from enclave.asgi import Message
from enclave.serving.api import APIApp
from strongroom.protocol.configuration import Limits
from strongroom.protocol.constants import MEDIA_SEALED_REQUEST, MEDIA_SEALED_RESPONSE
from strongroom.protocol.problems import Problem
from tests.enclave.caller import INFER, Caller, ready
from tests.enclave.deployment import configuration, request_key

REQUESTS = request_key()
HEADERS = [(b"content-type", MEDIA_SEALED_REQUEST.encode())]


class Exchange:
    """One POST /v1/sealed: its pieces arrive as they are put in, its answer is kept."""

    def __init__(self, app: APIApp) -> None:
        self.body: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        scope = {"type": "http", "method": "POST", "path": "/v1/sealed", "query_string": b"", "headers": HEADERS}
        self.task = asyncio.ensure_future(app(scope, self.body.get, self._send))

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    async def put(self, pieces: Sequence[bytes], *, more: bool = False) -> None:
        """Bytes of the body; the last piece ends it unless there is `more`."""
        for number, piece in enumerate(pieces):
            await self.body.put({"type": "http.request", "body": piece, "more_body": more or number < len(pieces) - 1})

    @property
    def status(self) -> int:
        """The status of the answer."""
        return int(self.sent[0]["status"])


def app_of(caller: Caller) -> APIApp:
    return APIApp(caller.enclave.boot, caller.service, caller.enclave.log)


async def test_a_caller_who_sends_slowly_keeps_nobody_out(tensor_dir: Path) -> None:
    caller = await ready(tensor_dir, limits=Limits(max_in_flight=1))
    app = app_of(caller)
    slow, quick = Exchange(app), Exchange(app)
    message = caller.seal(INFER, model="tiny-tensor")
    await slow.put([message[:100]], more=True)
    await quick.put([caller.seal(INFER, model="tiny-tensor")])
    await asyncio.wait_for(quick.task, 10)
    assert quick.status == 200
    assert dict(quick.sent[0]["headers"])[b"content-type"] == MEDIA_SEALED_RESPONSE.encode()
    await slow.put([message[100:]])
    await asyncio.wait_for(slow.task, 10)
    assert slow.status == 200


async def test_more_than_the_measured_number_in_flight_are_busy(tensor_dir: Path) -> None:
    caller = await ready(tensor_dir, limits=Limits(max_in_flight=1))
    app = app_of(caller)
    exchanges = [Exchange(app) for _ in range(3)]
    for exchange in exchanges:
        await exchange.put([caller.seal(INFER, model="tiny-tensor")])
    await asyncio.gather(*(exchange.task for exchange in exchanges))
    assert sorted(exchange.status for exchange in exchanges) == [200, 503, 503]
    refused = next(exchange for exchange in exchanges if exchange.status == 503)
    assert refused.sent[1]["body"] == Problem.BUSY.to_bytes()
    again = Exchange(app)
    await again.put([caller.seal(INFER, model="tiny-tensor")])
    await again.task
    assert again.status == 200


async def test_who_waits_for_kms_leaves_places_to_those_who_need_none_of_it(tensor_dir: Path) -> None:
    caller = await ready(tensor_dir, deployment=configuration(requests=[REQUESTS], limits=Limits(max_in_flight=4)))
    kept, answering, unwrap = caller.kms.wrap(REQUESTS), threading.Event(), caller.kms.unwrap
    await caller.ask(caller.envelope(REQUESTS, wrapped=kept))

    def unwrap_late(*given: Any) -> bytes:
        answering.wait(10)
        return unwrap(*given)

    caller.service._envelopes._data_keys._unwrap = unwrap_late
    app, wrapped = app_of(caller), caller.kms.wrap(REQUESTS)
    waiting = [Exchange(app) for _ in range(4)]
    for number, exchange in enumerate(waiting):  # under one data key or many
        await exchange.put([caller.envelope(REQUESTS, wrapped=wrapped if number % 2 else None)])
    await asyncio.sleep(0.1)
    for message in (caller.seal(INFER, model="tiny-tensor"), caller.envelope(REQUESTS, wrapped=kept)):
        other = Exchange(app)
        await other.put([message])
        await other.task
        assert other.status == 200
    answering.set()
    await asyncio.gather(*(exchange.task for exchange in waiting))
    assert sorted(exchange.status for exchange in waiting) == [200, 200, 503, 503]


@pytest.mark.parametrize("step", ["open", "current"])
async def test_what_nobody_foresaw_looks_like_a_busy_enclave(
    step: str, tensor_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = await ready(tensor_dir)

    async def fail(*_: object) -> None:
        raise KeyError("a secret")

    monkeypatch.setattr(caller.service if step == "open" else caller.service.documents, step, fail)
    exchange = Exchange(app_of(caller))
    await exchange.put([caller.seal(INFER, model="tiny-tensor")])
    await exchange.task
    assert exchange.status == 503
    assert exchange.sent[1]["body"] == Problem.BUSY.to_bytes()
    assert b'"code":"unforeseen"' in caller.enclave.log._lines[-1]
    assert b"secret" not in b"".join(caller.enclave.log._lines)


async def test_an_answer_that_has_begun_gets_no_second_head(tensor_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = await ready(tensor_dir)
    monkeypatch.setattr("enclave.serving.api.stream", lambda *_: 1 / 0)
    exchange = Exchange(app_of(caller))
    await exchange.put([caller.seal(INFER, stream=True, model="tiny-tensor")])
    with pytest.raises(ZeroDivisionError):
        await exchange.task
    assert [message["type"] for message in exchange.sent] == ["http.response.start", "http.response.body"]
