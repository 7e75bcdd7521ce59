"""/v1/completions."""

from typing import Any

import pytest

from strongroom.protocol.payloads import CompleteTask, GenerationEnd, TextDelta, TokenLogprob
from tests.surfaces.translating import COMPLETIONS, refused, streamed, told, whole

ASKED: dict[str, Any] = {"model": "m", "prompt": "once"}
END = GenerationEnd("stop", 1, 2)


def test_the_defaults_are_those_of_the_api() -> None:
    assert whole(COMPLETIONS, ASKED).task == CompleteTask(prompt="once", max_tokens=16, temperature=1.0)


def test_one_prompt_may_come_in_a_list_and_log_probabilities_are_a_number() -> None:
    task = whole(COMPLETIONS, {**ASKED, "prompt": ["once"], "logprobs": 2, "echo": False, "best_of": 1}).task
    assert task == CompleteTask(prompt="once", max_tokens=16, temperature=1.0, logprobs=2)


def test_of_a_field_that_is_given_twice_the_last_counts() -> None:
    assert (
        whole(COMPLETIONS, b'{"prompt": "never", "model": "m", "prompt": "once"}').task
        == whole(COMPLETIONS, ASKED).task
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": ["a", "b"]},
        {"prompt": [1, 2]},
        {"prompt": [[1, 2]]},
        {"prompt": ""},
        {"prompt": None},
        {"echo": True},
        {"suffix": "x"},
        {"best_of": 2},
        {"logprobs": 21},
        {"max_tokens": 4000, "logprobs": 20},
        {"messages": [1]},
        {"task": "complete"},
        {"schema": "{}"},
        {"response_format": {"type": "json_object"}},
    ],
    ids=str,
)
def test_what_is_refused(fields: dict[str, object]) -> None:
    assert refused(COMPLETIONS, {**ASKED, **fields}).status == 400


def test_log_probabilities_are_lists_side_by_side_with_offsets_of_characters() -> None:
    pieces = [b"a", b"\xf0\x9f", b"\x97\xbc", b"b"]
    tokens = [TokenLogprob(piece, -1.0, []) for piece in pieces]
    body = told(whole(COMPLETIONS, ASKED).write([TextDelta("a🗼b", tokens), END]))
    assert (body["id"][:5], body["object"], body["choices"][0]["text"]) == ("cmpl-", "text_completion", "a🗼b")
    logprobs = body["choices"][0]["logprobs"]
    assert logprobs["tokens"] == ["a", "bytes:\\xf0\\x9f", "bytes:\\x97\\xbc", "b"]
    assert logprobs["text_offset"] == [0, 1, 1, 2]
    assert logprobs["token_logprobs"] == [-1.0] * 4
    writer = streamed(COMPLETIONS, ASKED).writer
    stream = b"".join(writer.piece(TextDelta("", [token])) for token in tokens)
    assert stream.count(b'"text_offset":[1]') == 2
