"""docs/protocol.md is normative: its limits, labels, members and codes are those of the code, and none is missing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from attestation.bindings import CLIENT_PURPOSE
from attestation.evidence import MAX_EVIDENCE_BYTES
from strongroom.client.kept_answers import MAX_ANSWER_BYTES
from strongroom.client.tickets import MAX_TICKET_BYTES
from strongroom.protocol import canonical, catalogue, constants, events
from strongroom.protocol.audit import MAX_PAGE_BYTES, MAX_PAGE_LEAVES
from strongroom.protocol.messages import MAX_WRAPPED_KEY_BYTES
from strongroom.protocol.metrics import BOUNDS, MAX_METRICS_BYTES, OUTCOMES
from strongroom.protocol.payloads import (
    LEAST_LOGPROB,
    MAX_ALTERNATIVES,
    MAX_LOGPROBS,
    MAX_OUTPUTS,
    MAX_SPANS,
    MAX_TENSORS,
    MAX_TEXT_CHARACTERS,
    Event,
    FailureCode,
    Generation,
    Request,
    Rest,
    Task,
    TokenLogprob,
)
from strongroom.protocol.problems import Problem
from strongroom.protocol.tensors import DType, Port, Tensor

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the last table below a heading, without its two first lines."""
    [section] = re.findall(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    *_, table = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def members(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def tags(union: object) -> dict[str, list[str]]:
    """By its tag, the members of each struct of a union."""
    return {str(kind.__struct_config__.tag): members(kind) for kind in get_args(union)}


def test_each_member_of_each_task() -> None:
    shown: dict[str, list[str]] = {}
    for tasks, member, *_ in rows("The body"):
        for task in tasks.split(", "):
            shown.setdefault(task.strip("`"), []).extend(re.findall(r"\w+", member))
    assert shown == tags(Task)


def test_the_defaults_of_chats_and_completions() -> None:
    actual = {name: getattr(Generation(), name) for name in members(Generation)}
    shown = {member.strip("`"): default for _, member, _, default in rows("The body") if default}
    assert shown == {name: "null" if value is None else str(value) for name, value in actual.items()}


def test_each_member_of_each_event() -> None:
    shown = {event.strip("`"): said for event, said in rows("Events")}
    assert shown.keys() == tags(Event).keys()
    for event, names in tags(Event).items():
        assert all(re.search(rf"\b{name}\b", shown[event]) for name in names), event


def test_the_body_the_rest_a_tensor_a_port_and_what_is_told_of_a_token() -> None:
    kinds = (
        ("body   = {", Request),
        ("rest = {", Rest),
        ("tensor = {", Tensor),
        ("port   = {", Port),
        ("told   = {", TokenLogprob),
    )
    for first, kind in kinds:
        [said] = re.findall(rf"{re.escape(first)}(.*?)[}}{{]", PAGE, re.DOTALL)
        assert re.findall(r"(?:^|,)\s*(\w+):", said) == members(kind)


def test_the_lists_of_codes() -> None:
    assert f"Codes of failures: {', '.join(get_args(FailureCode))}." in PAGE
    assert f"dtype: {' | '.join(get_args(DType))}," in PAGE
    assert f"task: {', '.join(get_args(catalogue.Task)[:-1])} or {get_args(catalogue.Task)[-1]};" in PAGE


def test_the_problems_of_the_enclave() -> None:
    shown = [(int(status), name.strip("`")) for status, name, _ in rows("Outside the seal")]
    assert shown == [(int(problem.status), problem.code) for problem in list(Problem)[:5]]


LABELS = {name: value for name, value in vars(constants).items() if name.startswith("LABEL_")}


@pytest.mark.parametrize("name", LABELS)
def test_each_label_is_there_with_its_zero(name: str) -> None:
    assert f'"{LABELS[name][:-1].decode()}" 0x00' in PAGE
    assert LABELS[name].endswith(b"\0")


def test_the_purpose_of_a_client_document() -> None:
    assert f'length (1, = {len(CLIENT_PURPOSE)}) ‖ purpose tag "{CLIENT_PURPOSE.decode()}" ‖ version (1, = 1)' in PAGE


def test_the_media_types() -> None:
    whole, stream = constants.MEDIA_SEALED_RESPONSE, constants.MEDIA_SEALED_STREAM
    assert f"`{constants.MEDIA_SEALED_REQUEST}`" in PAGE
    assert f"`{whole}` (whole) or `…{stream.removeprefix('application/vnd.strongroom.')}`" in PAGE
    assert all(f"`{each}`" in PAGE for each in (constants.MEDIA_EVIDENCE, constants.MEDIA_AUDIT))


LIMITS = {
    "evidence": f"{MAX_EVIDENCE_BYTES:,} bytes",
    "a key list": f"{constants.MAX_KEYS_BYTES >> 10} KiB",
    "a sealed request": f"{constants.MAX_SEALED_REQUEST_BYTES >> 20} MiB",
    "a chunk": f"at most {constants.MAX_CHUNK_BYTES >> 20} MiB",
    "a kept answer": f"{MAX_ANSWER_BYTES:,} bytes",
    "a ticket": f"{MAX_TICKET_BYTES:,} bytes",
    "an audit page": f"{MAX_PAGE_BYTES:,} bytes",
    "leaves of a page": f"at most {MAX_PAGE_LEAVES:,}",
    "a wrapped data key": f"1..{MAX_WRAPPED_KEY_BYTES}",
    "a receipt": f"1 to {constants.MAX_RECEIPT_BYTES:,} bytes",
    "a text": f"text   = at most {MAX_TEXT_CHARACTERS:,} characters",
    "items": f"{canonical.MAX_ITEMS:,} items, in an answer {events.MAX_ITEMS:,}",
    "alternatives": f"top: at most {MAX_ALTERNATIVES} of",
    "log probabilities": f"`max_tokens` × (1 + `logprobs`) is at most {MAX_LOGPROBS:,}",
    "a log probability": f"logprob: float, −{-LEAST_LOGPROB:,.0f} to 0",
    "tensors": f"map of 1 to {MAX_TENSORS} tensors, names of at most 128 characters",
    "inputs": f"inputs, at most {MAX_TENSORS}, and outputs, at most {MAX_OUTPUTS}:",
    "spans": f"more than {MAX_SPANS:,} spans",
    "a rest": f"by {constants.MAX_REST_MS // 86_400_000} days at most",
    "a nonce": f"{constants.NONCE_BYTES_MIN} to {constants.NONCE_BYTES_MAX} bytes",
}


@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_is_the_codes(name: str) -> None:
    assert LIMITS[name] in PAGE


def test_the_series_of_the_metrics_and_their_buckets() -> None:
    shown: dict[str, str] = {}
    for series, numbers in rows(r"Metrics: [^\n]*"):
        shown.update(dict.fromkeys((name.strip("`") for name in series.split(", ")), numbers))
    assert shown.pop("answers") == ", ".join(OUTCOMES)
    edges = {span: [float(edge) for edge in re.findall(r"[\d.]+", numbers)] for span, numbers in shown.items()}
    assert edges == {span: list(bounds) for span, bounds in BOUNDS.items()}
    assert f"at most {MAX_METRICS_BYTES >> 10} KiB" in PAGE
