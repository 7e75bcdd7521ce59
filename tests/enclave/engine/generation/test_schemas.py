"""What a caller's schema may hold, and what llguidance gets of it."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enclave.engine.errors import InvalidRequest
from enclave.engine.generation.schemas import MAX_DEPTH, MAX_SUBSCHEMAS, Schema, bounded_schema
from tests.enclave.engine.generation.hostile_schemas import BEYOND_BOUNDS, text_of_schema

PAGE = (Path(__file__).parents[4] / "docs/protocol.md").read_text()


def bounded(schema: Any) -> Any:
    return bounded_schema(json.dumps(schema))


@pytest.mark.parametrize("name", BEYOND_BOUNDS)
def test_what_is_beyond_the_bounds_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^schema: expected"):
        bounded_schema(text_of_schema(BEYOND_BOUNDS[name]))


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$ref": "#/$defs/a", "type": "object", "$defs": {"a": {}}, "definitions": {"b": False}},
        {"anyOf": [True, {"type": ["string", "null"]}], "$schema": "https://json-schema.org/draft/2020-12/schema"},
        {"enum": ["é", -1, 1.5, True, None], "type": "string"},
        {"const": None},
        {"properties": {"b": True, "a": {}}, "required": ["a", "b"], "additionalProperties": False},
        {"prefixItems": [{"format": "uri"}], "items": {"pattern": "^a"}, "minItems": 0, "maxItems": 4096},
        {"minLength": 0, "maxLength": 4096, "minimum": -(2**53), "maximum": 2.5},
        {"exclusiveMinimum": 0, "exclusiveMaximum": 2**53},
        {"exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"minimum": 0.5, "exclusiveMaximum": 1, "exclusiveMinimum": -7},
        {"exclusiveMinimum": 0.1, "exclusiveMaximum": 0.2},
        {"exclusiveMinimum": -1, "exclusiveMaximum": -0.5},
        {"const": "\b\t\n\f\r\x80"},
        {"pattern": r"^\x20\u00e9\\x01[\p{L}\d]\.\n$"},
    ],
    ids=json.dumps,
)
def test_what_is_within_the_bounds_stays_as_it_is(schema: dict[str, Any]) -> None:
    assert bounded(schema) == schema


def test_members_stay_in_their_order() -> None:
    names = ["b", "a", "c"]
    assert list(bounded({"properties": dict.fromkeys(names, True)})["properties"]) == names


def test_notes_stay_here() -> None:
    notes = {"title": "t", "description": {"$ref": "x"}, "default": [1], "examples": [[]]}
    assert bounded(notes | {"items": notes | {"type": "null"}}) == {"items": {"type": "null"}}


def nested(levels: int) -> dict[str, Any]:
    return {} if levels == 1 else {"items": nested(levels - 1)}


def test_the_bounds_are_exact() -> None:
    bounded(nested(MAX_DEPTH))
    bounded({"anyOf": [True] * (MAX_SUBSCHEMAS - 1)})
    with pytest.raises(InvalidRequest, match="levels"):
        bounded(nested(MAX_DEPTH + 1))
    with pytest.raises(InvalidRequest, match=f"at most {MAX_SUBSCHEMAS} schemas in it, got {MAX_SUBSCHEMAS + 1}"):
        bounded({"anyOf": [True] * MAX_SUBSCHEMAS})


@pytest.mark.parametrize(
    "schema",
    [
        {"secret": 1},
        {"properties": {"secret": {"minLength": "secret"}}},
        {"properties": {"secret": {"secret": {}}}},
        {"type": "secret"},
        {"type": "a - at secret"},
        {"a - at `$.secret": 1},
        {"items": {"a - at `$[secret]": 1}},
        {"$defs": {"secret" * 30: True}},
        {"$defs": {"secret": {"enum": ["secret" * 30]}}},
        {"$ref": "#/secret"},
    ],
    ids=json.dumps,
)
def test_a_refusal_quotes_nothing(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        bounded(schema)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_refusal_names_the_place() -> None:
    with pytest.raises(InvalidRequest, match=r"at \$\.properties\[\.\.\.\]\.prefixItems\[1\]\.minLength\Z"):
        bounded({"properties": {"a": {"prefixItems": [True, {"minLength": -1}]}}})


def test_the_page_names_the_keywords_and_the_bounds() -> None:
    section = PAGE.partition("### Schemas\n")[2].partition("\n## ")[0]
    keywords = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`([^`]+)`", "".join(keywords))) == sorted(
        each.encode_name for each in msgspec.structs.fields(Schema)
    )
    assert f"at most {MAX_SUBSCHEMAS} schemas, itself included, in at most {MAX_DEPTH} levels" in section
