"""One vector, and a file of them as JSON: bytes in hex."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ACCEPTED = "accepted"
MALFORMED, UNSUPPORTED, TOO_LARGE = "Malformed", "Unsupported", "TooLarge"
OPEN_FAILED, TRUNCATED = "OpenFailed", "Truncated"


@dataclass(frozen=True)
class Vector:
    """A message and what must come of it: ``outcome`` is ACCEPTED, or the class or the code of the refusal.

    ``layer`` says where a refusal comes from, for implementations that have not all of them.
    """

    slug: str
    title: str
    message: bytes = field(repr=False)
    outcome: str = ACCEPTED
    layer: str | None = None
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """One file: vectors of one kind of message; ``given`` is what each of them is judged with."""

    name: str
    about: str
    section: str
    given: Mapping[str, object]
    vectors: Sequence[Vector]

    def id_of(self, vector: Vector) -> str:
        """name-number-slug; numbers follow the order."""
        return f"{self.name}-{self.vectors.index(vector) + 1:02}-{vector.slug}"

    def by_slug(self, slug: str) -> Vector:
        """The vector of that slug."""
        return next(each for each in self.vectors if each.slug == slug)

    def to_json(self) -> bytes:
        """The file."""
        listed = [
            {"id": self.id_of(each), "title": each.title, "outcome": each.outcome}
            | ({} if each.layer is None else {"layer": each.layer})
            | dict(each.more)
            | {"message": each.message}
            for each in self.vectors
        ]
        page = {"about": self.about, "section": self.section, "given": self.given, "vectors": listed}
        return (json.dumps(_plain(page), indent=1, ensure_ascii=False) + "\n").encode()


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
