"""Writing the TOML documents that operators keep: configurations, catalogues, manifests. The enclave only reads."""

from typing import Any

import msgspec
import tomli_w


def to_toml(document: msgspec.Struct) -> bytes:
    """The document as TOML; the same document always gives the same bytes. Absent optional fields are left out."""
    return tomli_w.dumps(_present(msgspec.to_builtins(document))).encode()


def _present(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _present(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_present(item) for item in value]
    return value
