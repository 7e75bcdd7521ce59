"""The JSON schemas that an answer may be held to.

A schema comes from the caller, and no limit of llguidance bounds all that it makes of one: a single `multipleOf`, or
an `allOf` of patterns, costs it seconds and gigabytes. So a schema is first read into the type below, which bounds what
is in it and refuses what is not; llguidance gets what came out, never the caller's text.
"""

import re
from collections.abc import Iterator
from math import inf
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from enclave.engine.errors import InvalidRequest

MAX_SUBSCHEMAS = 128
"""Of one schema, itself included: the work grows faster than alternatives that are alike."""
MAX_DEPTH = 32

_UNSAID = r"\x00-\x07\x0b\x0e-\x1f\x7f"
"""Control characters that JSON has no letter for: no text of an answer holds them, and llguidance forgets some that a
schema asks for."""
_SAID = rf"\A[^{_UNSAID}]*\Z"
_ESCAPED = rf"[dDwWsSnrtfpP]|[^A-Za-z0-9{_UNSAID}]|(?i:x(?!7f)[2-9a-f][0-9a-f]|u(?!00[01]|007f)[0-9a-f]{{4}})"
_SAID_PATTERN = rf"\A([^\\{_UNSAID}]|\\({_ESCAPED}))*\Z"
_String = Annotated[str, Meta(max_length=128, pattern=_SAID)]
_Pattern = Annotated[str, Meta(max_length=128, pattern=_SAID_PATTERN)]
_Integer = Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]
_Number = _Integer | Annotated[float, Meta(ge=-(2.0**53), le=2.0**53)]
_Size = Annotated[int, Meta(ge=0, le=1 << 12)]
_Scalar = _String | _Number | bool | None
_Kind = Literal["null", "boolean", "integer", "number", "string", "array", "object"]
_Format = Literal["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"]
_Draft = Literal["https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#"]
_Reference = Annotated[str, Meta(pattern=r"^#(/(\$defs|definitions)/[A-Za-z0-9_.-]{1,128})?\Z")]


class Schema(Struct, forbid_unknown_fields=True, rename="camel"):
    """A schema or a part of one, as far as it is not `true` or `false`."""

    draft: _Draft | UnsetType = field(default=UNSET, name="$schema")
    defs: "dict[_String, Schema | bool] | UnsetType" = field(default=UNSET, name="$defs")
    definitions: "dict[_String, Schema | bool] | UnsetType" = UNSET
    ref: _Reference | UnsetType = field(default=UNSET, name="$ref")
    any_of: "Annotated[list[Schema | bool], Meta(min_length=1)] | UnsetType" = UNSET
    type: _Kind | Annotated[list[_Kind], Meta(min_length=1, max_length=7)] | UnsetType = UNSET
    enum: Annotated[list[_Scalar], Meta(min_length=1, max_length=1024)] | UnsetType = UNSET
    const: _Scalar | UnsetType = UNSET
    properties: "dict[_String, Schema | bool] | UnsetType" = UNSET
    required: Annotated[list[_String], Meta(max_length=MAX_SUBSCHEMAS)] | UnsetType = UNSET
    additional_properties: "Schema | bool | UnsetType" = UNSET
    prefix_items: "list[Schema | bool] | UnsetType" = UNSET
    items: "Schema | bool | UnsetType" = UNSET
    min_items: _Size | UnsetType = UNSET
    max_items: _Size | UnsetType = UNSET
    min_length: _Size | UnsetType = UNSET
    max_length: _Size | UnsetType = UNSET
    pattern: _Pattern | UnsetType = UNSET
    format: _Format | UnsetType = UNSET
    minimum: _Number | UnsetType = UNSET
    maximum: _Number | UnsetType = UNSET
    exclusive_minimum: _Number | UnsetType = UNSET
    exclusive_maximum: _Number | UnsetType = UNSET
    title: Raw | UnsetType = UNSET
    description: Raw | UnsetType = UNSET
    default: Raw | UnsetType = UNSET
    examples: Raw | UnsetType = UNSET

    def below(self) -> "Iterator[Schema | bool]":
        """The schemas that this one holds itself."""
        for named in (self.defs, self.definitions, self.properties):
            yield from named.values() if named else ()
        for listed in (self.any_of, self.prefix_items):
            yield from listed or ()
        for one in (self.items, self.additional_properties):
            if one is not UNSET:
                yield one


