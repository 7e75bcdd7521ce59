"""The metadata section: strict JSON with five members, bounded in depth."""

from __future__ import annotations

import json
from typing import Any

import pytest

from attestation.eif.metadata import MAX_DEPTH
from tests.attestation.eif.builder import BEFORE_METADATA, IDENTITY, Image, Section, metadata
from tests.attestation.eif.judge import read, refuse

BUILD: dict[str, Any] = json.loads(json.dumps(IDENTITY["BuildMetadata"]))
TEXT = json.dumps(IDENTITY).encode()


def image(data: bytes) -> Image:
    return Image((*BEFORE_METADATA, Section(5, data)))


def custom(value: str) -> bytes:
    return TEXT.replace(b'{"team": "vault", "answer": 42}', value.encode())


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    return custom(opening * levels + (closing if opening == "[" else "0" + closing) * 1 + closing * (levels - 1))


def test_reads_it() -> None:
    found = read(Image()).metadata
    assert found is not None
    assert (found.image_name, found.build_metadata.build_tool) == ("strongroom", "nitro-cli")
    assert list(found.docker_info) == ["Architecture", "Id"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(custom("null"), id="null"),
        pytest.param(custom("[1, 2.5, true]"), id="an array"),
        pytest.param(custom('{"é": "\\ud83d\\ude00"}'), id="a surrogate pair"),
        pytest.param(json.dumps({**IDENTITY, "Extra": 1}).encode(), id="another member"),
        pytest.param(b" \n" + TEXT + b"\n", id="white space"),
        pytest.param(nested(MAX_DEPTH - 1), id="as deep as allowed"),
    ],
)
def test_accepts(data: bytes) -> None:
    assert read(image(data)).metadata is not None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xef\xbb\xbf" + TEXT, id="byte order mark"),
        pytest.param(TEXT + b"\0", id="trailing byte"),
        pytest.param(TEXT + TEXT, id="twice"),
        pytest.param(TEXT[:-1], id="cut"),
        pytest.param(TEXT.decode().encode("utf-16"), id="UTF-16"),
        pytest.param(TEXT.replace(b"vault", b"\xff"), id="no UTF-8"),
        pytest.param(TEXT.replace(b"vault", b"\xed\xa0\x80"), id="a surrogate in UTF-8"),
        pytest.param(TEXT.replace(b"vault", b"\\ud800"), id="a lone surrogate"),
        pytest.param(TEXT.replace(b"vault", b"\n"), id="a control character"),
        pytest.param(TEXT.replace(b"42", b"NaN"), id="NaN"),
        pytest.param(TEXT.replace(b"42", b"-Infinity"), id="infinity"),
        pytest.param(TEXT.replace(b"42", b"1e999"), id="a number beyond all"),
        pytest.param(TEXT.replace(b"42", b"4" * 5000), id="5,000 digits"),
        pytest.param(TEXT.replace(b'"answer"', b'"team"'), id="a key twice"),
        pytest.param(TEXT.replace(b'"DockerInfo"', b'"ImageName"'), id="a member twice"),
        pytest.param(nested(60_000), id="very deep"),
        pytest.param(b"[" * 120_000, id="brackets"),
    ],
)
def test_refuses_other_json(data: bytes) -> None:
    refuse(image(data), "one strict JSON object")


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_refuses_a_level_too_many(opening: str, closing: str) -> None:
    refuse(image(nested(MAX_DEPTH, opening, closing)), "at most 127 levels")


@pytest.mark.parametrize("data", [b"[]", b"null", b"1", b'"x"', b"{}"])
def test_refuses_what_is_no_identity(data: bytes) -> None:
    refuse(image(data), "five members")


@pytest.mark.parametrize("name", IDENTITY)
def test_every_member_is_needed(name: str) -> None:
    refuse(Image((*BEFORE_METADATA, metadata({key: IDENTITY[key] for key in IDENTITY if key != name}))), "five members")


@pytest.mark.parametrize("name", BUILD)
@pytest.mark.parametrize("value", [None, 1, []])
def test_every_word_of_the_build_is_text(name: str, value: object) -> None:
    build = {**BUILD, name: value}
    error = refuse(Image((*BEFORE_METADATA, metadata({**IDENTITY, "BuildMetadata": build}))), "five members")
    assert name in error.actual


def test_errors_quote_no_content() -> None:
    error = refuse(Image((*BEFORE_METADATA, metadata({**IDENTITY, "ImageName": ["secret"]}))), "five members")
    assert "secret" not in str(error)
