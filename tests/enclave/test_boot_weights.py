"""The boot steps of sealed weights: heads once, segments side by side, and one code when something is wrong."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import pytest
from msgspec import structs

from enclave.asgi import Message
from enclave.boot import receive
from enclave.kms.client import KMSClient
from strongroom.documents import to_toml
from strongroom.protocol.catalogue import Catalogue, ModelManifest
from strongroom.protocol.configuration import KeyEntry
from strongroom.protocol.constants import BootState
from strongroom.protocol.messages import SealedWeightsHead
from tests.enclave.calling import call, control_of
from tests.enclave.deployment import ARN, Booting, configuration
from tests.enclave.engine.runners import Idle
from tests.enclave.weights import DATA_KEY, Model, context_of

MODEL = Model()
SMALL = Model(sizes=(5,), id="small")
HEAD = MODEL.cipher.head.to_bytes()


class Enclave(Booting):
    """An enclave whose keys were checked, that KMS gives the data key, and that remembers what its engine loads."""

    def __init__(self, tenant: str = "demo", models: Sequence[Model] = (MODEL,)) -> None:
        key = KeyEntry(id="models", purpose="model", tenant=tenant, arn=ARN)
        super().__init__([], configuration=structs.replace(configuration(), key=[key]))
        self.catalogue_bytes = to_toml(Catalogue(1, [model.entry for model in models]))
        self.loaded: list[Mapping[str, bytes]] = []
        self.control, self.codes = control_of(self)

    async def to_key_checked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the steps before the heads."""

        def prepare(manifest: ModelManifest, files: Mapping[str, bytes]) -> Idle:
            self.loaded.append(files)
            return Idle()

        monkeypatch.setattr(self.engine, "prepare", prepare)
        monkeypatch.setattr(KMSClient, "unwrap", lambda client, key, context, wrapped: DATA_KEY)
        await self.to_catalogued()
        self.boot.state = BootState.KEY_CHECKED

    def at(self, state: BootState) -> bool:
        """Whether the enclave stands there now."""
        return self.boot.state is state

    async def put(self, path: str, body: bytes, model: str = "big") -> list[Message]:
        """One step below a model."""
        return await call(self.control, "PUT", f"/boot/models/{model}/{path}", body)

    async def segment(self, first: int, end: int) -> list[Message]:
        """One segment."""
        return await self.put(f"weights/{first}/1", MODEL.segment(first, end))


@pytest.fixture
async def enclave(monkeypatch: pytest.MonkeyPatch) -> Enclave:
    enclave = Enclave()
    await enclave.to_key_checked(monkeypatch)
    assert len(await enclave.put("head", HEAD)) == 2
    assert enclave.at(BootState.RELEASED)
    return enclave


def statuses(answers: Iterable[list[Message]]) -> list[list[int]]:
    return [[message["status"] for message in answer if "status" in message] for answer in answers]


async def test_segments_come_side_by_side_and_each_is_answered_when_the_model_is_loaded(enclave: Enclave) -> None:
    first = asyncio.create_task(enclave.segment(2, 4))
    second = asyncio.create_task(enclave.segment(0, 1))
    await asyncio.sleep(0.1)
    assert not first.done()
    assert not second.done()
    assert enclave.at(BootState.RELEASED)
    third = enclave.segment(1, 2)
    assert statuses(await asyncio.gather(first, second, third)) == [[204]] * 3
    assert enclave.loaded == [MODEL.files]
    assert enclave.at(BootState.READY)
    assert enclave.boot.ready.is_set()
    assert enclave.codes == []


@pytest.mark.parametrize("segments", [[(0, 4), (0, 4)], [(0, 3), (2, 4)], [(0, 1), (1, 2), (3, 4), (1, 2)]])
async def test_overlapping_segments_end_the_enclave(
    enclave: Enclave, segments: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "STALL_S", 0.1)  # the others wait no longer: their process is gone
    answers = await asyncio.gather(*(enclave.segment(*segment) for segment in segments))
    assert answers == [[]] * len(segments)
    assert enclave.codes == ["bad-segment"]
    assert not enclave.boot.ready.is_set()


