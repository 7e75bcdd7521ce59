"""A catalogue that memory does not hold: models make room at boot, and come again to an enclave that serves."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import structs

from enclave.asgi import Message
from enclave.boot import receive
from enclave.engine.capacity import Capacity
from enclave.engine.errors import ModelRejected
from enclave.engine.footprint import footprint
from enclave.errors import ClockFault, KMSRefused, KMSUnreachable
from enclave.kms.client import KMSClient
from strongroom.documents import to_toml
from strongroom.protocol.catalogue import ModelManifest
from strongroom.protocol.configuration import Limits, Windows
from strongroom.protocol.constants import BootState
from strongroom.protocol.problems import Problem
from tests.enclave.calling import call
from tests.enclave.deployment import configuration
from tests.enclave.engine.runners import Idle
from tests.enclave.test_boot_weights import Enclave
from tests.enclave.weights import MIB, Model

ONE, TWO = Model(sizes=(MIB + 5, 700_000), id="one"), Model(sizes=(2 * MIB,), id="two")
MODELS = {model.id: model for model in (ONE, TWO)}


def needed_mib(model: Model) -> int:
    """What it takes to load it, rounded up."""
    return -(-footprint(ModelManifest.from_bytes(model.manifest), Capacity(slots=0)).loading_bytes // MIB)


class Small(Enclave):
    """An enclave with memory for one of two models, that serves."""

    def __init__(self) -> None:
        super().__init__(models=(ONE, TWO))
        limits = Limits(model_memory_mib=max(map(needed_mib, MODELS.values())))
        self.configuration = structs.replace(
            configuration(), limits=limits, windows=Windows(model_residence_s=1), key=self.configuration.key
        )
        self.configuration_bytes = to_toml(self.configuration)

    async def head(self, model: str) -> int:
        return status(await self.put("head", MODELS[model].cipher.head.to_bytes(), model))

    async def weights(self, model: str, first: int = 0, end: int = 3) -> int:
        return status(await self.put(f"weights/{first}/1", MODELS[model].segment(first, end), model))

    async def standing(self) -> dict[str, Any]:
        [_, body] = await call(self.control, "GET", "/boot")
        said: dict[str, Any] = json.loads(body["body"])
        return said

    def last_line(self) -> dict[str, Any]:
        line: dict[str, Any] = json.loads(self.log._lines[-1])
        return line


def status(answer: list[Message]) -> int:
    """0 when nothing was answered."""
    return answer[0]["status"] if answer else 0


@pytest.fixture
async def enclave(monkeypatch: pytest.MonkeyPatch) -> Small:
    enclave = Small()
    await enclave.to_key_checked(monkeypatch)
    for model in MODELS:
        assert await enclave.head(model) == 204
    for model in MODELS:
        assert await enclave.weights(model) == 204
    assert enclave.at(BootState.READY)
    return enclave


async def test_every_model_is_loaded_once_at_boot_and_makes_room_for_the_next(enclave: Small) -> None:
    assert enclave.loaded == [ONE.files, TWO.files]
    assert await enclave.standing() == {"state": "ready", "loaded": ["two"], "wanted": []}


async def test_a_model_that_is_asked_for_is_wanted_and_comes_again(enclave: Small) -> None:
    assert not enclave.engine.has_room("one")
    assert await enclave.standing() == {"state": "ready", "loaded": ["two"], "wanted": ["one"]}
    assert await enclave.head("one") == 204
    halves = enclave.weights("one", 0, 1), enclave.weights("one", 1, 3)
    assert set(await asyncio.gather(*halves)) == {204}
    assert enclave.loaded[-1] == ONE.files
    assert await enclave.standing() == {"state": "ready", "loaded": ["one"], "wanted": []}
    assert enclave.codes == []


async def test_kms_is_asked_for_its_key_again(enclave: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes the permission away takes the models that are not loaded."""

    def refuse(*arguments: object) -> bytes:
        raise KMSRefused("kms-access-denied", "denied")

    monkeypatch.setattr(KMSClient, "unwrap", refuse)
    assert await enclave.head("one") == 503
    assert enclave.last_line() == {"event": "step-failed", "code": "kms-access-denied"}
    assert await enclave.weights("one") == 503
    assert enclave.engine.loaded() == ["two"]
    assert enclave.codes == []


