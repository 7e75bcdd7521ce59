"""The bounds of what travels inside the seal: of each field the last value that passes, and the first that does not."""

from typing import Any, cast

import cbor2
import pytest

from strongroom.protocol import canonical
from strongroom.protocol.canonical import MAX_ITEMS
from strongroom.protocol.constants import MAX_CHUNK_BYTES
from strongroom.protocol.errors import Malformed
from strongroom.protocol.events import decode_events, encode_events
from strongroom.protocol.payloads import (
    MAX_LOGPROBS,
    MAX_OUTPUTS,
    MAX_SPANS,
    MAX_TENSORS,
    Alternative,
    CompleteTask,
    DescribeTask,
    Description,
    Event,
    Scores,
    Span,
    Tags,
    Task,
    TextDelta,
    TokenLogprob,
)
from strongroom.protocol.tensors import Port, Tensor

NAN, INFINITY = float("nan"), float("inf")
LIMITS: dict[str, tuple[list[object], list[object]]] = {
    "prompt": (["x", "x" * 65_536], ["", "x" * 65_537, b"x"]),
    "max_tokens": ([1, 65_536], [0, 65_537, 1.0]),
    "temperature": ([2.0, 5e-324], [2.1, -0.1, NAN, INFINITY, -INFINITY]),
    "top_p": ([5e-324, 0.5], [0.0, 1.1, NAN, INFINITY]),
    "top_k": ([1, 65_536], [-1, 65_537, 1.0, True]),
    "seed": ([0, (1 << 63) - 1], [-1, 1 << 63, 1.0]),
    "stop": ([["x"], ["é" * 64] * 8], [["x"] * 9, [""], ["x" * 65], [b"x"], "x", None]),
    "logprobs": ([0, 20], [-1, 21, 1.0, False]),
    "schema": (["{}", "é" * 16_384], ["", "{", "x" * 16_385, b"{}", {}]),
}


def task_with(**fields: object) -> bytes:
    return cbor2.dumps({"task": "complete", "prompt": "x"} | fields, canonical=True)


def task_of(data: bytes) -> Task:
    return cast(Task, canonical.decode(data, cast(Any, Task), "task"))


@pytest.mark.parametrize("name", LIMITS)
def test_the_bounds_of_an_option(name: str) -> None:
    sound, unsound = LIMITS[name]
    for value in sound:
        assert getattr(task_of(task_with(**{name: value})), name) == value
    for value in unsound:
        with pytest.raises(Malformed, match="within their limits"):
            task_of(task_with(**{name: value}))


def test_an_answer_may_hold_so_many_log_probabilities() -> None:
    most = MAX_LOGPROBS // 21
    assert task_of(task_with(max_tokens=most, logprobs=20)) == CompleteTask("x", max_tokens=most, logprobs=20)
    with pytest.raises(Malformed, match="within their limits"):
        task_of(task_with(max_tokens=most + 1, logprobs=20))
    with pytest.raises(ValueError, match="of at most"):
        CompleteTask("x", max_tokens=MAX_LOGPROBS + 1, logprobs=0)


@pytest.mark.parametrize("task", ["classify", "tag"])
def test_the_bounds_of_texts(task: str) -> None:
    def decode(*texts: object) -> Task:
        return task_of(cbor2.dumps({"task": task, "texts": list(texts)}, canonical=True))

    decode("")
    decode(*["x"] * 256)
    for texts in ([], ["x"] * 257, ["x" * 65_537], [b"x"]):
        with pytest.raises(Malformed):
            decode(*texts)


TOKEN: dict[str, object] = {"token": b"x", "logprob": -1.0, "top": []}
ALTERNATIVE: dict[str, object] = {"token": b"x", "logprob": -1.0}
SPAN: dict[str, object] = {"start": 0, "end": 1, "label": "x", "score": 0.5}
SCORE: dict[str, object] = {
    "event": "scores",
    "labels": ["x"],
    "scores": {"dtype": "float32", "shape": [], "data": b""},
}


VECTORS: dict[str, object] = {
    "event": "embeddings",
    "vectors": {"dtype": "float32", "shape": [], "data": b""},
    "prompt_tokens": 1 << 40,
}
PORT: dict[str, object] = {"name": "x", "dtype": "float32", "shape": ["n", None, 4]}
DESCRIPTION: dict[str, object] = {
    "event": "description",
    "version": "1",
    "task": "infer",
    "inputs": [PORT] * 64,
    "outputs": [PORT] * 256,
}


def described(**changes: object) -> dict[str, object]:
    return DESCRIPTION | {"inputs": [PORT | changes]}


