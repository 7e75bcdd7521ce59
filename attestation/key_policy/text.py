"""KMS's answers as text: JSON in which a name given twice could be read in two ways."""

import json

from attestation.errors import PolicyError

MAX_KEY_POLICY_BYTES = 32 << 10
"""KMS's own limit (AWS KMS developer guide, "Resource quotas")."""


def parse_key_policy(text: str) -> dict[str, object]:
    """Parse a key policy. Raises PolicyError for too many bytes, a name given twice, or anything but a JSON object."""
    return parse_object(text, "key policy", MAX_KEY_POLICY_BYTES)


def parse_object(text: str, what: str, max_bytes: int) -> dict[str, object]:
    """Parse ``text``, called ``what`` in errors. Raises PolicyError as parse_key_policy does."""
    try:
        if len(text.encode()) > max_bytes:
            raise PolicyError(f"{what}: expected at most {max_bytes} bytes")
        parsed = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_json)
    except (ValueError, RecursionError):
        raise PolicyError(f"{what}: expected JSON in which no object gives a name twice") from None
    if not isinstance(parsed, dict):
        raise PolicyError(f"{what}: expected a JSON object")
    return parsed


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        raise ValueError("a name was given twice")
    return parsed


def _no_json(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")
