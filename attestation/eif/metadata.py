"""The metadata section: JSON about how an image was built. Nothing measures it: whoever has the file can change it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from attestation.eif.errors import EIFError

MAX_DEPTH = 127
"""Levels of objects and arrays, as many as AWS's reader (serde_json) takes."""


class BuildMetadata(msgspec.Struct, frozen=True, rename="pascal"):
    """When and by what an image was built; all of it is the builder's word."""

    build_time: str
    build_tool: str
    build_tool_version: str
    operating_system: str
    kernel_version: str


class Metadata(msgspec.Struct, frozen=True, rename="pascal"):
    """The section's five members. Others are ignored, as AWS's reader does."""

    image_name: str
    image_version: str
    build_metadata: BuildMetadata
    docker_info: Any
    custom_metadata: Any

    @classmethod
    def from_bytes(cls, data: bytes, offset: int) -> Metadata:
        """Read a section's data that lie at ``offset`` in the file; the caller has bounded their size.

        Objects come with their keys sorted, as nitro-cli prints them. Raises EIFError for anything but one UTF-8 JSON
        object with unique keys at every level, finite numbers, at most ``MAX_DEPTH`` levels and all five members.
        """
        try:
            value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique_keys)
            # What can be written back holds no NaN, no infinity (also not from 1e999) and no lone surrogate.
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
        except (ValueError, RecursionError):
            raise EIFError("metadata of one strict JSON object", "something else", offset) from None
        _check_depth(value, offset)
        try:
            return msgspec.convert(value, cls)
        except msgspec.ValidationError as error:
            raise EIFError("metadata with its five members", f"{error}", offset) from None

    def to_bytes(self) -> bytes:
        """The section's data as nitro-cli writes them: compact, its five members in its order."""
        return msgspec.json.encode(self)


def _unique_keys(pairs: list[tuple[str, object]]) -> Mapping[str, object]:
    members = dict(sorted(pairs, key=lambda pair: pair[0]))
    if len(members) != len(pairs):
        raise ValueError("a key twice")
    return members


def _check_depth(value: object, offset: int) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        containers = [each for each in level if isinstance(each, dict | list)]
        if not containers:
            return
        level = [child for each in containers for child in (each.values() if isinstance(each, dict) else each)]
    raise EIFError(f"at most {MAX_DEPTH} levels of metadata", "deeper nesting", offset)
