"""The policy file's JSON Schema (draft 2020-12), made of the loader's own constants.

Editors read a TOML date-time as text in the schema's sense, so that the schema cannot refuse a quoted one; nor does it
compare two instants. The loader does both: the schema helps to write a file, the loader decides.
"""

from __future__ import annotations

import re

from attestation.measurements import EMPTY_APPLICATION_PCR2, IMAGE_PCRS, ROLE_ARN, ZERO
from attestation.policy import NAME_PATTERN
from attestation.policy_file import DIGEST_PATTERN, MAX_TABLES, PCR_KEY_PATTERN

_DATE = r"(19[7-9][0-9]|[2-9][0-9]{3})-[0-9]{2}-[0-9]{2}"
_TIME_AND_OFFSET = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"


def policy_schema() -> dict[str, object]:
    """The schema, as JSON's types; ``docs/policy.schema.json`` is this, written out."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Strongroom policy file",
        "description": "The measurements that an attestation document may have: one table per acceptable tuple.",
        "type": "object",
        "properties": {
            "measurement": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_TABLES,
                "items": {"$ref": "#/$defs/measurement"},
            }
        },
        "required": ["measurement"],
        "additionalProperties": False,
        "$defs": {"measurement": _measurement(), "digest": _digest(), "instant": _instant()},
    }


def _measurement() -> dict[str, object]:
    digest = {"$ref": "#/$defs/digest"}
    return {
        "description": "PCR0, PCR1 and PCR2 of one build, who may run it, and what it measures after boot.",
        "type": "object",
        "properties": {
            "name": _text(f"({NAME_PATTERN})?", "What to call the release in errors."),
            "pcr2": {**digest, "not": _text(_in_any_case(EMPTY_APPLICATION_PCR2))},
            "parent_role": _text(ROLE_ARN.pattern, "ARN of the parent instance's IAM role; PCR3 is its hash."),
            "any_parent_role": {"type": "boolean", "description": "Whoever runs this image is trusted."},
            "not_before": {"$ref": "#/$defs/instant"},
            "not_after": {"$ref": "#/$defs/instant"},
        },
        "patternProperties": {f"^{PCR_KEY_PATTERN}$": digest},
        "required": [f"pcr{index}" for index in IMAGE_PCRS],
        "additionalProperties": False,
        "oneOf": [
            {"required": ["pcr3"]},
            {"required": ["parent_role"]},
            {"required": ["any_parent_role"], "properties": {"any_parent_role": {"const": True}}},
        ],
    }


def _digest() -> dict[str, object]:
    nothing = {"not": {"pattern": f"^0{{{2 * len(ZERO)}}}$"}}
    return {**_text(DIGEST_PATTERN, "A PCR, SHA-384 in hexadecimal digits; zeros measure nothing."), **nothing}


def _instant() -> dict[str, object]:
    return _text(f"{_DATE}[Tt ]{_TIME_AND_OFFSET}", "A TOML offset date-time, not quoted; it belongs to the window.")


def _text(pattern: str, description: str | None = None) -> dict[str, object]:
    described = {} if description is None else {"description": description}
    return {**described, "type": "string", "pattern": f"^{pattern}$"}


def _in_any_case(value: bytes) -> str:
    return re.sub("[a-f]", lambda digit: f"[{digit[0]}{digit[0].upper()}]", value.hex())
