"""Tasks from arguments: the protocol's bounds, checked before anything is sealed."""

from collections.abc import Callable
from typing import Any

import pytest

from strongroom.client.errors import InvalidArgument
from strongroom.client.tasks import chat_task, classify_task, complete_task, embed_task, infer_task, tag_task
from strongroom.protocol.payloads import (
    MAX_TEXT_CHARACTERS,
    ChatTask,
    ClassifyTask,
    CompleteTask,
    EmbedTask,
    InferTask,
    Message,
    TagTask,
)
from strongroom.protocol.tensors import Tensor

CANARY = "canary-7f3a"


@pytest.mark.parametrize(
    "prompt",
    [
        [],
        7,
        None,
        b"bytes",
        [CANARY],
        [7],
        [{"role": CANARY, "content": "x"}],
        [{"role": "user"}],
        [{"role": "user", "content": CANARY, CANARY: "x"}],
        [{"role": "user", "content": 7}],
        [Message("user", "x" * (MAX_TEXT_CHARACTERS + 1))],
        [Message("user", CANARY)] * 65,
        [object()],
    ],
)
def test_prompts_out_of_form(prompt: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        chat_task(prompt)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "option",
    [
        {"max_tokens": 0},
        {"max_tokens": 1 << 17},
        {"max_tokens": True},
        {"max_tokens": 1.5},
        {"max_tokens": CANARY},
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_p": 1.1},
        {"seed": -1},
        {"seed": 1 << 63},
        {"seed": 1 << 90},
        {"top_k": -1},
        {"top_k": (1 << 16) + 1},
        {"top_k": 1.5},
        {"stop": CANARY},
        {"stop": [""]},
        {"stop": [CANARY * 6]},
        {"stop": ["x"] * 9},
        {"stop": None},
        {"logprobs": -1},
        {"logprobs": 21},
        {"logprobs": True},
    ],
)
def test_options_out_of_bounds(option: Any) -> None:
    for kind, make in (("chat", chat_task), ("complete", complete_task)):
        with pytest.raises(InvalidArgument, match=f"{kind} .*{next(iter(option))}") as caught:
            make("x", **option)
        assert CANARY not in str(caught.value)


def test_more_log_probabilities_than_an_answer_holds() -> None:
    complete_task("x", max_tokens=780, logprobs=20)
    with pytest.raises(InvalidArgument, match=r"Expected max_tokens \* \(1 \+ logprobs\) of at most 16384"):
        complete_task("x", max_tokens=781, logprobs=20)


@pytest.mark.parametrize("prompt", ["", 7, None, [CANARY], "x" * (MAX_TEXT_CHARACTERS + 1)])
def test_texts_that_cannot_be_continued(prompt: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"complete \$.prompt") as caught:
        complete_task(prompt)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("make", [embed_task, classify_task, tag_task])
@pytest.mark.parametrize("texts", [[], "one string", ["x"] * 257, [7], ["x" * (MAX_TEXT_CHARACTERS + 1)], [None]])
def test_texts_out_of_form(make: Callable[[Any], object], texts: Any) -> None:
    with pytest.raises(InvalidArgument, match=make.__name__.removesuffix("_task")):
        make(texts)


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"x" * 129: Tensor("int8", [1], b"1")},
        {"x": Tensor("int8", [2], b"1")},
        {"x": Tensor("complex64", [1], b"12345678")},  # type: ignore[arg-type]  # what untyped callers do
        {"x": Tensor("int8", [-1], b"")},
        {"x": Tensor("int8", [0] * 9, b"")},
        {"x": [1.0]},
        {7: Tensor("int8", [1], b"1")},
    ],
)
def test_tensors_out_of_form(tensors: Any) -> None:
    with pytest.raises(InvalidArgument, match="tensor"):
        infer_task(tensors)


def test_well_formed_tasks() -> None:
    assert chat_task("x") == ChatTask([Message("user", "x")])
    assert chat_task([{"role": "assistant", "content": ""}], seed=None, temperature=1) == ChatTask(
        [Message("assistant", "")], temperature=1.0
    )
    assert complete_task("x", stop=("a", "b")) == CompleteTask("x", stop=["a", "b"])
    assert embed_task(("a",)) == EmbedTask(["a"])
    assert classify_task(("a",)) == ClassifyTask(["a"])
    assert tag_task(("a",)) == TagTask(["a"])
    tensor = Tensor("float32", [1, 0], b"")
    assert infer_task({"x": tensor}) == InferTask({"x": tensor})
