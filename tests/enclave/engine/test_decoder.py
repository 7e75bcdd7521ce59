"""Generation: the same tokens as the plain loop, ended by the right thing, and nothing left behind."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from msgspec import structs

from enclave.engine import decoder_graph
from enclave.engine.cancellation import Cancellation, Cancelled
from enclave.engine.decoder import Decoder
from enclave.engine.decoder_graph import DecoderGraph
from enclave.engine.errors import InferenceFailed, ModelRejected, TooLong, WrongTask
from enclave.engine.sessions import open_session, run_session
from enclave.engine.tokenization import StreamDecoder, Tokenizer
from strongroom.protocol.catalogue import ChatSettings
from strongroom.protocol.payloads import ChatEnd, ChatTask, EmbedTask, Event, Message, TextDelta
from tests.enclave.engine.decoder_graphs import broken_weights, every_logit, growing_past
from tests.enclave.engine.graphs import identity
from tests.enclave.engine.packages import Package, end_of, text_of

HELLO = [Message("user", "hello")]
LONG = [Message("user", "a rather long question, " * 10)]  # more than one step of the prompt


def answer(decoder: Decoder, task: ChatTask) -> list[Event]:
    return list(decoder.run(task, Cancellation()))


def load(package: Package) -> Decoder:
    return Decoder.load(package.manifest, package.files, threads=1)


def naive_tokens(package: Package, prompt: list[int], count: int) -> list[int]:
    """The greedy loop without any cache: the whole text again for every token."""
    session = open_session(package.graph, threads=1)
    settings = package.chat
    shape = (1, settings.kv_heads, 0, settings.head_size)
    names = [node.name for node in session.get_inputs() if node.name.startswith("past")]
    tokens = list(prompt)
    for _ in range(count):
        feeds = {name: np.zeros(shape, np.float32) for name in names}
        feeds["input_ids"] = np.array([tokens])
        feeds["attention_mask"] = np.ones((1, len(tokens)), np.int64)
        tokens.append(int(run_session(session, feeds)["logits"][0, -1].argmax()))
    return tokens[len(prompt) :]


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tokens that decoders turned into text since."""
    tokens: list[int] = []
    push = StreamDecoder.push

    def recorded(stream: StreamDecoder, token: int) -> str:
        tokens.append(token)
        return push(stream, token)

    monkeypatch.setattr(StreamDecoder, "push", recorded)
    return tokens


def assert_clean(decoder: Decoder) -> None:
    assert not any(buffer.any() for buffer in decoder.graph.cache.buffers.values())
    assert not decoder.graph.logits.any()


@pytest.mark.parametrize("messages", [HELLO, LONG])
def test_greedy_is_the_plain_loop(
    decoder_package: Package, decoder: Decoder, generated: list[int], messages: list[Message]
) -> None:
    prompt = decoder._prompts.encode(messages)
    expected = naive_tokens(decoder_package, prompt, 24)
    events = answer(decoder, ChatTask(messages, max_tokens=24))
    assert generated == expected
    assert text_of(events) == Tokenizer.from_bytes(decoder_package.tokenizer).decode(expected)
    assert end_of(events) == ChatEnd("length", len(prompt), 24)