_NOTES = ("title", "description", "default", "examples")
_ASIDE = frozenset({"draft", "defs", "definitions", "type"})
_ALONE = frozenset({"ref", "any_of", "enum", "const"})
_TEXT = frozenset({"pattern", "format"})
_LENGTHS = frozenset({"min_length", "max_length"})
_DECODER = msgspec.json.Decoder(Schema)
_KEYWORDS = "|".join(re.escape(each.encode_name) for each in msgspec.structs.fields(Schema))
_PLACE = re.compile(rf" - at `(\$(?:\.(?:{_KEYWORDS})|\[(?:[0-9]+|\.\.\.)\])*)`\Z")
_TOO_DEEP = f"schema: expected at most {MAX_DEPTH} levels of schemas, got more"


def bounded_schema(text: str) -> dict[str, Any]:
    """The JSON schema of the caller's text, without its notes; raise InvalidRequest if it is not within the bounds."""
    try:
        schema = _DECODER.decode(text)
        parts = [schema, *_parts(schema, MAX_DEPTH - 1)]
    except RecursionError:
        raise InvalidRequest(_TOO_DEEP) from None
    except msgspec.MsgspecError as error:
        raise InvalidRequest(
            f"schema: expected keywords and bounds that docs/protocol.md names, got others at {_place(error)}"
        ) from None
    if len(parts) > MAX_SUBSCHEMAS:
        raise InvalidRequest(f"schema: expected at most {MAX_SUBSCHEMAS} schemas in it, got {len(parts)}; split it")
    for part in parts:
        if isinstance(part, Schema):
            _require_no_intersection(part)
            _require_room(part)
            for note in _NOTES:
                setattr(part, note, UNSET)
    return cast(dict[str, Any], msgspec.to_builtins(schema))


def _place(error: msgspec.MsgspecError) -> str:
    """Where the schema is wrong, in our keywords and in indices: the rest of the text can quote the caller's."""
    found = _PLACE.search(str(error))
    return found[1] if found else "$"


def _parts(schema: Schema, levels: int) -> Iterator[Schema | bool]:
    """All schemas below this one, on at most so many levels."""
    for part in schema.below():
        if not levels:
            raise InvalidRequest(_TOO_DEEP)
        yield part
        if isinstance(part, Schema):
            yield from _parts(part, levels - 1)


def _require_no_intersection(schema: Schema) -> None:
    """Raise InvalidRequest for keywords whose languages llguidance would have to intersect."""
    found = {name for name in schema.__struct_fields__ if getattr(schema, name) is not UNSET} - _ASIDE - {*_NOTES}
    if found & _ALONE and len(found) > 1:
        raise InvalidRequest("schema: expected type and no other keyword beside $ref, anyOf, enum and const, got more")
    if found & _TEXT and len(found & (_TEXT | _LENGTHS)) > 1:
        raise InvalidRequest("schema: expected one of pattern, format and the lengths of a string, got several")


def _require_room(schema: Schema) -> None:
    """Raise InvalidRequest for bounds that llguidance misreads: it takes 0 for above 0 if the maximum is below 1.

    So it does with any whole number as exclusive bound, if it is the one nearer to 0 and less than 1 is left beside it.
    """
    low, above = _number(schema.minimum, -inf), _number(schema.exclusive_minimum, -inf)
    high, below = _number(schema.maximum, inf), _number(schema.exclusive_maximum, inf)
    whole = (above >= 0 and above % 1 == 0) or (below <= 0 and below % 1 == 0)
    if whole and min(high, below) - max(low, above) < 1:
        raise InvalidRequest("schema: expected bounds at least 1 apart where the nearer to 0 is whole and exclusive")


def _number(bound: float | UnsetType, otherwise: float) -> float:
    return otherwise if bound is UNSET else bound
