"""One conversation at a time: the same tokens as the plain loop, ended by the right thing, and nothing left behind."""

from typing import Any

import pytest

from enclave.engine.errors import InferenceFailed, TooLong, WrongTask
from enclave.engine.generation import batch as batch_module
from enclave.engine.generation import graph as graph_module
from enclave.engine.generation.batch import Batch
from enclave.engine.generation.model import LanguageModel
from enclave.engine.generation.stream_decoder import StreamDecoder
from enclave.engine.tokenization import Tokenizer
from strongroom.protocol.payloads import ChatTask, CompleteTask, EmbedTask, GenerationEnd, Message, TextDelta
from tests.enclave.engine.generation.harness import HELLO, LONG, Heard, answer, assert_clean, load, naive_tokens
from tests.enclave.engine.packages import Package, end_of, text_of


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tokens that were turned into text since."""
    tokens: list[int] = []
    push = StreamDecoder.push

    def recorded(stream: StreamDecoder, token: int) -> str:
        tokens.append(token)
        return push(stream, token)

    monkeypatch.setattr(StreamDecoder, "push", recorded)
    return tokens


@pytest.mark.parametrize("messages", [HELLO, LONG])
def test_greedy_is_the_plain_loop(
    decoder_package: Package, model: LanguageModel, generated: list[int], messages: list[Message]
) -> None:
    prompt = model.prompts.encode(messages)
    expected = naive_tokens(decoder_package, prompt, 24)
    events = answer(model, ChatTask(messages, max_tokens=24))
    assert generated == expected
    assert text_of(events) == Tokenizer.from_bytes(decoder_package.tokenizer).decode(expected)
    assert end_of(events) == GenerationEnd("length", len(prompt), 24)


def test_the_prompt_may_be_cut_anywhere(
    model: LanguageModel, generated: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = ChatTask(LONG, max_tokens=8)
    whole = answer(model, task)
    tokens = list(generated)
    for step in (1, 7, 63):
        monkeypatch.setattr(batch_module, "MAX_STEP_TOKENS", step)
        generated.clear()
        assert answer(model, task) == whole
        assert generated == tokens


def test_equal_requests_get_equal_answers(model: LanguageModel) -> None:
    for task in (ChatTask(HELLO, max_tokens=16), ChatTask(HELLO, max_tokens=16, temperature=1.0, top_p=0.9, seed=5)):
        assert answer(model, task) == answer(model, task)


def test_another_seed_gives_another_answer(model: LanguageModel) -> None:
    first, second = (answer(model, ChatTask(HELLO, max_tokens=16, temperature=2.0, seed=seed)) for seed in (1, 2))
    assert text_of(first) != text_of(second)


def test_a_stop_token_ends_the_answer_and_is_not_in_it(decoder_package: Package, model: LanguageModel) -> None:
    tokens = naive_tokens(decoder_package, model.prompts.encode(HELLO), 12)
    stop = next(token for index, token in enumerate(tokens) if index > 2 and token not in tokens[:index])
    stopped = answer(load(decoder_package.with_chat(stop_tokens=[stop])), ChatTask(HELLO, max_tokens=12))
    before = tokens[: tokens.index(stop)]
    assert end_of(stopped).finish == "stop"
    assert end_of(stopped).completion_tokens == len(before) + 1
    assert text_of(stopped) == Tokenizer.from_bytes(decoder_package.tokenizer).decode(before)


@pytest.mark.parametrize("count", [1, 2, 65])
def test_max_tokens_is_exact(model: LanguageModel, count: int) -> None:
    end = end_of(answer(model, ChatTask(HELLO, max_tokens=count)))
    assert (end.finish, end.completion_tokens) == ("length", count)


def test_the_answer_ends_with_the_context(decoder_package: Package) -> None:
    model = load(decoder_package.with_chat(context_tokens=64))
    end = end_of(answer(model, ChatTask(HELLO, max_tokens=1000)))
    assert end.finish == "length"
    assert end.prompt_tokens + end.completion_tokens == 64
    assert_clean(model.graph)


def test_a_prompt_beyond_the_context_is_too_long(decoder_package: Package) -> None:
    model = load(decoder_package.with_chat(context_tokens=64))
    with pytest.raises(TooLong, match="fewer than 64 tokens"):
        answer(model, ChatTask([Message("user", "x" * 64)]))


def test_other_tasks_are_refused(model: LanguageModel) -> None:
    with pytest.raises(WrongTask):
        answer(model, EmbedTask(["x"]))


def test_a_text_is_continued(decoder_package: Package, model: LanguageModel, generated: list[int]) -> None:
    prompt = Tokenizer.from_bytes(decoder_package.tokenizer).encode_text("hello")
    end = end_of(answer(model, CompleteTask("hello", max_tokens=12)))
    assert generated == naive_tokens(decoder_package, prompt, 12)
    assert end == GenerationEnd("length", len(prompt), 12)


@pytest.mark.parametrize("options", [{}, {"stop": ["\ufffe"]}], ids=["at once", "with a stop string"])
def test_the_bytes_that_are_told_are_those_of_the_text(model: LanguageModel, options: dict[str, Any]) -> None:
    """The tiny model says bytes at random: most of its tokens are parts of characters, or of none."""
    events = answer(model, ChatTask(HELLO, max_tokens=48, temperature=1.5, seed=2, logprobs=3, **options))
    told = [logprob for event in events if isinstance(event, TextDelta) for logprob in event.logprobs or ()]
    assert b"".join(logprob.token for logprob in told).decode(errors="replace") == text_of(events)
    assert len(told) == end_of(events).completion_tokens == 48
    assert {len(logprob.top) for logprob in told} == {3}
    if not options:
        assert [len(event.logprobs or ()) for event in events if isinstance(event, TextDelta)] == [1] * 48


def test_without_being_asked_for_nothing_is_told(model: LanguageModel) -> None:
    deltas = [event for event in answer(model, ChatTask(HELLO, max_tokens=48)) if isinstance(event, TextDelta)]
    assert all(delta.text and delta.logprobs is None for delta in deltas)


def test_the_likeliest_token_is_what_greedy_takes(model: LanguageModel) -> None:
    events = answer(model, ChatTask(HELLO, max_tokens=8, logprobs=1))
    told = [logprob for event in events if isinstance(event, TextDelta) for logprob in event.logprobs or ()]
    assert [(each.token, each.logprob) for each in told] == [(each.top[0].token, each.top[0].logprob) for each in told]


def test_an_answer_does_not_depend_on_the_one_before(model: LanguageModel) -> None:
    task = ChatTask(HELLO, max_tokens=16)
    first = answer(model, task)
    answer(model, ChatTask(LONG, max_tokens=64))
    assert answer(model, task) == first


def test_nothing_is_left_after_a_request(model: LanguageModel) -> None:
    batch = Batch(model.graph)
    batch.join(model.start(ChatTask(LONG, max_tokens=8), Heard()))
    for _ in range(8):
        batch.step()
    assert all(buffer.any() for buffer in model.graph.cache.buffers.values())
    while len(batch):
        batch.step()
    assert_clean(model.graph)


def test_nothing_is_left_after_a_failure(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Batch(model.graph)
    conversation = model.start(ChatTask(LONG, max_tokens=8), Heard())
    batch.join(conversation)
    for _ in range(6):
        batch.step()

    def fail(*_: object) -> None:
        raise InferenceFailed("broken")

    monkeypatch.setattr(graph_module, "run_bound", fail)
    assert batch.step() == [conversation]
    assert isinstance(conversation.failure, InferenceFailed)
    assert_clean(model.graph)