SPOILED: dict[str, tuple[str, bytes, str]] = {
    "beyond the model": ("weights/4/1", MODEL.chunks[3], "bad-segment"),
    "nothing": ("weights/0/1", b"", "bad-segment"),
    "short": ("weights/0/1", MODEL.segment(0, 4)[:-1], "bad-segment"),
    "over-long": ("weights/0/1", MODEL.segment(0, 4) + b"x", "bad-segment"),
    "over-long by a chunk": ("weights/0/1", MODEL.segment(0, 4) + MODEL.chunks[0], "bad-segment"),
    "another place": ("weights/0/1", MODEL.segment(1, 3), "malformed-input"),
    "altered": ("weights/0/1", MODEL.segment(0, 4)[:-1] + b"x", "malformed-input"),
    "no first chunk": ("weights", MODEL.segment(0, 4), "out-of-order"),
    "a first chunk that is no number": ("weights/x/1", MODEL.segment(0, 4), "out-of-order"),
    "a negative one": ("weights/-1/1", MODEL.segment(0, 4), "out-of-order"),
    "another spelling": ("weights/00/1", MODEL.segment(0, 4), "out-of-order"),
    "other digits": ("weights/٣/1", MODEL.segment(0, 4), "out-of-order"),
    "a huge one": ("weights/" + "9" * 5000 + "/1", MODEL.segment(0, 4), "out-of-order"),
    "no step": ("weights/0", MODEL.segment(0, 4), "out-of-order"),
    "a step of nothing": ("weights/0/0", MODEL.segment(0, 4), "out-of-order"),
    "a step that is no number": ("weights/0/x", MODEL.segment(0, 4), "out-of-order"),
    "a huge step": ("weights/0/" + "9" * 5000, MODEL.segment(0, 4), "out-of-order"),
    "more path": ("weights/0/1/1", MODEL.segment(0, 4), "out-of-order"),
    "another head": ("head", HEAD, "out-of-order"),
}


@pytest.mark.parametrize("what", SPOILED)
async def test_a_spoiled_segment_ends_the_enclave(enclave: Enclave, what: str) -> None:
    path, body, code = SPOILED[what]
    assert await enclave.put(path, body) == []
    assert enclave.codes == [code]
    assert enclave.loaded == []


async def test_a_missing_segment_ends_the_enclave(enclave: Enclave, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "STALL_S", 0.05)
    await asyncio.gather(enclave.segment(0, 2), enclave.segment(3, 4))
    assert enclave.codes == ["input-incomplete"]


async def test_a_connection_that_breaks_off_ends_the_enclave(enclave: Enclave) -> None:
    incoming: list[Message] = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": MODEL.segment(0, 2), "more_body": True},
    ]

    async def take() -> Message:
        return incoming.pop()

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "PUT", "path": "/boot/models/big/weights/0/1"}
    await enclave.control(scope, take, send)
    assert enclave.codes == ["input-incomplete"]


async def test_the_first_refusal_is_the_one_that_is_told(enclave: Enclave, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "STALL_S", 0.2)
    waiting = asyncio.create_task(enclave.segment(0, 2))
    await asyncio.sleep(0.1)
    await enclave.put("weights/9/1", b"x")
    assert await waiting == []
    assert enclave.codes == ["bad-segment"]


async def test_a_segment_that_comes_after_the_end_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    enclave = Enclave(models=(MODEL, SMALL))
    await enclave.to_key_checked(monkeypatch)
    for model in (MODEL, SMALL):
        await enclave.put("head", model.cipher.head.to_bytes(), model.id)
    ended = asyncio.Event()

    async def take() -> Message:
        await ended.wait()
        return {"type": "http.request", "body": SMALL.chunks[0], "more_body": False}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "PUT", "path": "/boot/models/small/weights/0/1"}
    segment = asyncio.create_task(enclave.control(scope, take, send))
    await asyncio.sleep(0)
    await enclave.put("weights/9/1", b"x")
    ended.set()
    await segment
    assert enclave.codes == ["bad-segment"]


