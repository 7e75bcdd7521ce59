"""What the host learns from metrics by asking around a request: nothing, until enough others came (review R21)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from attestation.receipt_claims import Outcome
from enclave.engine.observation import ModelObserver, Observer
from enclave.serving.metrics import PublishedMetrics
from enclave.serving.pace import StreamPace
from enclave.serving.receipts import Progress
from strongroom.models.tiny import build_tiny_encoder
from strongroom.protocol.constants import MEDIA_METRICS
from strongroom.protocol.metrics import BOUNDS, BUCKETS, Metrics, Series
from strongroom.protocol.payloads import ChatTask, EmbedTask, InferTask, Message, Task
from strongroom.protocol.tensors import Tensor
from tests.enclave.caller import INFER, Caller, ready
from tests.enclave.test_api import app_of

SAMPLE = 20
LONG = ChatTask([Message("user", "hello " * 40)], max_tokens=40)
SHORT = ChatTask([Message("user", "h")], max_tokens=2)
MANY, ONE = EmbedTask(["some text " * 8] * 64), EmbedTask(["x"])


@pytest.fixture(autouse=True)
def _unprobed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child that tries a graph first takes most of the time, and has tests of its own."""
    monkeypatch.setattr("enclave.engine.loading.probe", lambda *_: None)


@pytest.fixture(scope="module")
def encoder_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_encoder(tmp_path_factory.mktemp("packages") / "tiny-encoder")


@pytest.fixture
async def caller(decoder_dir: Path, encoder_dir: Path, tensor_dir: Path) -> AsyncIterator[Caller]:
    caller = await ready(decoder_dir, encoder_dir, tensor_dir)
    yield caller
    caller.enclave.engine.close()


async def scraped(caller: Caller) -> dict[str, dict[Series, list[int]]]:
    """The answer to GET /v1/metrics, by model."""
    media_type, body = await app_of(caller)._get("/v1/metrics", b"")
    assert media_type == MEDIA_METRICS
    return {each.model: dict(each.counts) for each in Metrics.from_bytes(body).models}


async def asked(caller: Caller, task: Task, model: str, times: int = 1, *, stream: bool = False) -> None:
    for _ in range(times):
        await caller.ask(caller.seal(task, model=model, stream=stream))


def counted(caller: Caller, model: str) -> dict[Series, int]:
    """How many observations each series of the model has, published or not."""
    return {series: sum(counts) for series, counts in caller.enclave.engine.observer.of(model).counts().items()}


async def test_asking_around_one_request_tells_nothing(caller: Caller) -> None:
    metrics = caller.service.metrics
    await asked(caller, SHORT, "tiny-decoder", SAMPLE)
    metrics.publish()
    before = await scraped(caller)
    assert before["tiny-decoder"]["answers"] == [SAMPLE, 0, 0]
    await asked(caller, LONG, "tiny-decoder")
    assert await scraped(caller) == before
    metrics.publish()
    assert await scraped(caller) == before


async def test_a_series_appears_with_its_sample_and_not_before(caller: Caller) -> None:
    metrics = caller.service.metrics
    await asked(caller, INFER, "tiny-tensor", SAMPLE - 1)
    metrics.publish()
    assert await scraped(caller) == {}
    await asked(caller, INFER, "tiny-tensor")
    assert await scraped(caller) == {}, "expected no change between two publications"
    metrics.publish()
    found = await scraped(caller)
    assert found.keys() == {"tiny-tensor"}
    assert found["tiny-tensor"].keys() == {"answers", "queue_seconds"}


async def test_a_rare_series_waits_for_its_own_sample(caller: Caller) -> None:
    metrics = caller.service.metrics
    await asked(caller, SHORT, "tiny-decoder", SAMPLE)
    await asked(caller, SHORT, "tiny-decoder", stream=True)
    metrics.publish()
    assert "first_token_seconds" not in (await scraped(caller))["tiny-decoder"]


