"""The runner: streams side by side, bounded, in order of arrival, ended within a step."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from enclave.engine.errors import EngineBusy, InferenceFailed, TooLong, WrongTask
from enclave.engine.generation.batch import Batch
from enclave.engine.generation.conversation import Conversation
from enclave.engine.generation.model import LanguageModel
from enclave.engine.generation.prompts import PromptEncoder
from enclave.engine.generation.rows import Rows
from enclave.engine.generation.runner import SlotRunner
from enclave.engine.jobs import Listener
from strongroom.protocol.contents import join_text
from strongroom.protocol.payloads import ChatTask, EmbedTask, Event, Message, Task
from tests.enclave.engine.generation.harness import HELLO, LONG, answer, assert_clean, load
from tests.enclave.engine.generation.steps import Steps
from tests.enclave.engine.packages import Package, collect, end_of

ENDLESS = ChatTask(HELLO, max_tokens=400)
SHORT = ChatTask(HELLO, max_tokens=6)


@pytest.fixture(scope="module")
def two_rows(decoder_package: Package) -> LanguageModel:
    return load(decoder_package, slots=2)


@pytest.fixture
def runner(two_rows: LanguageModel) -> Iterator[SlotRunner]:
    runner = SlotRunner(two_rows, max_queued=2)
    yield runner
    runner.close()
    assert not runner._jobs
    assert_clean(two_rows.graph)


@pytest.fixture
def steps(runner: SlotRunner, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    steps = Steps(monkeypatch)
    yield steps
    steps.open()  # whoever still waits in the runner's thread
    runner.close()


async def begun(events: AsyncIterator[Event]) -> "asyncio.Task[list[Event]]":
    """The events in a task of their own, which has asked for them."""
    task = asyncio.ensure_future(collect(events))
    await asyncio.sleep(0)
    return task


async def all_read(runner: SlotRunner) -> None:
    """Wait until the prompts of all tasks so far have been read."""
    await asyncio.wrap_future(runner._pool.submit(lambda: None))


async def has_room(runner: SlotRunner) -> bool:
    """Whether it has some within a second."""
    for _ in range(1000):
        if runner.room:
            return True
        await asyncio.sleep(0.001)
    return False


async def test_more_streams_than_rows_get_the_answers_they_get_alone(
    two_rows: LanguageModel, runner: SlotRunner
) -> None:
    tasks = [
        SHORT,
        ChatTask(LONG, max_tokens=9),
        ChatTask(HELLO, max_tokens=30, temperature=1.0, seed=3),
        ChatTask(LONG, max_tokens=1),
    ]
    alone = [join_text(answer(two_rows, task)) for task in tasks]
    together = await asyncio.gather(*(collect(runner.run(task)) for task in tasks))
    assert [join_text(events) for events in together] == alone


async def test_rows_go_to_who_came_first(
    two_rows: LanguageModel, runner: SlotRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Task] = []
    start = two_rows.start

    def recorded(task: Task, listener: Listener) -> Conversation:
        started.append(task)
        return start(task, listener)

    monkeypatch.setattr(two_rows, "start", recorded)
    tasks = [ChatTask(HELLO, max_tokens=4, seed=number) for number in range(4)]
    await asyncio.gather(*(collect(runner.run(task)) for task in tasks))
    assert started == tasks


async def test_a_full_queue_refuses_and_takes_again(runner: SlotRunner, steps: Steps) -> None:
    reading = [await begun(runner.run(SHORT)) for _ in range(4)]
    assert not runner.room
    with pytest.raises(EngineBusy, match="at most 4 requests"):
        await anext(runner.run(SHORT))
    steps.open()
    await reading[0]
    assert runner.room  # by the time that the end is heard
    await asyncio.gather(*reading)
    assert end_of(await collect(runner.run(SHORT))).completion_tokens == 6


async def test_who_leaves_frees_the_row_within_a_step(runner: SlotRunner, steps: Steps) -> None:
    leaving = runner.run(ENDLESS)
    staying = runner.run(ENDLESS)
    waiting = runner.run(SHORT)
    first = asyncio.ensure_future(anext(leaving))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(anext(staying))
    await asyncio.sleep(0)
    third = await begun(waiting)
    await all_read(runner)
    steps.open(4)  # the first one's prompt and a token, the second one's prompt and a token of both
    await first
    await leaving.aclose()
    await second
    steps.open(1)  # the step under way
    steps.open()
    assert end_of(await third).completion_tokens == 6
    await staying.aclose()


async def test_who_leaves_the_queue_is_forgotten(runner: SlotRunner, steps: Steps) -> None:
    reading = [await begun(runner.run(SHORT)) for _ in range(2)]
    left = await begun(runner.run(SHORT))
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    await all_read(runner)
    steps.open()
    await asyncio.gather(*reading)
    prompts_and_decodes = len(steps.rows)
    assert prompts_and_decodes == 2 + 5  # two prompts, and five tokens of both together


async def test_who_leaves_the_queue_frees_the_place_while_all_rows_are_taken(runner: SlotRunner, steps: Steps) -> None:
    streams = [await begun(runner.run(ENDLESS)) for _ in range(4)]
    streams[3].cancel()
    await asyncio.gather(streams[3], return_exceptions=True)
    await all_read(runner)
    steps.open(20)
    assert await has_room(runner)
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)


async def test_who_leaves_a_row_frees_the_place_before_the_others_step(runner: SlotRunner, steps: Steps) -> None:
    streams = [await begun(runner.run(ENDLESS)) for _ in range(4)]
    await all_read(runner)
    steps.open(3)  # two prompts, a token of both
    await steps.passed(3)
    streams[0].cancel()
    await asyncio.gather(streams[0], return_exceptions=True)
    steps.open(1)  # the step that may be under way, and no other
    assert await has_room(runner)
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)


async def test_a_slow_reader_holds_up_nobody(runner: SlotRunner) -> None:
    slow = runner.run(ENDLESS)
    await anext(slow)
    assert end_of(await collect(runner.run(SHORT))).completion_tokens == 6
    assert end_of(await collect(slow)).completion_tokens == 400


@pytest.mark.parametrize(
    ("task", "error"),
    [
        (EmbedTask(["x"]), WrongTask),
        (ChatTask([Message("user", "x" * 600)]), TooLong),
    ],
)
async def test_a_task_that_is_refused_disturbs_nobody(runner: SlotRunner, task: Any, error: type[Exception]) -> None:
    stream = await begun(runner.run(ENDLESS))
    with pytest.raises(error):
        await collect(runner.run(task))
    assert end_of(await stream).completion_tokens == 400


async def test_streams_go_on_while_a_prompt_is_tokenised(
    two_rows: LanguageModel, runner: SlotRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, finish = threading.Event(), threading.Event()
    start = two_rows.start

    def slow(task: Task, listener: Listener) -> Conversation:
        if task == SHORT:
            started.set()
            assert finish.wait(timeout=10)
        return start(task, listener)

    monkeypatch.setattr(two_rows, "start", slow)
    try:
        stream = runner.run(ENDLESS)
        await anext(stream)
        waiting = await begun(runner.run(SHORT))
        assert await asyncio.to_thread(started.wait, 10)
        assert end_of(await collect(stream)).completion_tokens == 400
    finally:
        finish.set()
    assert end_of(await waiting).completion_tokens == 6


async def test_who_leaves_while_the_prompt_is_tokenised_takes_no_row(
    two_rows: LanguageModel, runner: SlotRunner, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = threading.Event()
    start = two_rows.start

    def slow(task: Task, listener: Listener) -> Conversation:
        assert finish.wait(timeout=10)
        return start(task, listener)

    monkeypatch.setattr(two_rows, "start", slow)
    leaving = [await begun(runner.run(SHORT)) for _ in range(3)]
    for each in leaving:
        each.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    finish.set()
    await all_read(runner)
    steps.open()
    assert end_of(await collect(runner.run(SHORT))).completion_tokens == 6
    assert len(steps.rows) == 6  # of the one that stayed: a prompt and five tokens
    assert runner.room == 4


async def test_a_panic_of_the_tokenizer_is_typed_and_without_content(
    runner: SlotRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Panic(BaseException):
        pass

    def panic(*_: object) -> None:
        raise Panic("my secret prompt")

    with monkeypatch.context() as patched:
        patched.setattr(PromptEncoder, "encode", panic)
        with pytest.raises(InferenceFailed) as caught:
            await collect(runner.run(SHORT))
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None
    assert end_of(await collect(runner.run(SHORT))).completion_tokens == 6


async def test_memory_short_between_two_runs_ends_who_is_there_and_not_the_thread(
    runner: SlotRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(Rows, "leave", fail)
        found = await asyncio.gather(*(collect(runner.run(SHORT)) for _ in range(4)), return_exceptions=True)
    assert [str(error) for error in found] == ["expected the model to finish, got MemoryError"] * 4
    assert runner.room == 4
    assert end_of(await collect(runner.run(SHORT))).completion_tokens == 6


async def test_memory_short_while_all_are_told_so_does_not_stop_the_thread(
    runner: SlotRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear, tries = Batch.clear, list[Batch]()

    def fail(*_: object) -> None:
        raise MemoryError

    def clear_at_last(batch: Batch) -> None:
        tries.append(batch)
        if len(tries) < 3:
            raise MemoryError
        clear(batch)

    with monkeypatch.context() as patched:
        patched.setattr(Rows, "leave", fail)
        patched.setattr(Batch, "clear", clear_at_last)
        async with asyncio.timeout(10):
            with pytest.raises(InferenceFailed, match="MemoryError"):
                await collect(runner.run(SHORT))
    assert end_of(await collect(runner.run(SHORT))).completion_tokens == 6


async def test_closing_ends_who_runs_and_who_waits_within_a_step(runner: SlotRunner, steps: Steps) -> None:
    reading = [await begun(runner.run(ENDLESS)) for _ in range(4)]
    await all_read(runner)
    steps.open(5)
    jobs = list(runner._jobs)
    closing = asyncio.ensure_future(asyncio.to_thread(runner.close))
    for _ in range(5000):
        if all(job.cancellation.cancelled for job in jobs):
            break
        await asyncio.sleep(0.001)
    steps.open(2)  # a prompt and a token of the step under way
    await closing
    for task in reading:
        with pytest.raises(EngineBusy, match="closing"):
            await task
    assert len(steps.rows) <= 7
    with pytest.raises(EngineBusy, match="closing"):
        await collect(runner.run(SHORT))
    assert not runner.room


async def test_an_idle_runner_holds_no_thread_busy(runner: SlotRunner, steps: Steps) -> None:
    steps.open()
    await collect(runner.run(SHORT))
    for _ in range(100):
        if not runner._working:
            break
        await asyncio.sleep(0.01)
    assert not runner._working
    assert end_of(await collect(runner.run(SHORT))).completion_tokens == 6


def test_a_loop_that_ended_does_not_stop_the_runner(runner: SlotRunner) -> None:
    abandoned = runner.run(ENDLESS)

    async def first() -> Event:
        return await anext(abandoned)

    asyncio.run(first())
    assert end_of(asyncio.run(collect(runner.run(SHORT)))).completion_tokens == 6
