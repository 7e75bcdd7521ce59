"""Conversations side by side: each gets what it gets alone, whoever joins, leaves or fails beside it."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from enclave.engine.errors import EngineBusy, InferenceFailed
from enclave.engine.generation.batch import Batch
from enclave.engine.generation.graph import DecoderGraph
from enclave.engine.generation.model import LanguageModel
from enclave.engine.tokenization import Tokenizer
from strongroom.protocol.payloads import Generation
from tests.enclave.engine.generation.harness import Talk, assert_clean, naive_tokens, run
from tests.enclave.engine.packages import Package


@pytest.fixture(scope="module")
def tokenizer(decoder_package: Package) -> Tokenizer:
    return Tokenizer.from_bytes(decoder_package.tokenizer)


def prompt(tokens: int, seed: int = 0) -> list[int]:
    return random.Random(f"{tokens} {seed}").choices(range(3, 200), k=tokens)


@pytest.fixture
def talk(tokenizer: Tokenizer) -> Callable[..., Talk]:
    def made(prompt_tokens: int, max_tokens: int = 12, **options: Any) -> Talk:
        return Talk(tokenizer, prompt(prompt_tokens), Generation(max_tokens=max_tokens, **options))

    return made


def run_as_they_come(batch: Batch, arrivals: Sequence[tuple[int, Talk]]) -> None:
    """Join each at its step, or at the first later one that has room; step until nobody is left."""
    coming = sorted(arrivals, key=lambda arrival: arrival[0])
    step = 0
    while coming or len(batch):
        while coming and coming[0][0] <= step and batch.has_room:
            batch.join(coming.pop(0)[1].conversation)
        batch.step()
        step += 1


def generated(talks: Sequence[Talk]) -> list[list[int]]:
    for talk in talks:
        assert talk.conversation.failure is None
    return [talk.answer.generated for talk in talks]


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_greedy_rows_of_different_lengths_are_the_plain_loop(
    decoder_package: Package, model: LanguageModel, talk: Callable[..., Talk], count: int
) -> None:
    sizes = [(5 + 23 * index, 4 + (3 * index) % 7) for index in range(count)]
    talks = [talk(*size) for size in sizes]
    run(Batch(model.graph), [each.conversation for each in talks])
    assert generated(talks) == [naive_tokens(decoder_package, prompt(length), most) for length, most in sizes]


@pytest.mark.parametrize("seed", range(6))
def test_joining_and_leaving_at_any_step_changes_nothing(
    model: LanguageModel, talk: Callable[..., Talk], seed: int
) -> None:
    source = random.Random(seed)
    plans = [(source.randrange(40), (source.randint(1, 200), source.randint(1, 30))) for _ in range(20)]
    together, alone = ([talk(*size) for _, size in plans] for _ in range(2))
    run_as_they_come(Batch(model.graph), [(start, each) for (start, _), each in zip(plans, together, strict=True)])
    for each in alone:
        run(Batch(model.graph), [each.conversation])
    assert generated(together) == generated(alone)
    assert [each.heard.events for each in together] == [each.heard.events for each in alone]


def test_seeded_answers_and_log_probabilities_do_not_depend_on_neighbours(
    model: LanguageModel, talk: Callable[..., Talk]
) -> None:
    options = [{"temperature": 0.5 + index / 4, "top_p": 0.9, "top_k": 30 * index, "seed": index} for index in range(6)]
    together, alone = ([talk(20 * each["seed"] + 1, logprobs=3, **each) for each in options] for _ in range(2))
    run_as_they_come(Batch(model.graph), [(3 * index, each) for index, each in enumerate(together)])
    for each in alone:
        run(Batch(model.graph), [each.conversation])
    assert generated(together) == generated(alone)
    assert [each.answer.pieces for each in together] == [each.answer.pieces for each in alone]
    assert sum(len(piece.logprobs) for piece in alone[0].answer.pieces) == 12


def test_what_lies_behind_a_row_is_never_read(model: LanguageModel, talk: Callable[..., Talk]) -> None:
    clean, among_poison = ([talk(70), talk(3)] for _ in range(2))
    run(Batch(model.graph), [each.conversation for each in clean])
    for buffer in model.graph.cache.buffers.values():
        buffer[:] = np.nan
    run(Batch(model.graph), [each.conversation for each in among_poison])
    for buffer in model.graph.cache.buffers.values():
        buffer[:] = 0
    assert generated(among_poison) == generated(clean)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """The first row, the rows and the tokens of each run of the graph."""
    seen: list[tuple[int, int, int]] = []
    step = DecoderGraph.step

    def watched(
        graph: DecoderGraph, first: int, tokens: Sequence[Sequence[int]], before: Sequence[int]
    ) -> NDArray[np.float32]:
        seen.append((first, len(tokens), len(tokens[0])))
        return step(graph, first, tokens, before)

    monkeypatch.setattr(DecoderGraph, "step", watched)
    return seen


def test_streams_go_on_while_prompts_are_read(
    model: LanguageModel, talk: Callable[..., Talk], seen: list[tuple[int, int, int]]
) -> None:
    stream, long, short = talk(5, 60), talk(400), talk(30)
    batch = Batch(model.graph)
    batch.join(stream.conversation)
    batch.step()
    batch.step()
    batch.join(long.conversation)
    batch.join(short.conversation)
    while not long.answer.generated:
        batch.step()
    assert [(rows, tokens) for _, rows, tokens in seen] == [
        (1, 5), (1, 1),  # the stream alone
        (1, 64), (1, 30), (1, 64), (2, 1),  # by turns, until READ_TOKENS are reached
        (1, 64), (1, 64), (2, 1),
        (1, 64), (1, 64), (2, 1),
        (1, 16),
    ]  # fmt: skip
    run(batch, [])
    assert_clean(model.graph)


def test_those_that_come_together_decode_together(
    model: LanguageModel, talk: Callable[..., Talk], seen: list[tuple[int, int, int]]
) -> None:
    batch = Batch(model.graph)
    batch.join(talk(20, 3).conversation)
    batch.step()
    for prompt_tokens in (21, 22, 23):  # while the first one was read
        batch.join(talk(prompt_tokens, 3).conversation)
    run(batch, [])
    assert seen == [(row, 1, 20 + row) for row in range(4)] + [(0, 4, 1)] * 2


def test_prompts_that_come_when_all_streams_have_ended_are_read_first(
    model: LanguageModel, talk: Callable[..., Talk], seen: list[tuple[int, int, int]]
) -> None:
    batch = Batch(model.graph)
    run(batch, [talk(5, 3).conversation])
    seen.clear()
    run(batch, [talk(60, 2).conversation for _ in range(4)])
    assert seen == [(row, 1, 60) for row in range(4)] + [(0, 4, 1)]


def test_whoever_has_read_does_not_wait_for_the_whole_of_long_prompts(
    model: LanguageModel, talk: Callable[..., Talk], seen: list[tuple[int, int, int]]
) -> None:
    short, long = talk(9, 3), talk(400)
    run(Batch(model.graph), [long.conversation, short.conversation])
    assert [(rows, tokens) for _, rows, tokens in seen[:3]] == [(1, 64), (1, 9), (1, 1)]


def test_whoever_has_read_does_not_wait_for_all_who_come(model: LanguageModel, talk: Callable[..., Talk]) -> None:
    """Those who come ask for one token: there is always one who has had no chunk, and never another stream."""
    stream = talk(5, 3)
    batch = Batch(model.graph)
    batch.join(stream.conversation)
    for _ in range(model.graph.rows + 4 + 2):  # chunks before the second token, chunks before the third, and these two
        while batch.has_room:
            batch.join(talk(40, 1).conversation)
        batch.step()
    assert stream.conversation.ended
    run(batch, [])
    assert_clean(model.graph)


def test_whoever_has_read_does_not_wait_for_those_who_leave(model: LanguageModel, talk: Callable[..., Talk]) -> None:
    stream, long = talk(5, 2), talk(500, 1)
    batch = Batch(model.graph)
    for each in (stream, long):
        batch.join(each.conversation)
    for _ in range(model.graph.rows + 1):
        leaving = [talk(40, 1) for _ in range(model.graph.rows - len(batch))]
        for each in leaving:
            batch.join(each.conversation)
        batch.step()
        for each in leaving:
            each.heard.cancellation.cancel()
    assert stream.conversation.ended
    run(batch, [])
    assert_clean(model.graph)


def test_a_stream_does_not_wait_for_many_short_prompts(
    model: LanguageModel, talk: Callable[..., Talk], seen: list[tuple[int, int, int]]
) -> None:
    """A run for one token takes a third of the time of one for 32, and not a thirty-second."""
    stream = talk(5, 4)
    batch = Batch(model.graph)
    batch.join(stream.conversation)
    batch.step()
    batch.step()
    seen.clear()
    for _ in range(15):
        batch.join(talk(1, 1).conversation)
    run(batch, [])
    assert [row == 0 for row, _, _ in seen[:10]] == [False, False, False, False, True] * 2


def test_those_that_come_together_decode_together_whatever_came_before(
    model: LanguageModel, talk: Callable[..., Talk], seen: list[tuple[int, int, int]]
) -> None:
    batch = Batch(model.graph)
    for _ in range(2 * model.graph.rows):
        run(batch, [talk(5, 1).conversation])
    seen.clear()
    run(batch, [talk(20, 2).conversation for _ in range(model.graph.rows)])
    assert seen == [(row, 1, 20) for row in range(model.graph.rows)] + [(0, model.graph.rows, 1)]


def test_only_rows_that_decode_are_computed(
    model: LanguageModel, talk: Callable[..., Talk], seen: list[tuple[int, int, int]]
) -> None:
    run(Batch(model.graph), [talk(70, 2).conversation, talk(9, 4).conversation])
    # By turns: 64 of the long prompt, the short one, which decodes then, the rest of the long one, both together.
    assert seen == [(0, 1, 64), (1, 1, 9), (0, 1, 1), (1, 1, 6), (0, 2, 1), (0, 1, 1)]


def test_who_left_is_gone_before_the_next_step(model: LanguageModel, talk: Callable[..., Talk]) -> None:
    reading, decoding, staying = talk(300), talk(5, 100), talk(7, 40)
    batch = Batch(model.graph)
    for each in (decoding, staying, reading):
        batch.join(each.conversation)
    for _ in range(4):
        batch.step()
    for each in (reading, decoding):
        each.heard.cancellation.cancel()
    said = len(decoding.answer.generated)
    assert set(batch.step()) == {reading.conversation, decoding.conversation}
    assert isinstance(decoding.conversation.failure, EngineBusy)
    assert (len(batch), len(decoding.answer.generated)) == (1, said)
    assert not any(buffer[1:].any() for buffer in model.graph.cache.buffers.values())
    run(batch, [])
    alone = talk(7, 40)
    run(Batch(model.graph), [alone.conversation])
    assert generated([staying]) == generated([alone])


def test_logits_that_are_not_finite_end_their_row_only(
    model: LanguageModel, talk: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    talks, alone = ([talk(10 + index, 9) for index in range(3)] for _ in range(2))
    batch = Batch(model.graph)
    for each in talks:
        batch.join(each.conversation)
    for _ in range(4):
        batch.step()
    step = DecoderGraph.step

    def poisoned(*arguments: Any) -> NDArray[np.float32]:
        logits = step(*arguments)
        logits[1, 5] = np.nan
        return logits

    with monkeypatch.context() as patched:
        patched.setattr(DecoderGraph, "step", poisoned)
        assert batch.step() == [talks[1].conversation]
    assert isinstance(talks[1].conversation.failure, InferenceFailed)
    run(batch, [])
    for each in alone:
        run(Batch(model.graph), [each.conversation])
    others = [0, 2]
    assert generated([talks[index] for index in others]) == generated([alone[index] for index in others])


class Panic(BaseException):
    """What a native library raises: no Exception."""


@pytest.mark.parametrize("error", [InferenceFailed("broken"), MemoryError(), Panic("secret")])
def test_a_failed_step_ends_who_took_part_and_the_batch_goes_on(
    model: LanguageModel, talk: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    first, second, reading, later = talk(5, 30), talk(6, 30), talk(300, 3), talk(8, 5)
    batch = Batch(model.graph)
    for each in (first, second):
        batch.join(each.conversation)
    for _ in range(3):
        batch.step()
    batch.join(reading.conversation)

    step = DecoderGraph.step

    def fails_for_two(
        graph: DecoderGraph, first: int, tokens: Sequence[Sequence[int]], before: Sequence[int]
    ) -> NDArray[np.float32]:
        if len(tokens) == 2:
            raise error
        return step(graph, first, tokens, before)

    with monkeypatch.context() as patched:
        patched.setattr(DecoderGraph, "step", fails_for_two)
        while not (ended := batch.step()):  # chunks of the prompt come first
            pass
        assert ended == [first.conversation, second.conversation]
    failures = [each.conversation.failure for each in (first, second)]
    assert all(isinstance(failure, InferenceFailed) for failure in failures)
    assert failures[0] is not failures[1]
    assert "secret" not in str(failures)
    assert [(failure.__traceback__, failure.__context__) for failure in failures if failure] == [(None, None)] * 2
    run(batch, [later.conversation])
    alone = [talk(300, 3), talk(8, 5)]
    for each in alone:
        run(Batch(model.graph), [each.conversation])
    assert generated([reading, later]) == generated(alone)


class Torn(dict[str, NDArray[np.float32]]):
    """Buffers that cannot all be walked, as when memory is short."""

    def values(self) -> Any:
        yield next(iter(super().values()))
        raise MemoryError


def test_rows_that_were_being_swapped_are_cleared_whole(
    model: LanguageModel, talk: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = talk(3, 30), talk(60, 1)
    batch = Batch(model.graph)
    for each in (short, long):
        batch.join(each.conversation)
    cache = model.graph.cache
    with monkeypatch.context() as patched:
        batch.step()
        patched.setattr(cache, "buffers", Torn(cache.buffers))
        with pytest.raises(MemoryError):
            cache.swap(0, 1)
    batch.clear()
    assert not len(batch)
    assert not cache._spare.any()
    assert_clean(model.graph)


def test_a_panic_over_one_answer_ends_that_one(model: LanguageModel, talk: Callable[..., Talk]) -> None:
    broken, fine = talk(5), talk(6)

    def panic(*_: object) -> None:
        raise Panic("secret")

    broken.answer.push = panic  # type: ignore[method-assign,assignment]  # the tokenizer's panics come from here
    run(Batch(model.graph), [broken.conversation, fine.conversation])
    assert isinstance(broken.conversation.failure, InferenceFailed)
    assert "secret" not in str(broken.conversation.failure)
    assert len(generated([fine])[0]) == 12
