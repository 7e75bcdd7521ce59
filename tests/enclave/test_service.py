"""One sealed request inside the enclave: what is refused outside the seal is of the fixed set (R20)."""

import secrets
from pathlib import Path

import numpy as np
import pytest

from enclave.serving.service import InferenceService, Refused
from strongroom.protocol.configuration import Limits
from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM
from strongroom.protocol.events import decode_events
from strongroom.protocol.keys import KeyConfiguration
from strongroom.protocol.payloads import (
    ChatEnd,
    ChatTask,
    EmbedTask,
    Event,
    Failure,
    InferTask,
    Message,
    Outputs,
    Request,
    Task,
    TextDelta,
)
from strongroom.protocol.problems import Problem
from strongroom.protocol.requests import RequestOpener, seal_request
from strongroom.protocol.responses import ResponseOpener
from strongroom.protocol.suites import KEMKeyPair, Suite
from strongroom.protocol.tensors import Tensor
from tests.enclave.deployment import Booting, configuration

CHAT = ChatTask(messages=[Message("user", "hello")], max_tokens=4)
INFER = InferTask(tensors={"x": Tensor("float32", [1, 4], np.ones((1, 4), "<f4").tobytes())})


class Caller:
    """A client in the same process: seals with the enclave's key, opens its answers."""

    def __init__(self, enclave: Booting, service: InferenceService) -> None:
        self.enclave, self.service = enclave, service
        self.key = enclave.boot.identity.keys.configurations[0]
        self.secret = secrets.token_bytes(32)

    def seal(
        self,
        task: Task = CHAT,
        *,
        stream: bool = False,
        model: str = "tiny-decoder",
        age_ms: int = 0,
        key: KeyConfiguration | None = None,
        request_id: bytes | None = None,
    ) -> bytes:
        return seal_request(
            Request(self.secret, stream, task),
            key or self.key,
            request_id=request_id or secrets.token_bytes(16),
            at_ms=self.enclave.boot.identity.clock.now_ms() - age_ms,
            model=model,
        )

    async def ask(self, message: bytes) -> tuple[list[Event], list[bytes]]:
        opened = self.service.open(message)
        pieces = [piece async for piece in self.service.answer(opened)]
        reader = ResponseOpener(self.secret, message, opened.media_type)
        events = [event for piece in pieces for body in reader.feed(piece) for event in decode_events(body)]
        reader.finish()
        return events, pieces


@pytest.fixture
async def caller(decoder_dir: Path, tensor_dir: Path) -> Caller:
    return await ready(decoder_dir, tensor_dir)


async def ready(*packages: Path, limits: Limits | None = None) -> Caller:
    """An enclave whose models are loaded, without the KMS steps in between."""
    from strongroom.models.package import load_package

    enclave = Booting(list(packages), configuration=configuration(limits=limits))
    await enclave.to_catalogued()
    for package in packages:
        _, manifest, paths = load_package(package)
        enclave.engine.load(manifest, {name: path.read_bytes() for name, path in paths.items()})
    return Caller(enclave, InferenceService(enclave.boot, enclave.engine))


def refusal(caller: Caller, message: bytes) -> Problem:
    with pytest.raises(Refused) as caught:
        caller.service.open(message)
    return caught.value.problem


async def test_a_chat_whole_and_streamed_says_the_same(caller: Caller) -> None:
    whole, pieces = await caller.ask(caller.seal())
    streamed, many = await caller.ask(caller.seal(stream=True))
    assert len(pieces) == 2
    assert len(many) >= 3
    text = "".join(event.text for event in streamed if isinstance(event, TextDelta))
    assert isinstance(whole[-1], ChatEnd)
    assert whole[-1] == streamed[-1]
    assert [event.text for event in whole if isinstance(event, TextDelta)] == ([text] if text else [])


async def test_the_media_type_of_the_answer_is_the_one_asked_for(caller: Caller) -> None:
    assert caller.service.open(caller.seal()).media_type == MEDIA_SEALED_RESPONSE
    assert caller.service.open(caller.seal(stream=True)).media_type == MEDIA_SEALED_STREAM


async def test_a_tensor_model_answers(caller: Caller) -> None:
    [event], _ = await caller.ask(caller.seal(INFER, model="tiny-tensor"))
    assert isinstance(event, Outputs)
    [output] = event.tensors.values()
    assert (output.dtype, output.shape) == ("float32", [1, 3])


