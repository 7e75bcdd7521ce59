"""What the parent sees of lengths: few sizes for many prompts, through the code of client and enclave (R21)."""

from collections.abc import AsyncGenerator, Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import pytest

from strongroom.client.attested import AttestedKey
from strongroom.client.reading import AnswerReader
from strongroom.client.sealing import SealedRequest
from strongroom.client.tasks import chat_task, classify_task, embed_task
from strongroom.protocol.events import encode_events
from strongroom.protocol.messages import SealedResponseHead
from strongroom.protocol.padding import FRAME_BUCKET_BYTES, padded_size
from strongroom.protocol.payloads import (
    Alternative,
    ChatTask,
    ClassifyTask,
    DescribeTask,
    Description,
    Embeddings,
    EmbedTask,
    Event,
    Failure,
    GenerationEnd,
    InferTask,
    Outputs,
    Scores,
    Task,
    TextDelta,
    TokenLogprob,
)
from strongroom.protocol.tensors import Port, Tensor
from tests.enclave.caller import INFER, Caller, ready

MODEL: Final = "tiny-decoder"
PROMPTS: Final = 1000
MOST_CHARACTERS: Final = 4096
LANGUAGES: Final = (
    "The patient has had a cough since Monday. ",
    "Überweisen Sie bitte 1.000 € an Frau Müller! ",
    "Où est passé le dossier de l’élève ? ",
    "Платёж отклонён, попробуйте ещё раз. ",
    "Η συνταγή λήγει αύριο το πρωί. ",
    "موعدك القادم يوم الخميس صباحا. ",
    "मेरा खाता नंबर बदल गया है। ",
    "患者主诉头痛三天，伴有低热。",
    "口座の残高を教えてください。",
    "🩺💊🏥🚑",
)
HEAD_BYTES: Final = 63 + len(MODEL)
ENC_BYTES, TAG_BYTES, FRAME_HEAD_BYTES = 1120, 16, 5
REQUEST_SIZES: Final = {HEAD_BYTES + ENC_BYTES + TAG_BYTES + (1 << power) for power in range(10, 16)}
"""Six: 4,096 characters of four bytes and what stands around them fit 32 KiB."""
TOKEN_BYTES: Final = FRAME_HEAD_BYTES + TAG_BYTES + 256
END_BYTES: Final = FRAME_HEAD_BYTES + TAG_BYTES + 2048
DIMENSIONS: Final = 384