def delta(*tokens: object) -> dict[str, object]:
    return {"event": "delta", "text": "", "logprobs": list(tokens)}


def tags(*spans: object) -> dict[str, object]:
    return {"event": "tags", "spans": [list(spans)]}


SOUND: list[dict[str, object]] = [
    delta(TOKEN),
    delta(TOKEN | {"token": b"", "logprob": 0.0, "top": [ALTERNATIVE] * 20}),
    delta(TOKEN | {"logprob": -9999.0}),
    tags(),
    tags(SPAN, SPAN | {"label": "x" * 256, "score": 1.0}),
    SCORE,
    VECTORS,
    DESCRIPTION,
    described(name="é" * 128, shape=["é" * 128, None, 0, 1 << 31, "b", "c", "d", "e"]),
    DESCRIPTION | {"task": "chat", "inputs": [], "outputs": []},
]
UNSOUND: list[dict[str, object]] = [
    delta(),
    *(delta(TOKEN | {"logprob": value}) for value in (0.1, -9999.5, NAN, INFINITY, -INFINITY, 0, None)),
    *(delta(TOKEN | {"top": [ALTERNATIVE | {"logprob": value}]}) for value in (0.1, NAN, -INFINITY)),
    delta(TOKEN | {"token": "x"}),
    delta(TOKEN | {"top": [ALTERNATIVE] * 21}),
    delta(TOKEN | {"more": 1}),
    {"event": "delta", "text": "x", "logprobs": None},
    *(tags(SPAN | {"score": value}) for value in (-0.1, 1.1, NAN, INFINITY, 1)),
    tags(SPAN | {"start": -1}),
    tags(SPAN | {"label": "x" * 257}),
    SCORE | {"labels": []},
    SCORE | {"labels": ["x" * 257]},
    *(VECTORS | {"prompt_tokens": value} for value in (-1, 1.0, None, True)),
    {name: value for name, value in VECTORS.items() if name != "prompt_tokens"},
    *(described(shape=[size]) for size in (-1, (1 << 31) + 1, 1.0, True, b"n", "", "x" * 129, [4])),
    described(shape=[1] * 9),
    described(shape=None),
    described(name="x" * 129),
    described(dtype="string"),
    described(more=1),
    *(DESCRIPTION | {"task": task} for task in ("complete", "describe", "", None)),
    DESCRIPTION | {"version": "No version"},
    DESCRIPTION | {"inputs": [PORT] * 65},
    DESCRIPTION | {"outputs": [PORT] * 257},
]


@pytest.mark.parametrize("event", SOUND, ids=range(len(SOUND)))
def test_events_within_their_bounds(event: dict[str, object]) -> None:
    data = cbor2.dumps([event], canonical=True)
    assert encode_events(decode_events(data)) == data


@pytest.mark.parametrize("event", UNSOUND, ids=range(len(UNSOUND)))
def test_events_out_of_their_bounds(event: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        decode_events(cbor2.dumps([event], canonical=True))


def test_the_largest_answers_have_few_enough_items() -> None:
    alternatives = [Alternative(b"x", -1.0)] * 20
    largest: list[list[Event]] = [
        [TextDelta("", [TokenLogprob(b"x", -1.0, [])] * MAX_LOGPROBS)],
        [TextDelta("", [TokenLogprob(b"x", -1.0, alternatives)] * (MAX_LOGPROBS // 21))],
        [Tags([[Span(0, 1, "x", 0.5)] * (MAX_SPANS // 256)] * 256)],
        [Scores(["x"] * 1024, Tensor("float32", [0, 1024], b""))],
    ]
    for events in largest:
        assert decode_events(encode_events(events)) == events


def test_the_longest_description_fits_an_answer() -> None:
    longest = Port("😀" * 128, "float32", ["😀" * 128] * 8)
    events: list[Event] = [Description("v" * 64, "infer", [longest] * MAX_TENSORS, [longest] * MAX_OUTPUTS)]
    data = encode_events(events)
    assert decode_events(data) == events
    assert len(data) < MAX_CHUNK_BYTES // 2


def test_what_a_model_is_is_asked_without_a_word_more() -> None:
    assert task_of(cbor2.dumps({"task": "describe"})) == DescribeTask()
    with pytest.raises(Malformed):
        task_of(cbor2.dumps({"task": "describe", "model": "m"}, canonical=True))


def test_a_request_may_not_have_as_many_items_as_an_answer() -> None:
    data = cbor2.dumps({"task": "complete", "prompt": "x", "stop": [""] * MAX_ITEMS}, canonical=True)
    with pytest.raises(Malformed, match="items"):
        task_of(data)
