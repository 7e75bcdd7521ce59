"""A caller who goes away, through the whole path: client, gateway, enclave, and its slot free within one step."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from enclave.engine.generation.runner import SlotRunner
from enclave.server import _server
from enclave.serving.api import APIApp
from strongroom.models.tiny import build_tiny_decoder
from strongroom.protocol.payloads import ChatTask, Message
from strongroom.transport.addresses import UnixAddress
from strongroom.transport.sockets import listen
from tests.enclave.caller import Caller, ready
from tests.enclave.engine.generation.steps import Steps
from tests.parent.support import SEALED, Gateway, eventually, gateway_to, running

LONG = ChatTask([Message("user", "hello")], max_tokens=400)


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    caller = await ready(build_tiny_decoder(tmp_path / "tiny-decoder"))
    yield caller
    caller.enclave.engine.close()


@asynccontextmanager
async def served(caller: Caller, folder: Path) -> AsyncIterator[Gateway]:
    """The enclave's application behind its own server, and a gateway in front of it."""
    app = APIApp(caller.enclave.boot, caller.service, caller.enclave.log)
    async with running(_server(app, 16), listen(UnixAddress(folder / "api"))), gateway_to(folder) as gateway:
        yield gateway


async def begun(gateway: Gateway, message: bytes) -> aiohttp.ClientResponse:
    """A sealed answer whose head is here."""
    response = await gateway.session.post(gateway.url + "/v1/sealed", data=message, headers=SEALED)
    assert response.status == 200
    return response


async def leave(asked: asyncio.Task[aiohttp.ClientResponse]) -> None:
    """Hang up: before the head of a whole answer, which comes with its end, or in the midst of a stream."""
    if asked.done():
        (await asked).close()
    else:
        asked.cancel()


def runner_of(caller: Caller) -> SlotRunner:
    runner = caller.enclave.engine._runners["tiny-decoder"]
    assert isinstance(runner, SlotRunner)
    return runner


@pytest.mark.parametrize("stream", [True, False])
async def test_a_caller_who_leaves_frees_its_slot_within_one_step(
    caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    steps, runner = Steps(monkeypatch), runner_of(caller)
    room = runner.room
    async with served(caller, tmp_path) as gateway:
        asked = asyncio.create_task(begun(gateway, caller.seal(LONG, stream=stream)))
        steps.open(3)
        await eventually(lambda: len(steps.rows) == 3)
        [job] = runner._jobs
        assert runner.room == room - 1
        await leave(asked)
        await eventually(lambda: job.cancellation.cancelled)
        steps.open(1)
        await eventually(lambda: runner.room == room)
        assert len(steps.rows) <= 4
        assert len(runner._batch) == 0
    steps.open()


async def test_a_caller_who_leaves_while_it_waits_is_never_run(
    caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, runner = Steps(monkeypatch), runner_of(caller)
    room = runner.room
    async with served(caller, tmp_path) as gateway:
        first = await begun(gateway, caller.seal(LONG, stream=True))
        await eventually(lambda: len(runner._batch) == 1)
        waits = await begun(gateway, caller.seal(LONG, stream=True))
        await eventually(lambda: len(runner._waiting) == 1)
        [job] = [job.cancellation for job, _ in runner._waiting]
        waits.close()
        await eventually(lambda: job.cancelled)
        steps.open(2)  # the first one's prompt, and its next token
        await eventually(lambda: runner.room == room - 1)
        first.close()
        steps.open()
        await eventually(lambda: runner.room == room)
        assert set(steps.rows) == {1}
