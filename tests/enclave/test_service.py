"""One sealed request inside the enclave: what is refused outside the seal is of the fixed set (R20)."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from enclave.serving.refused import Refused
from strongroom.protocol.configuration import Limits
from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM
from strongroom.protocol.contents import join_text
from strongroom.protocol.payloads import (
    MAX_SPANS,
    ChatTask,
    ClassifyTask,
    CompleteTask,
    DescribeTask,
    Description,
    EmbedTask,
    Event,
    Failure,
    GenerationEnd,
    InferTask,
    Message,
    Outputs,
    Span,
    Tags,
    TagTask,
    Task,
    TextDelta,
)
from strongroom.protocol.problems import Problem
from strongroom.protocol.requests import RequestOpener
from strongroom.protocol.suites import KEMKeyPair, Suite
from strongroom.protocol.tensors import Port, Tensor
from tests.enclave.caller import CHAT, INFER, Caller, ready


@pytest.fixture
async def caller(decoder_dir: Path, tensor_dir: Path) -> Caller:
    return await ready(decoder_dir, tensor_dir)


async def refusal(caller: Caller, message: bytes) -> Problem:
    with pytest.raises(Refused) as caught:
        await caller.service.open(message)
    return caught.value.problem


async def test_a_chat_whole_and_streamed_says_the_same(caller: Caller) -> None:
    once, many = await caller.ask(caller.seal()), await caller.ask(caller.seal(stream=True))
    whole, streamed = once.events, many.events
    assert len(once.pieces) == 2
    assert len(many.pieces) >= 3
    text = "".join(event.text for event in streamed if isinstance(event, TextDelta))
    assert isinstance(whole[-1], GenerationEnd)
    assert whole[-1] == streamed[-1]
    assert [event.text for event in whole if isinstance(event, TextDelta)] == ([text] if text else [])


async def test_log_probabilities_whole_and_streamed_are_the_same(caller: Caller) -> None:
    task = CompleteTask("hello", max_tokens=24, temperature=1.0, seed=1, logprobs=2)
    once, many = await caller.ask(caller.seal(task)), await caller.ask(caller.seal(task, stream=True))
    [whole] = [event for event in once.events if isinstance(event, TextDelta)]
    streamed = [event for event in many.events if isinstance(event, TextDelta)]
    assert len(streamed) == 24
    assert join_text(streamed) == [whole]
    assert len(whole.logprobs or ()) == 24


async def test_the_media_type_of_the_answer_is_the_one_asked_for(caller: Caller) -> None:
    assert (await caller.service.open(caller.seal())).media_type == MEDIA_SEALED_RESPONSE
    assert (await caller.service.open(caller.seal(stream=True))).media_type == MEDIA_SEALED_STREAM


async def test_a_tensor_model_answers(caller: Caller) -> None:
    [event] = (await caller.ask(caller.seal(INFER, model="tiny-tensor"))).events
    assert isinstance(event, Outputs)
    [output] = event.tensors.values()
    assert (output.dtype, output.shape) == ("float32", [1, 3])


@pytest.mark.parametrize("stream", [False, True])
async def test_every_model_says_what_it_is(caller: Caller, stream: bool) -> None:
    said = [
        (await caller.ask(caller.seal(DescribeTask(), model=model, stream=stream))).events
        for model in ("tiny-decoder", "tiny-tensor")
    ]
    x, y = Port("x", "float32", ["n", 4]), Port("y", "float32", ["n", 3])
    assert said == [[Description("1", "chat", [], [])], [Description("1", "infer", [x], [y])]]


@pytest.mark.parametrize(
    ("task", "model", "code"),
    [
        (CHAT, "no-such-model", "unknown-model"),
        (DescribeTask(), "no-such-model", "unknown-model"),
        (CHAT, "tiny-tensor", "wrong-task"),
        (EmbedTask(texts=["x"]), "tiny-decoder", "wrong-task"),
        (ChatTask(messages=[Message("user", "x" * 5000)]), "tiny-decoder", "too-long"),
        (ChatTask(messages=[Message("user", "x")], max_tokens=5000), "tiny-decoder", "too-long"),
        (CompleteTask("x" * 5000), "tiny-decoder", "too-long"),
        (CompleteTask("x", max_tokens=5000), "tiny-decoder", "too-long"),
        (CompleteTask("x"), "tiny-tensor", "wrong-task"),
        (ClassifyTask(["x"]), "tiny-decoder", "wrong-task"),
        (TagTask(["x"]), "tiny-tensor", "wrong-task"),
        (InferTask(tensors={"y": Tensor("float32", [1, 4], b"\0" * 16)}), "tiny-tensor", "invalid-tensor"),
        (InferTask(tensors={"x": Tensor("float32", [1, 4], b"\0" * 15)}), "tiny-tensor", "invalid-tensor"),
    ],
)
async def test_a_failure_inside_the_seal_is_an_answer_of_one_size(
    caller: Caller, task: Task, model: str, code: str
) -> None:
    refused = await caller.ask(caller.seal(task, model=model))
    [event] = refused.events
    assert isinstance(event, Failure)
    assert event.code == code
    answered = await caller.ask(caller.seal(INFER, model="tiny-tensor"))
    assert isinstance(answered.events[0], Outputs)
    assert len(refused.pieces[-1]) == len(answered.pieces[-1])


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
        assert await refusal(caller, bad) is Problem.REJECTED


async def test_a_request_sealed_with_a_foreign_key_is_stale_before_it_is_opened(caller: Caller) -> None:
    foreign = RequestOpener(KEMKeyPair.from_seed(Suite.XWING, b"z" * 32)).configuration
    message = bytearray(caller.seal(key=foreign))
    assert await refusal(caller, bytes(message)) is Problem.STALE_KEY
    message[-1] ^= 1
    assert await refusal(caller, bytes(message)) is Problem.STALE_KEY


async def test_a_replay_is_refused_and_forgeries_do_not_fill_the_cache(caller: Caller) -> None:
    message = caller.seal()
    await caller.service.open(message)
    assert await refusal(caller, message) is Problem.REPLAYED
    request_id = b"r" * 16
    forged = bytearray(caller.seal(request_id=request_id))
    forged[-1] ^= 1
    assert await refusal(caller, bytes(forged)) is Problem.REJECTED
    await caller.service.open(caller.seal(request_id=request_id))


async def test_a_full_replay_cache_refuses_rather_than_forgets(tensor_dir: Path) -> None:
    caller = await ready(tensor_dir, limits=Limits(replay_entries=64))
    first = caller.seal()
    await caller.service.open(first)
    for _ in range(63):
        await caller.service.open(caller.seal())
    for _ in range(640):
        assert await refusal(caller, caller.seal()) is Problem.BUSY
    assert await refusal(caller, first) is Problem.REPLAYED


@pytest.mark.parametrize("age_ms", [-300_000, 0, 300_000])
async def test_the_window_and_the_memory_of_an_id_end_together(
    caller: Caller, age_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_ms = caller.clock.now_ms()
    monkeypatch.setattr(caller.clock, "now_ms", lambda: start_ms)
    assert await refusal(caller, caller.seal(age_ms=-300_001)) is Problem.REJECTED
    assert await refusal(caller, caller.seal(age_ms=300_001)) is Problem.REJECTED
    message = caller.seal(age_ms=age_ms)
    await caller.service.open(message)
    for after_ms, problem in ((300_000, Problem.REPLAYED), (300_001, Problem.REJECTED)):
        monkeypatch.setattr(caller.clock, "now_ms", lambda at_ms=start_ms - age_ms + after_ms: at_ms)
        assert await refusal(caller, message) is problem


async def test_an_id_is_used_under_one_suite_only(caller: Caller) -> None:
    first, second = (
        caller.seal(key=key, request_id=b"r" * 16) for key in caller.enclave.boot.identity.keys.configurations
    )
    await caller.service.open(first)
    assert await refusal(caller, second) is Problem.REPLAYED


async def test_the_x25519_suite_serves_too(caller: Caller) -> None:
    caller.key = caller.enclave.boot.identity.keys.configurations[1]
    assert caller.key.suite is Suite.X25519
    [event] = (await caller.ask(caller.seal(INFER, model="tiny-tensor"))).events
    assert isinstance(event, Outputs)


async def test_the_same_request_at_two_boots_never_shares_a_key(tensor_dir: Path) -> None:
    first, second = await ready(tensor_dir), await ready(tensor_dir)
    assert await refusal(second, first.seal()) is Problem.STALE_KEY


async def test_an_answer_that_no_client_would_take_is_a_failure(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enclave.serving.answers.MAX_ANSWER_BYTES", 16)
    [event] = (await caller.ask(caller.seal(INFER, model="tiny-tensor"))).events
    assert isinstance(event, Failure)
    assert event.code == "too-long"


async def test_more_spans_than_a_client_takes_are_a_failure(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(model: str, task: Task) -> AsyncGenerator[Event, None]:
        yield Tags([[Span(0, 1, "x", 1.0)] * MAX_SPANS, [Span(0, 1, "x", 1.0)] * more])

    monkeypatch.setattr(caller.enclave.engine, "run", run)
    for more in (0, 1):
        [event] = (await caller.ask(caller.seal(TagTask(["x", "x"]), model="tiny-tensor"))).events
        assert isinstance(event, Failure if more else Tags)


async def test_what_the_clock_says_while_a_request_opens_changes_nothing(caller: Caller) -> None:
    message = caller.seal()
    real, instants = caller.clock.now_ms, list[int]()

    def now_ms() -> int:
        instants.append(real())
        return instants[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(caller.clock, "now_ms", now_ms)
        admitted = await caller.service.open(message)
    assert admitted.at_ms == instants[-1]