@pytest.mark.parametrize(
    ("small", "large", "model"),
    [(SHORT, LONG, "tiny-decoder"), (ONE, MANY, "tiny-encoder")],
    ids=["tokens", "texts"],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_how_much_a_request_asks_for_changes_no_number_of_observations(
    caller: Caller, small: Task, large: Task, model: str, stream: bool
) -> None:
    await asked(caller, large, model, stream=stream)
    after_large = counted(caller, model)
    assert set(after_large.values()) <= {0, 1}
    await asked(caller, small, model, stream=stream)
    assert {count - after_large[series] for series, count in counted(caller, model).items()} <= {0, 1}


async def test_of_a_whole_answer_no_time_of_its_tokens_is_counted(caller: Caller) -> None:
    await asked(caller, LONG, "tiny-decoder")
    assert counted(caller, "tiny-decoder") == dict.fromkeys(BUCKETS, 0) | {
        "answers": 1, "queue_seconds": 1, "slots_in_use": 1,
    }  # fmt: skip


async def test_each_kind_of_model_has_its_series(caller: Caller) -> None:
    await asked(caller, LONG, "tiny-decoder", stream=True)
    await asked(caller, MANY, "tiny-encoder")
    await asked(caller, INFER, "tiny-tensor")
    found = {
        model: {series for series, count in counted(caller, model).items() if count}
        for model in ("tiny-decoder", "tiny-encoder", "tiny-tensor")
    }
    assert found == {
        "tiny-decoder": {"answers", "queue_seconds", "slots_in_use", "first_token_seconds", "token_seconds"},
        "tiny-encoder": {"answers", "queue_seconds", "batch_texts"},
        "tiny-tensor": {"answers", "queue_seconds"},
    }


async def test_outcomes_are_counted_once_for_each_answer(caller: Caller) -> None:
    await asked(caller, InferTask({"y": Tensor("float32", [1, 4], bytes(16))}), "tiny-tensor")
    await asked(caller, INFER, "tiny-tensor")
    pieces = caller.service.answer(await caller.service.open(caller.seal(INFER, model="tiny-tensor")))
    await anext(pieces)
    await pieces.aclose()
    assert caller.enclave.engine.observer.of("tiny-tensor").counts()["answers"] == (1, 1, 1)


async def test_an_answer_whose_receipt_is_made_in_a_second_try_counts_once(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipts = caller.service._answers._receipts
    issue, tries = receipts.issue, list[Outcome]()

    def issue_if_tried(progress: Progress, outcome: Outcome) -> bytes:
        tries.append(outcome)
        if len(tries) == 1:
            raise MemoryError
        return issue(progress, outcome)

    monkeypatch.setattr(receipts, "issue", issue_if_tried)
    with pytest.raises(MemoryError):
        await asked(caller, INFER, "tiny-tensor")
    assert tries == [Outcome.COMPLETE, Outcome.CANCELLED]
    assert caller.enclave.engine.observer.of("tiny-tensor").counts()["answers"] == (0, 0, 1)


async def test_no_caller_puts_a_name_into_the_metrics(caller: Caller) -> None:
    await asked(caller, INFER, "no-such-model", SAMPLE)
    caller.service.metrics.publish()
    assert await scraped(caller) == {}
    assert caller.enclave.engine.observer.counts().keys() == {"tiny-decoder", "tiny-encoder", "tiny-tensor"}


async def test_publications_come_at_a_fixed_pace_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    observer, slept = Observer(), list[float]()
    metrics = PublishedMetrics(observer, every_s=60, sample=SAMPLE)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError
        observe_some(observer)

    monkeypatch.setattr("enclave.serving.metrics.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await metrics.run()
    assert slept == [60] * 3
    [published] = Metrics.from_bytes(metrics.to_bytes()).models
    assert sum(published.counts["queue_seconds"]) == 2 * SAMPLE


async def test_a_publication_for_which_memory_is_short_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a request that takes all memory for an instant would end the publisher, and the enclave with it."""
    metrics, published = PublishedMetrics(Observer(), every_s=60, sample=SAMPLE), list[int]()

    def publish() -> None:
        published.append(len(published))
        if len(published) == 1:
            raise MemoryError

    async def sleep(_: float) -> None:
        if len(published) == 2:
            raise asyncio.CancelledError

    monkeypatch.setattr(metrics, "publish", publish)
    monkeypatch.setattr("enclave.serving.metrics.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await metrics.run()
    assert published == [0, 1]


def observe_some(observer: Observer) -> None:
    for _ in range(SAMPLE):
        observer.add("m").observe("queue_seconds", 0.2)


@pytest.mark.parametrize(("value", "bucket"), [(0, 0), (0.001, 0), (0.0011, 1), (10, 7), (10.1, 8), (1e9, 8)], ids=str)
def test_a_bucket_holds_its_upper_end(value: float, bucket: int) -> None:
    observer = ModelObserver()
    observer.observe("queue_seconds", value)
    assert observer.counts()["queue_seconds"].index(1) == bucket
    assert len(observer.counts()["queue_seconds"]) == len(BOUNDS["queue_seconds"]) + 1


def test_what_was_counted_of_a_model_outlives_its_eviction() -> None:
    observer = Observer()
    observer.add("m").answered("complete")
    observer.add("m").answered("failed")
    assert observer.counts()["m"]["answers"] == (1, 1, 0)


def test_the_pace_of_a_stream() -> None:
    instants = iter([10.0, 10.2, 10.5, 11.0])
    observer = ModelObserver()
    pace = StreamPace(observer, clock_s=lambda: next(instants))
    for _ in range(3):
        pace.piece()
    pace.end(tokens=11)
    expected = ModelObserver()
    expected.observe("first_token_seconds", 0.2)
    expected.observe("token_seconds", 0.08)
    assert observer.counts() == expected.counts()


def test_a_stream_that_did_not_come_to_its_end_has_no_pace() -> None:
    observer = ModelObserver()
    pace = StreamPace(observer)
    pace.piece()
    pace.piece()
    pace.end(tokens=None)
    assert sum(observer.counts()["first_token_seconds"]) == 1
    assert sum(observer.counts()["token_seconds"]) == 0