def test_the_prompt_may_be_cut_anywhere(
    decoder: Decoder, generated: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = ChatTask(LONG, max_tokens=8)
    whole = answer(decoder, task)
    tokens = list(generated)
    for step in (1, 7, 63):
        monkeypatch.setattr("enclave.engine.decoder.MAX_STEP_TOKENS", step)
        generated.clear()
        assert answer(decoder, task) == whole
        assert generated == tokens


def test_equal_requests_get_equal_answers(decoder: Decoder) -> None:
    for task in (ChatTask(HELLO, 16), ChatTask(HELLO, 16, temperature=1.0, top_p=0.9, seed=5)):
        assert answer(decoder, task) == answer(decoder, task)


def test_another_seed_gives_another_answer(decoder: Decoder) -> None:
    first, second = (answer(decoder, ChatTask(HELLO, 16, temperature=2.0, seed=seed)) for seed in (1, 2))
    assert text_of(first) != text_of(second)


def test_a_stop_token_ends_the_answer_and_is_not_in_it(decoder_package: Package, decoder: Decoder) -> None:
    tokens = naive_tokens(decoder_package, decoder._prompts.encode(HELLO), 12)
    stop = next(token for index, token in enumerate(tokens) if index > 2 and token not in tokens[:index])
    stopped = answer(load(decoder_package.with_chat(stop_tokens=[stop])), ChatTask(HELLO, max_tokens=12))
    before = tokens[: tokens.index(stop)]
    assert end_of(stopped).finish == "stop"
    assert end_of(stopped).completion_tokens == len(before) + 1
    assert text_of(stopped) == Tokenizer.from_bytes(decoder_package.tokenizer).decode(before)


@pytest.mark.parametrize("count", [1, 2, 65])
def test_max_tokens_is_exact(decoder: Decoder, count: int) -> None:
    end = end_of(answer(decoder, ChatTask(HELLO, max_tokens=count)))
    assert (end.finish, end.completion_tokens) == ("length", count)


def test_the_answer_ends_with_the_context(decoder_package: Package) -> None:
    decoder = load(decoder_package.with_chat(context_tokens=64))
    end = end_of(answer(decoder, ChatTask(HELLO, max_tokens=1000)))
    assert end.finish == "length"
    assert end.prompt_tokens + end.completion_tokens == 64
    assert_clean(decoder)


def test_a_prompt_beyond_the_context_is_too_long(decoder_package: Package) -> None:
    decoder = load(decoder_package.with_chat(context_tokens=64))
    with pytest.raises(TooLong, match="fewer than 64 tokens"):
        answer(decoder, ChatTask([Message("user", "x" * 64)]))


def test_other_tasks_are_refused(decoder: Decoder) -> None:
    with pytest.raises(WrongTask):
        list(decoder.run(EmbedTask(["x"]), Cancellation()))


def test_nothing_is_left_after_a_request(decoder: Decoder) -> None:
    events = decoder.run(ChatTask(LONG, max_tokens=8), Cancellation())
    next(events)
    assert all(buffer.any() for buffer in decoder.graph.cache.buffers.values())
    list(events)
    assert_clean(decoder)


def test_nothing_is_left_after_an_abandoned_request(decoder: Decoder) -> None:
    events = decoder.run(ChatTask(LONG, max_tokens=8), Cancellation())
    next(events)
    events.close()
    assert_clean(decoder)


def test_nothing_is_left_after_a_failure(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    events = decoder.run(ChatTask(LONG, max_tokens=8), Cancellation())
    next(events)

    def fail(*_: object) -> None:
        raise InferenceFailed("broken")

    monkeypatch.setattr(decoder_graph, "run_bound", fail)
    with pytest.raises(InferenceFailed):
        list(events)
    assert_clean(decoder)


def test_an_answer_does_not_depend_on_the_one_before(decoder: Decoder) -> None:
    task = ChatTask(HELLO, max_tokens=16)
    first = answer(decoder, task)
    answer(decoder, ChatTask(LONG, max_tokens=64))
    assert answer(decoder, task) == first


def test_a_cancellation_stops_at_the_next_step(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    cancellation = Cancellation()
    events = decoder.run(ChatTask(HELLO, max_tokens=400), cancellation)
    assert isinstance(next(events), TextDelta)
    steps = count_steps(monkeypatch)
    cancellation.cancel()
    with pytest.raises(Cancelled):
        list(events)
    assert next(steps) == 0
    assert_clean(decoder)


def test_a_cancellation_stops_the_prompt(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = count_steps(monkeypatch)
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        list(decoder.run(ChatTask(LONG), cancellation))
    assert next(steps) == 0


def count_steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """An iterator that says, whenever asked, how many steps the graph has run since."""
    steps = 0
    step = DecoderGraph.step

    def counted(*arguments: object) -> object:
        nonlocal steps
        steps += 1
        return step(*arguments)  # type: ignore[arg-type]  # passed on as they are

    def counts() -> Iterator[int]:
        while True:
            yield steps

    monkeypatch.setattr(DecoderGraph, "step", counted)
    return counts()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"layers": 1}, "past_key_values.1.key"),
        ({"layers": 3}, "past_key_values.2.key"),
        ({"kv_heads": 1}, "expected a dimension of 1, got 2"),
        ({"head_size": 32}, "expected a dimension of 32, got 16"),
        ({"stop_tokens": [1 << 20]}, "expected logits for 1048577 tokens"),
    ],
)
def test_settings_that_do_not_fit_the_graph_are_rejected(
    decoder_package: Package, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ModelRejected, match=complaint):
        load(decoder_package.with_chat(**changes))


def test_a_graph_that_is_no_decoder_is_rejected(decoder_package: Package) -> None:
    with pytest.raises(ModelRejected):
        load(decoder_package.with_file(decoder_package.manifest.graph, identity("float32", [4])))


def test_a_tokenizer_larger_than_the_graph_is_rejected(decoder_package: Package) -> None:
    larger = decoder_package.tokenizer.replace(b'"added_tokens":[', b'"added_tokens":[' + EXTRA_TOKEN)
    with pytest.raises(ModelRejected, match="expected logits for"):
        load(decoder_package.with_file(str(decoder_package.manifest.tokenizer), larger))


EXTRA_TOKEN = (
    b'{"id":999,"content":"<extra>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,'
    b'"special":true},'
)


def with_graph(package: Package, graph: Callable[[ChatSettings, int], bytes]) -> Package:
    """The tiny package with a graph of one layer made by another maker."""
    changed = package.with_chat(layers=1)
    return changed.with_file(package.manifest.graph, graph(changed.chat, 259))


@pytest.mark.parametrize("messages", [HELLO, LONG])
def test_a_graph_may_give_the_logits_of_every_token(
    decoder_package: Package, generated: list[int], messages: list[Message]
) -> None:
    package = with_graph(decoder_package, every_logit)
    decoder = load(package)
    answer(decoder, ChatTask(messages, max_tokens=12))
    assert generated == naive_tokens(package, decoder._prompts.encode(messages), 12)
    assert_clean(decoder)


def test_a_graph_that_does_not_append_in_place_is_rejected(decoder_package: Package) -> None:
    with pytest.raises(ModelRejected, match="appends in place"):
        load(with_graph(decoder_package, growing_past))


def test_a_graph_of_broken_weights_is_rejected(decoder_package: Package) -> None:
    with pytest.raises(ModelRejected, match="finite"):
        load(with_graph(decoder_package, broken_weights))


def test_a_manifest_without_settings_is_rejected(decoder_package: Package) -> None:
    package = decoder_package._replace(manifest=structs.replace(decoder_package.manifest, chat=None))
    with pytest.raises(ModelRejected):
        load(package)
