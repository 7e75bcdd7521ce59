"""/v1/chat/completions: what is understood, what is left aside, what is refused."""

import json
from typing import Any

import pytest

from strongroom.protocol.payloads import (
    Alternative,
    ChatTask,
    Embeddings,
    Event,
    GenerationEnd,
    Message,
    TextDelta,
    TokenLogprob,
)
from strongroom.protocol.tensors import Tensor
from strongroom.surfaces.refusals import Refused
from tests.surfaces.translating import CHAT, refused, streamed, told, whole

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
END = GenerationEnd("length", 3, 2)


def schema_of(schema: object, **described: object) -> dict[str, object]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **described}}


def task(**fields: object) -> ChatTask:
    made = whole(CHAT, {**ASKED, **fields}).task
    assert isinstance(made, ChatTask)
    return made


def test_the_defaults_are_those_of_the_api() -> None:
    assert task() == ChatTask(messages=[Message("user", "hi")], max_tokens=256, temperature=1.0)


def test_every_option_that_the_protocol_has() -> None:
    options = {"temperature": 0, "top_p": 0.5, "top_k": 7, "seed": 1, "stop": ["a", "b"], "max_completion_tokens": 9}
    expected = ChatTask(
        messages=[Message("user", "hi")],
        max_tokens=9,
        temperature=0.0,
        top_p=0.5,
        top_k=7,
        seed=1,
        stop=["a", "b"],
        logprobs=3,
    )
    assert task(**options, logprobs=True, top_logprobs=3) == expected
    assert (task(stop="a").stop, task(max_tokens=9).max_tokens) == (["a"], 9)
    assert (task(logprobs=True).logprobs, task(logprobs=False).logprobs) == (0, None)


def test_an_answer_of_json_is_held_to_its_schema() -> None:
    schema = {"type": "object", "properties": {"b": {"type": "null"}, "a": {"type": "null"}}}
    told = task(response_format=schema_of(schema, strict=True, description=None)).schema
    assert told is not None
    assert list(json.loads(told)["properties"]) == ["b", "a"]
    assert json.loads(told) == schema
    assert task(response_format={"type": "json_object"}).schema == '{"type":"object"}'


def test_messages_of_newer_shapes() -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "c", "refusal": None, "annotations": [], "audio": None, "tool_calls": None},
    ]
    assert task(messages=messages).messages == [
        Message("system", "Be brief."), Message("user", "ab"), Message("assistant", "c"),
    ]  # fmt: skip


def test_bookkeeping_and_the_only_value_are_left_aside() -> None:
    neutral = {
        "user": "me", "metadata": {"a": "b"}, "safety_identifier": "x", "prompt_cache_key": "x", "service_tier": "flex",
        "store": False, "n": 1, "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {}, "tools": [],
        "tool_choice": "none", "response_format": {"type": "text"}, "modalities": ["text"], "top_p": None, "stop": None,
    }  # fmt: skip
    assert task(**neutral) == task()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"functions": [{}], "function_call": "auto"}, "function"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "canary"}}, "response_format"),
        ({"response_format": {"type": "json_object", "canary": 1}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format"),
        ({"response_format": schema_of({}, description="canary")}, "response_format"),
        ({"response_format": schema_of("canary")}, "response_format"),
        ({"response_format": schema_of({"title": "x" * 16_384})}, "response_format"),
        ({"schema": "{}"}, "schema"),
        ({"task": "chat"}, "task"),
        ({"x" * 65: 1}, None),
        ({"n": 2}, "n"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"store": True}, "store"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"canary": 1}, "canary"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1 << 17}, "max_tokens"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
        ({"temperature": 2.5}, "temperature"),
        ({"temperature": "canary"}, "temperature"),
        ({"seed": -1}, "seed"),
        ({"stop": [""]}, "stop[0]"),
        ({"stop": ["a"] * 9}, "stop"),
        ({"stop": {"canary": 1}}, "stop[0]"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"logprobs": 1}, "logprobs"),
        ({"stream": "canary"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"canary": 1}}, "stream_options"),
        ({"messages": "canary"}, "messages"),
        ({"messages": []}, None),
        ({"messages": ["canary"]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "canary"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": "a", "name": "canary"}]}, "messages[0].name"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "x": 1}]}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "x" * 65_537}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "content": None, "tool_calls": [{}]}]}, "messages[0]"),
    ],
    ids=str,
)
def test_what_would_change_the_answer_is_refused(fields: dict[str, object], param: str | None) -> None:
    error = refused(CHAT, {**ASKED, **fields}) if "canary" not in fields else _unknown(fields)
    assert (error.status, error.code) == (400, "invalid-request")
    assert (error.field or "").startswith(param or "")


