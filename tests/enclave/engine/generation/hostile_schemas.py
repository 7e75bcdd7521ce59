"""JSON schemas of callers who wish the enclave ill, in at most 16 KiB each."""

import json
from collections.abc import Callable
from typing import Any

_NULL = {"type": "null"}
_PRIME = 1_000_003


def _nested(levels: int, around: Callable[[Any], Any]) -> Any:
    schema: Any = _NULL
    for _ in range(levels):
        schema = around(schema)
    return schema


def _chain(links: int) -> dict[str, Any]:
    links_of = {f"a{link}": {"items": {"$ref": f"#/$defs/a{link + 1}"}} for link in range(links)}
    return {"$defs": {**links_of, f"a{links}": _NULL}, "$ref": "#/$defs/a0"}


def _any_of(count: int, alternative: Callable[[int], Any]) -> dict[str, Any]:
    return {"anyOf": [alternative(index) for index in range(count)]}


def _properties(count: int, one: Callable[[int], Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {f"p{index}": one(index) for index in range(count)}}


def _arrays_alike(index: int) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": "#"}, "minItems": index % 2}


BEYOND_BOUNDS = {
    "no JSON": "{",
    "no schema": "[]",
    "a lone surrogate": r'{"const": "\ud800"}',
    "not a number": '{"minimum": NaN}',
    "a keyword unknown": {"maxContains": 1},
    "llguidance's own keyword": {"x-guidance": {"lenient": True}},
    "multiples of a prime": {"type": "integer", "multipleOf": _PRIME},
    "multiples of many primes": _properties(200, lambda index: {"type": "integer", "multipleOf": _PRIME + 2 * index}),
    "a control character": {"const": "a\0"},
    "a control character in a name": {"properties": {"a\x7f": True}},
    "a control character in a pattern": {"pattern": "^a\0"},
    "a control character of a pattern, by number": {"pattern": r"^\x01a$"},
    "a control character of a pattern, by a longer number": {"pattern": r"^\u007Fa$"},
    "a control character of a pattern, in braces": {"pattern": r"^\u{1}a$"},
    "a control character of a pattern, by name": {"pattern": r"^[a\v]"},
    "a place in a text": {"pattern": r"\ba"},
    "above 0 and below a half": {"exclusiveMinimum": 0, "maximum": 0.5},
    "below -1 and near": {"minimum": -3, "exclusiveMinimum": -1.5, "exclusiveMaximum": -1.0},
    "an intersection of patterns": {
        "allOf": [{"type": "string", "pattern": f"(.*{each}.*){{3}}"} for each in "abcdef"]
    },
    "an intersection of alternatives": {"allOf": [_any_of(3, lambda index: {"const": index})] * 14},
    "a pattern and lengths": {"type": "string", "pattern": "(ab|cd)*x{3,9}", "minLength": 4000, "maxLength": 4096},
    "a pattern and a format": {"type": "string", "pattern": "a", "format": "uri"},
    "a reference and more": {"$ref": "#", "minLength": 1},
    "alternatives and more": _any_of(3, lambda _: {}) | {"maxLength": 1},
    "values and more": {"enum": ["a"], "pattern": "a"},
    "patterns of names": {"patternProperties": {f"^a{index}": True for index in range(9)}},
    "a remote reference": {"$ref": "http://strongroom.invalid/schema"},
    "a reference to a file": {"$ref": "file:///etc/passwd"},
    "a reference by pointer": {"$ref": "#/properties/a", "properties": {"a": {}}},
    "an id": {"$id": "http://strongroom.invalid/", "type": "null"},
    "another draft": {"$schema": "http://json-schema.org/draft-04/schema#"},
    "deep": _nested(32, lambda inner: {"items": inner}),
    "deeper than Python goes": '{"items":' * 1600 + "{}" + "}" * 1600,
    "a note deeper than Python goes": '{"default":' + "[" * 8000 + "]" * 8000 + "}",
    "many schemas": _any_of(128, lambda _: True),
    "many values": {"enum": list(range(1025))},
    "a long value": {"const": "x" * 129},
    "a long pattern": {"pattern": "x" * 129},
    "a long text": {"minLength": 4097},
    "a long array": {"minItems": 1 << 30},
    "a large number": {"maximum": 1e300},
    "a larger number": '{"maximum": 1' + "0" * 10_000 + "}",
}
"""What `bounded_schema` refuses: text, or what its text is JSON of."""

WITHIN_BOUNDS = {
    "itself": {"$ref": "#"},
    "a circle": {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    "a missing definition": {"$ref": "#/$defs/a"},
    "nothing": {"enum": ["a"], "type": "integer"},
    "no end": {"type": "array", "minItems": 2, "items": {"$ref": "#"}},
    "a chain": _chain(31),
    "arrays alike": _any_of(60, _arrays_alike),
    "arrays by length": _any_of(60, lambda index: {"type": "array", "items": {"$ref": "#"}, "minItems": index}),
    "objects alike": _any_of(40, lambda _: _properties(2, lambda _: {"$ref": "#"})),
    "optional members": _properties(120, lambda index: {"type": ["string", "null"], "maxLength": index}),
    "texts by length": _any_of(120, lambda index: {"type": "string", "minLength": index, "maxLength": 4096 - index}),
    "long texts": {"type": "array", "items": {"type": "string", "minLength": 4096}, "minItems": 4096},
    "nested lengths": _nested(9, lambda inner: {"type": "array", "items": inner, "minItems": 50, "maxItems": 4096}),
    "short arrays": _any_of(60, lambda index: {"type": "array", "items": _NULL, "maxItems": 4096 - index}),
    "numbers": _any_of(
        120, lambda index: {"type": "number", "minimum": -1.2345678 * index**3, "maximum": 9e9 / (index + 1)}
    ),
    "tiny numbers": {"type": "number", "exclusiveMinimum": 5e-324, "maximum": 1e-300},
    "many values": {"enum": [f"{'x' * 10}{index}" for index in range(1000)]},
    "formats": _any_of(
        120, lambda index: {"type": "string", "format": ("uri", "email", "hostname", "ipv6")[index % 4]}
    ),
    "a pattern of 2^100 states": {"type": "string", "pattern": r"^(a|b)*a(a|b){100}c"},
    "a pattern with nested counts": {"type": "string", "pattern": "^((((a{1,100}){1,100}){1,100}){1,100}){1,100}$"},
    "a pattern of one long text": {"type": "string", "pattern": "^(((a{100}){100}){100}){100}$"},
    "a pattern with nested stars": {"type": "string", "pattern": "(((.*a){30}b){30}c){30}"},
    "a pattern of parentheses": {"type": "string", "pattern": "(" * 64 + ")" * 64},
    "a pattern of half parentheses": {"type": "string", "pattern": "(" * 128},
    "a pattern of classes": {"type": "string", "pattern": r"^(\p{L}|\p{N}|\p{S}|\p{P}|\p{M}){3000}$"},
    "a pattern that looks ahead": {"type": "string", "pattern": "(?=a)b"},
    "patterns by length": _any_of(
        120, lambda index: {"type": "string", "pattern": f"^(a|b)*a(a|b){{{index}}}.{{{index},900}}$"}
    ),
    "patterns of classes by length": _any_of(
        100, lambda index: {"type": "string", "pattern": rf"(\p{{L}}{{1,9}}\p{{N}}?[^\p{{S}}]){{{index},200}}"}
    ),
    "patterns of stars": _any_of(
        120, lambda index: {"type": "string", "pattern": f"(.*{chr(97 + index % 26)}.*){{{index}}}"}
    ),
    "patterns of classes": _any_of(
        120, lambda index: {"type": "string", "pattern": rf"((\w{{1,90}}|\p{{Greek}}{{2,{index + 2}}})[^a]){{5,500}}"}
    ),
}
"""What passes the bounds, and must cost little all the same."""


def text_of_schema(schema: Any) -> str:
    """The schema as a caller sends it."""
    return schema if isinstance(schema, str) else json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