def altered(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


SPOILED: Mapping[str, tuple[str, bytes, str]] = {
    "altered": ("weights/0/1", altered(ONE.segment(0, 3)), "malformed-input"),
    "another model's": ("weights/0/1", TWO.segment(0, 3), "malformed-input"),
    "cut": ("weights/0/1", ONE.segment(0, 3)[:-1], "bad-segment"),
    "over-long": ("weights/0/1", ONE.segment(0, 3) + b"x", "bad-segment"),
    "another place": ("weights/1/1", ONE.segment(0, 1), "input-incomplete"),
    "another head": ("head", TWO.cipher.head.to_bytes(), "out-of-order"),
    "no head": ("head", b"", "malformed-input"),
    "a huge head": ("head", bytes(8192), "malformed-input"),
}


@pytest.mark.parametrize("what", SPOILED)
async def test_what_is_spoiled_is_dropped_and_the_others_are_served(
    enclave: Small, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "STALL_S", 0.05)
    path, body, code = SPOILED[what]
    assert await enclave.head("one") == 204
    [head, said] = await enclave.put(path, body, "one")
    assert (head["status"], said["body"]) == (503, Problem.BUSY.to_bytes())
    assert enclave.last_line() == {"event": "step-failed", "code": code}
    assert enclave.codes == []
    assert enclave.loaded == [ONE.files, TWO.files]
    assert await enclave.head("one") == 204
    assert await enclave.weights("one") == 204
    assert enclave.engine.loaded() == ["one"]


async def test_one_bad_segment_ends_the_others_of_its_model(enclave: Small) -> None:
    await enclave.head("one")
    first = asyncio.create_task(enclave.weights("one", 0, 1))
    await asyncio.sleep(0.05)
    assert not first.done()
    assert status(await enclave.put("weights/1/1", altered(ONE.segment(1, 3)), "one")) == 503
    assert await first == 503
    assert await enclave.weights("one", 1, 3) == 503
    assert enclave.engine._memory.reserve("one")  # nothing is held for it any more


async def test_a_head_in_the_middle_of_its_weights_changes_nothing(enclave: Small) -> None:
    await enclave.head("one")
    first = asyncio.create_task(enclave.weights("one", 0, 1))
    await asyncio.sleep(0.05)
    assert await enclave.head("one") == 503
    assert await enclave.weights("one", 1, 3) == 204
    assert await first == 204


async def test_a_head_whose_weights_never_came_is_replaced(enclave: Small) -> None:
    for _ in range(3):
        assert await enclave.head("one") == 204
    assert await enclave.weights("one") == 204


async def test_a_loaded_model_does_not_come_again(enclave: Small) -> None:
    assert await enclave.head("two") == 503
    assert await enclave.weights("two") == 503
    assert enclave.codes == []


async def test_a_model_with_work_stays_and_the_other_is_put_off(
    enclave: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enclave.engine, "_room_s", 0.1)
    place = enclave.engine.keep_place("two")
    await enclave.head("one")
    assert await enclave.weights("one") == 503
    assert enclave.last_line() == {"event": "step-failed", "code": "no-room"}
    assert enclave.engine.loaded() == ["two"]
    place.give_back()
    await enclave.head("one")
    assert await enclave.weights("one") == 204


async def test_a_model_that_the_engine_rejects_is_dropped(enclave: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    def reject(*arguments: object) -> Idle:
        raise ModelRejected("probe: memory")

    monkeypatch.setattr(enclave.engine, "prepare", reject)
    await enclave.head("one")
    both = enclave.weights("one", 0, 1), enclave.weights("one", 1, 3)
    assert set(await asyncio.gather(*both)) == {503}
    assert enclave.codes == []
    assert enclave.engine.loaded() == []


async def test_an_unreachable_kms_is_asked_again(enclave: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(KMSClient, "unwrap", lambda *arguments: (_ for _ in ()).throw(KMSUnreachable("no answer")))
        assert await enclave.head("one") == 503
    assert await enclave.head("one") == 204


@pytest.mark.parametrize("error", [ClockFault("backwards"), RuntimeError()], ids=["clock", "unforeseen"])
async def test_a_fault_of_the_enclave_itself_is_its_end(
    enclave: Small, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KMSClient, "unwrap", lambda *arguments: (_ for _ in ()).throw(error))
    assert await enclave.head("one") == 0
    assert len(enclave.codes) == 1


@pytest.mark.parametrize("path", ["/boot/configuration", "/boot/catalogue", "/boot/key-check", "/boot/models/one"])
async def test_any_other_step_is_the_end_as_ever(enclave: Small, path: str) -> None:
    assert await call(enclave.control, "PUT", path) == []
    assert enclave.codes == ["out-of-order"]


async def test_after_the_end_no_model_comes(enclave: Small) -> None:
    await enclave.head("one")
    enclave.boot.end()
    assert await enclave.weights("one") == 0
    assert enclave.loaded == [ONE.files, TWO.files]


async def test_a_model_that_does_not_fit_even_alone_ends_the_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    enclave = Small()
    limits = Limits(model_memory_mib=needed_mib(TWO) - 1)
    enclave.configuration = structs.replace(enclave.configuration, limits=limits)
    enclave.configuration_bytes = to_toml(enclave.configuration)
    await enclave.to_key_checked(monkeypatch)
    for model in MODELS:
        assert await enclave.head(model) == 204
    assert await enclave.weights("two") == 0
    assert enclave.codes == ["model-rejected"]
