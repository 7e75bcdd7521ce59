"""A request for a model that is not loaded: refused before it is opened, and nothing of it is used up."""

from pathlib import Path

import pytest

from enclave.serving.refused import Refused
from strongroom.models.package import load_package
from strongroom.protocol.payloads import Outputs
from strongroom.protocol.problems import Problem
from tests.enclave.caller import INFER, Caller, ready
from tests.enclave.deployment import configuration, request_key

REQUESTS = request_key()


@pytest.fixture
async def caller(decoder_dir: Path, tensor_dir: Path) -> Caller:
    """The tensor model was evicted."""
    caller = await ready(decoder_dir, tensor_dir, deployment=configuration(requests=[REQUESTS]))
    await caller.enclave.engine.evict("tiny-tensor")
    return caller


def load(caller: Caller, package: Path) -> None:
    _, manifest, paths = load_package(package)
    caller.enclave.engine.load(manifest, {name: path.read_bytes() for name, path in paths.items()})


@pytest.mark.parametrize("way", ["hpke", "single-use envelope"])
async def test_it_is_wanted_and_the_same_bytes_are_answered_later(caller: Caller, way: str, tensor_dir: Path) -> None:
    envelope = caller.envelope(REQUESTS, rest=caller.rest(single_use=True))
    message = caller.seal(INFER, model="tiny-tensor") if way == "hpke" else envelope
    for _ in range(3):
        with pytest.raises(Refused) as caught:
            await caller.service.open(message)
        assert caught.value.problem is Problem.BUSY
    assert caller.enclave.engine.wanted() == ["tiny-tensor"]
    load(caller, tensor_dir)
    [event] = (await caller.ask(message)).events
    assert isinstance(event, Outputs)
    assert caller.enclave.engine.wanted() == []


async def test_what_no_key_of_ours_opens_makes_nothing_wanted(caller: Caller) -> None:
    stale = bytearray(caller.seal(INFER, model="tiny-tensor"))
    stale[6] ^= 1  # of the key id
    with pytest.raises(Refused) as caught:
        await caller.service.open(bytes(stale))
    assert caught.value.problem is Problem.STALE_KEY
    assert caller.enclave.engine.wanted() == []


async def test_an_admitted_request_keeps_its_model(caller: Caller, tensor_dir: Path) -> None:
    load(caller, tensor_dir)
    admitted = await caller.service.open(caller.seal(INFER, model="tiny-tensor"))
    assert caller.enclave.engine._is_busy("tiny-tensor")
    answer = caller.read(admitted, [piece async for piece in caller.service.answer(admitted)])
    assert isinstance(answer.events[0], Outputs)
    assert not caller.enclave.engine._is_busy("tiny-tensor")
    await caller.enclave.engine.evict("tiny-tensor")
