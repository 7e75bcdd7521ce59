"""Tasks from arguments: the protocol's bounds, checked before anything is sealed."""

from typing import Any

import pytest

from strongroom.client.errors import InvalidArgument
from strongroom.client.tasks import chat_task, embed_task, infer_task
from strongroom.protocol.payloads import MAX_TEXT_CHARACTERS, ChatTask, EmbedTask, InferTask, Message
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
    ],
)
def test_options_out_of_bounds(option: Any) -> None:
    with pytest.raises(InvalidArgument, match=f"chat .*{next(iter(option))}") as caught:
        chat_task("x", **option)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("texts", [[], "one string", ["x"] * 257, [7], ["x" * (MAX_TEXT_CHARACTERS + 1)], [None]])
def test_texts_out_of_form(texts: Any) -> None:
    with pytest.raises(InvalidArgument, match="embed"):
        embed_task(texts)


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
    assert embed_task(("a",)) == EmbedTask(["a"])
    tensor = Tensor("float32", [1, 0], b"")
    assert infer_task({"x": tensor}) == InferTask({"x": tensor})