async def test_the_same_data_key_opens_nothing_for_another_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if KMS, or who claims to be it, gave the key under another context."""
    enclave = Enclave(tenant="other")
    await enclave.to_key_checked(monkeypatch)
    assert len(await enclave.put("head", HEAD)) == 2
    assert await enclave.segment(0, 4) == []
    assert enclave.codes == ["malformed-input"]


@pytest.mark.parametrize("head", [HEAD + b"x", HEAD[:-1], b""])
async def test_a_head_is_whole_and_alone(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    enclave = Enclave()
    await enclave.to_key_checked(monkeypatch)
    assert await enclave.put("head", head) == []
    assert enclave.codes == ["malformed-input"]


OTHER_HEADS = [structs.replace(MODEL.cipher.head, model="small"), structs.replace(MODEL.cipher.head, version="2")]


@pytest.mark.parametrize("head", OTHER_HEADS, ids=["of another model", "of another version"])
async def test_a_head_is_the_models_own(monkeypatch: pytest.MonkeyPatch, head: SealedWeightsHead) -> None:
    enclave = Enclave(models=(MODEL, SMALL))
    await enclave.to_key_checked(monkeypatch)
    assert await enclave.put("head", head.to_bytes()) == []
    assert enclave.codes == ["out-of-order"]


async def test_a_head_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    enclave = Enclave(models=(MODEL, SMALL))
    await enclave.to_key_checked(monkeypatch)
    assert len(await enclave.put("head", HEAD)) == 2
    assert await enclave.put("head", HEAD) == []
    assert enclave.codes == ["out-of-order"]


async def test_kms_is_asked_under_the_context_that_the_weights_are_sealed_under(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, dict[str, str], bytes]] = []

    def unwrap(client: KMSClient, key: KeyEntry, context: dict[str, str], wrapped: bytes) -> bytes:
        asked.append((key.arn, context, wrapped))
        return DATA_KEY

    enclave = Enclave()
    await enclave.to_key_checked(monkeypatch)
    monkeypatch.setattr(KMSClient, "unwrap", unwrap)
    await enclave.put("head", HEAD)
    assert asked == [(ARN, context_of("big"), b"w")]


async def test_the_api_opens_when_all_models_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    enclave = Enclave(models=(MODEL, SMALL))
    await enclave.to_key_checked(monkeypatch)
    await enclave.put("head", HEAD)
    assert enclave.at(BootState.KEY_CHECKED)
    await enclave.put("head", SMALL.cipher.head.to_bytes(), "small")
    assert enclave.at(BootState.RELEASED)
    await enclave.put("weights/0/1", SMALL.chunks[0], "small")
    assert enclave.at(BootState.RELEASED)
    assert not enclave.boot.ready.is_set()
    await enclave.segment(0, 4)
    assert enclave.at(BootState.READY)
    assert enclave.loaded == [SMALL.files, MODEL.files]


async def test_models_may_come_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    enclave = Enclave(models=(MODEL, SMALL))
    await enclave.to_key_checked(monkeypatch)
    for model in (SMALL, MODEL):
        await enclave.put("head", model.cipher.head.to_bytes(), model.id)
    both = (enclave.segment(2, 4), enclave.put("weights/0/1", SMALL.chunks[0], "small"), enclave.segment(0, 2))
    assert statuses(await asyncio.gather(*both)) == [[204]] * 3
    assert enclave.at(BootState.READY)
    assert enclave.loaded == [SMALL.files, MODEL.files]


async def test_a_loaded_model_is_not_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    enclave = Enclave(models=(MODEL, SMALL))
    await enclave.to_key_checked(monkeypatch)
    for model in (MODEL, SMALL):
        await enclave.put("head", model.cipher.head.to_bytes(), model.id)
    await enclave.put("weights/0/1", SMALL.chunks[0], "small")
    assert await enclave.put("weights/0/1", SMALL.chunks[0], "small") == []
    assert enclave.codes == ["out-of-order"]
    assert enclave.loaded == [SMALL.files]
