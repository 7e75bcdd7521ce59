"""/v1/embeddings."""

import base64
import math
import struct
from typing import Any

import pytest

from strongroom.protocol.payloads import Embeddings, EmbedTask, Event, GenerationEnd
from strongroom.protocol.tensors import Tensor
from strongroom.surfaces.refusals import Refused
from tests.surfaces.translating import EMBEDDINGS, refused, told, whole

ASKED: dict[str, Any] = {"model": "m", "input": ["a", "b"]}
ROWS = struct.pack("<4f", 1, 2, 3, 4)


def answered(data: bytes = ROWS, shape: tuple[int, ...] = (2, 2), **fields: object) -> Any:
    return told(whole(EMBEDDINGS, {**ASKED, **fields}).write([Embeddings(Tensor("float32", list(shape), data), 9)]))


def test_a_text_or_texts() -> None:
    assert whole(EMBEDDINGS, {**ASKED, "input": "a"}).task == EmbedTask(texts=["a"])
    assert whole(EMBEDDINGS, {**ASKED, "user": "me"}).task == EmbedTask(texts=["a", "b"])


def test_the_vectors_in_both_encodings() -> None:
    plain, encoded = answered(), answered(encoding_format="base64", dimensions=2)
    assert [item["embedding"] for item in plain["data"]] == [[1, 2], [3, 4]]
    assert [base64.b64decode(item["embedding"]) for item in encoded["data"]] == [ROWS[:8], ROWS[8:]]
    assert [item["index"] for item in plain["data"]] == [0, 1]
    assert plain["usage"] == {"prompt_tokens": 9, "total_tokens": 9}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": [1, 2]}, "input"),
        ({"input": [[1]]}, "input"),
        ({"input": None}, "input"),
        ({"input": ["x"] * 257}, "input"),
        ({"input": ["x" * 65_537]}, "input[0]"),
        ({"encoding_format": "canary"}, "encoding_format"),
        ({"encoding_format": ["canary"]}, "encoding_format"),
        ({"truncate": True}, "truncate"),
        ({"texts": ["x"]}, "texts"),
        ({"task": "embed"}, "task"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_refused(fields: dict[str, object], param: str) -> None:
    error = refused(EMBEDDINGS, {**ASKED, **fields})
    assert (error.status, error.field) == (400, param)


def test_another_width_than_the_models_is_refused() -> None:
    with pytest.raises(Refused, match="expected 2"):
        answered(dimensions=3)


def test_what_json_cannot_hold_is_refused_and_goes_as_bytes() -> None:
    data = struct.pack("<4f", 1, math.nan, 3, 4)
    with pytest.raises(Refused, match="base64"):
        answered(data)
    assert base64.b64decode(answered(data, encoding_format="base64")["data"][0]["embedding"]) == data[:8]


@pytest.mark.parametrize(
    "events",
    [
        [],
        [GenerationEnd("stop", 1, 1)],
        [Embeddings(Tensor("float32", [1, 4], ROWS), 9)],
        [Embeddings(Tensor("float32", [2, 4], ROWS), 9)],
        [Embeddings(Tensor("float64", [2, 1], ROWS), 9)],
        [Embeddings(Tensor("float32", [2, 2, 1], ROWS), 9)],
    ],
    ids=["none", "another", "too few", "short", "dtype", "shape"],
)
def test_what_is_no_answer_is_refused(events: list[Event]) -> None:
    with pytest.raises(Refused) as caught:
        whole(EMBEDDINGS, ASKED).write(events)
    assert caught.value.status == 403