def _unknown(fields: dict[str, object]) -> Refused:
    with pytest.raises(Refused, match="canary: not supported") as caught:
        whole(CHAT, {**ASKED, **fields})
    return caught.value


@pytest.mark.parametrize("model", [None, "", "GPT-4", "a/b", 1, "x" * 65, ["m"]], ids=str)
def test_what_is_no_id_is_no_models(model: object) -> None:
    assert refused(CHAT, {**ASKED, "model": model}).status == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a": NaN}', b"\xff", b'{"a":' * 100_000], ids=lambda b: b[:9])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    assert refused(CHAT, body).status == 400


def test_a_whole_answer() -> None:
    call = whole(CHAT, ASKED)
    body = told(call.write([TextDelta("hello"), END]))
    assert body == {
        "id": f"chatcmpl-{'0' * 32}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "length",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
    assert told(call.write([END]))["choices"][0]["message"]["content"] == ""


def test_log_probabilities_keep_the_bytes_of_a_part_of_a_character() -> None:
    token = TokenLogprob(b"\xf0\x9f", -0.5, [Alternative(b"a", -1.0)])
    choice = told(whole(CHAT, ASKED).write([TextDelta("", [token]), END]))["choices"][0]
    assert choice["logprobs"]["content"] == [
        {
            "token": "\ufffd",
            "logprob": -0.5,
            "bytes": [0xF0, 0x9F],
            "top_logprobs": [{"token": "a", "logprob": -1.0, "bytes": [97]}],
        }
    ]


def events_of(stream: bytes) -> list[Any]:
    assert stream.endswith(b"\n\n")
    data = [line.removeprefix(b"data: ") for line in stream.split(b"\n\n")[:-1]]
    return [each.decode() if each == b"[DONE]" else json.loads(each) for each in data]


def test_a_streamed_answer_ends_only_when_it_is_told_to() -> None:
    writer = streamed(CHAT, {**ASKED, "stream_options": {"include_usage": True}}).writer
    before = events_of(b"".join(writer.piece(event) for event in (TextDelta("he"), TextDelta("y"), END)))
    after = events_of(writer.end())
    assert [event["choices"][0]["delta"] for event in before] == [
        {"role": "assistant", "content": ""}, {"content": "he"}, {"content": "y"},
    ]  # fmt: skip
    assert {event["choices"][0]["finish_reason"] for event in before} == {None}
    assert {event["usage"] for event in before} == {None}
    assert (after[0]["choices"][0]["delta"], after[0]["choices"][0]["finish_reason"]) == ({}, "length")
    assert (after[1]["choices"], after[1]["usage"]["total_tokens"], after[2]) == ([], 5, "[DONE]")


def test_without_asking_no_usage_is_told_on_the_way() -> None:
    writer = streamed(CHAT, ASKED).writer
    stream = events_of(writer.piece(END) + writer.end())
    assert all("usage" not in event for event in stream[:-1])
    assert len(stream) == 3


VECTORS = Embeddings(Tensor("float32", [1, 1], b"\0" * 4), 1)


@pytest.mark.parametrize("events", [[], [TextDelta("a")], [END, TextDelta("a")], [VECTORS], [VECTORS, END]], ids=str)
def test_events_that_answer_something_else_are_no_answer(events: list[Event]) -> None:
    with pytest.raises(Refused) as caught:
        whole(CHAT, ASKED).write(events)
    assert caught.value.status == 403
    writer = streamed(CHAT, ASKED).writer
    with pytest.raises(Refused):
        _written(writer, events)


def _written(writer: Any, events: list[Event]) -> None:
    for event in events:
        writer.piece(event)
    writer.end()
