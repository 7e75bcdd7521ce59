"""Key policies as KMS keeps them: JSON text in which a name given twice could be read in two ways."""

import json

from attestation.errors import PolicyError

MAX_KEY_POLICY_BYTES = 32 << 10
"""KMS's own limit (AWS KMS developer guide, "Resource quotas")."""


def parse_key_policy(text: str) -> dict[str, object]:
    """Parse a key policy. Raises PolicyError for too many bytes, a name given twice, or anything but a JSON object."""
    try:
        if len(text.encode()) > MAX_KEY_POLICY_BYTES:
            raise PolicyError(f"key policy: expected at most {MAX_KEY_POLICY_BYTES} bytes")
        parsed = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise PolicyError("key policy: expected JSON in which no object gives a name twice") from None
    if not isinstance(parsed, dict):
        raise PolicyError("key policy: expected a JSON object")
    return parsed


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        raise ValueError("a name was given twice")
    return parsed