@pytest.mark.parametrize(
    ("task", "model", "code"),
    [
        (CHAT, "no-such-model", "unknown-model"),
        (CHAT, "tiny-tensor", "wrong-task"),
        (EmbedTask(texts=["x"]), "tiny-decoder", "wrong-task"),
        (ChatTask(messages=[Message("user", "x" * 5000)]), "tiny-decoder", "too-long"),
        (ChatTask(messages=[Message("user", "x")], max_tokens=5000), "tiny-decoder", "too-long"),
        (InferTask(tensors={"y": Tensor("float32", [1, 4], b"\0" * 16)}), "tiny-tensor", "invalid-tensor"),
        (InferTask(tensors={"x": Tensor("float32", [1, 4], b"\0" * 15)}), "tiny-tensor", "invalid-tensor"),
    ],
)
async def test_a_failure_inside_the_seal_is_an_answer_of_one_size(
    caller: Caller, task: Task, model: str, code: str
) -> None:
    [event], pieces = await caller.ask(caller.seal(task, model=model))
    assert isinstance(event, Failure)
    assert event.code == code
    ok, good = await caller.ask(caller.seal(INFER, model="tiny-tensor"))
    assert isinstance(ok[0], Outputs)
    assert len(pieces[-1]) == len(good[-1])


async def test_whatever_does_not_open_is_rejected(caller: Caller) -> None:
    message = caller.seal()
    altered = bytearray(message)
    altered[-1] ^= 1
    future, past = caller.seal(age_ms=-301_000), caller.seal(age_ms=301_000)
    for bad in (
        b"",
        message[:40],
        message[:-1],
        bytes(altered),
        message + b"x",
        b"SRQ\x02" + message[4:],
        future,
        past,
    ):
        assert refusal(caller, bad) is Problem.REJECTED


async def test_a_request_sealed_with_a_foreign_key_is_stale_before_it_is_opened(caller: Caller) -> None:
    foreign = RequestOpener(KEMKeyPair.from_seed(Suite.XWING, b"z" * 32)).configuration
    message = bytearray(caller.seal(key=foreign))
    assert refusal(caller, bytes(message)) is Problem.STALE_KEY
    message[-1] ^= 1
    assert refusal(caller, bytes(message)) is Problem.STALE_KEY


async def test_a_replay_is_refused_and_forgeries_do_not_fill_the_cache(caller: Caller) -> None:
    message = caller.seal()
    caller.service.open(message)
    assert refusal(caller, message) is Problem.REPLAYED
    request_id = b"r" * 16
    forged = bytearray(caller.seal(request_id=request_id))
    forged[-1] ^= 1
    assert refusal(caller, bytes(forged)) is Problem.REJECTED
    caller.service.open(caller.seal(request_id=request_id))


async def test_a_full_replay_cache_refuses_rather_than_forgets(tensor_dir: Path) -> None:
    caller = await ready(tensor_dir, limits=Limits(replay_entries=64))
    first = caller.seal()
    caller.service.open(first)
    for _ in range(63):
        caller.service.open(caller.seal())
    assert refusal(caller, caller.seal()) is Problem.BUSY
    assert refusal(caller, first) is Problem.REPLAYED


async def test_the_x25519_suite_serves_too(caller: Caller) -> None:
    caller.key = caller.enclave.boot.identity.keys.configurations[1]
    assert caller.key.suite is Suite.X25519
    [event], _ = await caller.ask(caller.seal(INFER, model="tiny-tensor"))
    assert isinstance(event, Outputs)


async def test_the_same_request_at_two_boots_never_shares_a_key(tensor_dir: Path) -> None:
    first, second = await ready(tensor_dir), await ready(tensor_dir)
    assert refusal(second, first.seal()) is Problem.STALE_KEY


async def test_an_answer_that_no_client_would_take_is_a_failure(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enclave.serving.service.MAX_CHUNK_BODY_BYTES", 16)
    [event], _ = await caller.ask(caller.seal(INFER, model="tiny-tensor"))
    assert isinstance(event, Failure)
    assert event.code == "too-long"


async def test_time_that_passes_while_a_request_opens_changes_nothing(caller: Caller) -> None:
    message = caller.seal()
    instants: list[int] = []
    clock, admit = caller.enclave.boot.identity.clock, caller.service._replay.admit
    real = clock.now_ms

    def now_ms() -> int:
        instants.append(real() - 10_000 * len(instants))
        return instants[-1]

    admitted: list[int] = []

    def recording(request_id: bytes, at_ms: int) -> None:
        admitted.append(at_ms)
        admit(request_id, at_ms)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now_ms", now_ms)
        patch.setattr(caller.service._replay, "admit", recording)
        caller.service.open(message)
    assert admitted == instants