def prompts() -> Iterator[str]:
    """Every length from 1 to 4,096 characters is near one of them, in each language in turn."""
    for number, sentence in zip(range(PROMPTS), cycle(LANGUAGES)):
        length = 1 + number * (MOST_CHARACTERS - 1) // (PROMPTS - 1)
        yield (sentence * -(-length // len(sentence)))[:length]


def words(prompt: str) -> list[str]:
    """What a model might stream: up to 40 pieces, of 15 characters and up to 60 bytes."""
    return [prompt[at : at + 15] for at in range(0, min(len(prompt), 600), 15)]


def told(word: str, alternatives: int) -> TokenLogprob:
    """Of a token of up to five characters, beside others of one to sixteen bytes."""
    others = [Alternative(bytes(1 + (len(word) * at) % 16), -0.7 * at) for at in range(alternatives)]
    return TokenLogprob(word[:5].encode(), -0.1, others)


class Parrot:
    """In the engine's place: says the prompt again; vectors and labels are of one shape, as a model's are."""

    async def run(self, model: str, task: Task) -> AsyncGenerator[Event, None]:
        if isinstance(task, ChatTask):
            for word in words(task.messages[0].content):
                yield TextDelta(word, None if task.logprobs is None else [told(word, task.logprobs)])
            yield GenerationEnd("stop", 7, 12)
        elif isinstance(task, EmbedTask):
            yield Embeddings(Tensor("float32", [1, DIMENSIONS], bytes(4 * DIMENSIONS)), len(task.texts[0]))
        elif isinstance(task, ClassifyTask):
            yield Scores(["urgent", "can wait"], Tensor("float32", [1, 2], bytes(8)))
        elif isinstance(task, DescribeTask):
            yield Description("1", "infer", [Port("x", "uint8", ["n"])], [Port("label", "float32", ["n", 3])])
        else:
            yield Outputs({"label": Tensor("float32", [1, 3], bytes(12))})


def labelled(text: str) -> InferTask:
    """What a classifier that takes UTF-8 is asked."""
    data = text.encode()
    return InferTask({"x": Tensor("uint8", [1, len(data)], data)})


class Asker:
    """A client that verified this enclave, and what the parent saw of each exchange: sizes."""

    def __init__(self, caller: Caller, key: AttestedKey) -> None:
        self._caller, self._key = caller, key

    async def ask(self, task: Task, *, stream: bool = False) -> tuple[int, list[int], list[Event]]:
        """Bytes of the request, of the answer's chunks, and what they said, its receipt at the end."""
        sealed = SealedRequest.seal(self._key, MODEL, task, stream=stream, at_ms=self._caller.clock.now_ms())
        admitted = await self._caller.service.open(sealed.message)
        head, *chunks = [piece async for piece in self._caller.service.answer(admitted)]
        assert len(head) == SealedResponseHead.SIZE_BYTES
        reader = AnswerReader(sealed)
        for piece in (head, *chunks):
            reader.feed(piece)
        answer = reader.whole()
        assert answer.receipt
        return len(sealed.message), [len(chunk) for chunk in chunks], answer.events


@pytest.fixture
async def asker(decoder_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Asker:
    caller = await ready(decoder_dir)
    monkeypatch.setattr(caller.enclave.engine, "run", Parrot().run)
    digest = (await caller.service.documents.current()).digest
    return Asker(caller, AttestedKey.from_verified(caller.document(digest), caller.evidence(digest)))


async def test_a_thousand_prompts_have_six_sizes_and_every_token_one(asker: Asker) -> None:
    asked, tokens, ends = set(), set(), set()
    for prompt in prompts():
        request, (*before, end), events = await asker.ask(chat_task(prompt), stream=True)
        asked.add(request)
        tokens |= set(before)
        ends.add(end)
        said = words(prompt)
        assert events[0] == TextDelta("".join(said))
        assert len(before) == len(said)
    assert asked == REQUEST_SIZES
    assert (tokens, ends) == ({TOKEN_BYTES}, {END_BYTES})


@pytest.mark.parametrize(("alternatives", "buckets"), [(0, {256}), (5, {256, 512}), (20, {1024})])
async def test_log_probabilities_add_two_sizes_at_most(asker: Asker, alternatives: int, buckets: set[int]) -> None:
    sizes: set[int] = set()
    for prompt in islice(prompts(), 0, PROMPTS, 21):
        _, (*before, end), _ = await asker.ask(chat_task(prompt, logprobs=alternatives), stream=True)
        sizes |= set(before)
        assert end == END_BYTES
    assert sizes == {FRAME_HEAD_BYTES + TAG_BYTES + bucket for bucket in buckets}


def test_what_a_stop_string_withheld_comes_in_the_second_size_at_most() -> None:
    """63 characters that began it, and a token that does not go on."""
    longest = TextDelta("😀" * (63 + 15))
    assert padded_size(len(encode_events([longest])), FRAME_BUCKET_BYTES) == 2 * FRAME_BUCKET_BYTES


@pytest.mark.parametrize(
    ("make", "bucket"),
    [(labelled, 2048), (lambda text: classify_task([text]), 2048), (lambda text: embed_task([text]), 4096)],
    ids=["label", "scores", "embedding"],
)
async def test_a_label_has_one_size_and_an_embedding_one(
    asker: Asker, make: Callable[[str], Task], bucket: int
) -> None:
    answers = set()
    for prompt in prompts():
        request, chunks, _ = await asker.ask(make(prompt))
        assert request in REQUEST_SIZES
        answers.add(tuple(chunks))
    assert answers == {(FRAME_HEAD_BYTES + TAG_BYTES + bucket,)}


async def test_a_refusal_looks_like_a_label_and_like_the_end_of_a_stream(asker: Asker) -> None:
    for task in (chat_task("x", max_tokens=1 << 16), INFER):
        for stream in (False, True):
            _, chunks, [event] = await asker.ask(task, stream=stream)
            assert isinstance(event, Failure) == isinstance(task, ChatTask)
            assert chunks == [END_BYTES]


async def test_what_a_model_is_is_asked_as_a_short_prompt_is_and_told_as_a_label_is(asker: Asker) -> None:
    for stream in (False, True):
        request, chunks, _ = await asker.ask(DescribeTask(), stream=stream)
        assert (request, chunks) == (min(REQUEST_SIZES), [END_BYTES])


async def test_whole_answers_have_a_size_for_each_bucket(asker: Asker) -> None:
    sizes = [await asker.ask(chat_task(prompt)) for prompt in islice(prompts(), 0, PROMPTS, 21)]
    assert {chunk for _, chunks, _ in sizes for chunk in chunks} == {END_BYTES, END_BYTES + 2048}
