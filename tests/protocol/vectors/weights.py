"""Sealed weights: docs/protocol.md, sealed weights. One vector is a head and one of its chunks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tests.protocol.vectors.envelopes import ARN, entry
from tests.protocol.vectors.seeds import derived
from tests.protocol.vectors.vector import ACCEPTED, MALFORMED, OPEN_FAILED, Group, Vector
from tests.protocol.vectors.wire import Cipher, flipped, sha256

CONTEXT = {"purpose": "model", "tenant": "clinic", "model": "smollm2-135m", "version": "1"}
DATA_KEY, WRAPPED, SALT = derived("weights data key", 32), derived("wrapped weights key", 184), derived("salt", 32)
MIB = 1 << 20


@dataclass(frozen=True)
class Head:
    """A head, sound unless changed."""

    magic: bytes = b"SRW\1"
    model: bytes = b"smollm2-135m"
    version: bytes = b"1"
    salt: bytes = SALT
    plaintext_bytes: int = 1000
    wrapped: bytes = WRAPPED
    said_bytes: int | None = None

    def to_bytes(self) -> bytes:
        """The head."""
        names = b"".join(bytes([len(name)]) + name for name in (self.model, self.version))
        wrapped_bytes = len(self.wrapped) if self.said_bytes is None else self.said_bytes
        sizes = self.plaintext_bytes.to_bytes(8, "big") + wrapped_bytes.to_bytes(2, "big")
        return b"".join((self.magic, names, self.salt, sizes, self.wrapped))


def sealed(
    head: Head,
    index: int,
    plaintext: bytes,
    *,
    data_key: bytes = DATA_KEY,
    arn: str = ARN,
    context: Mapping[str, str] = CONTEXT,
) -> bytes:
    """One chunk; the last is the one in which the plaintext ends."""
    info = b"strongroom weights v1\0" + sha256(head.to_bytes()) + sha256(entry(arn, context))
    last = index == -(-head.plaintext_bytes // MIB) - 1
    return Cipher(data_key, head.salt, info).chunk(index, last, plaintext)


def group() -> Group:
    """The file."""
    about = (
        "Sealed weights: `message` is a head alone, `chunk` the sealed chunk `index`, opened with `data_key`, which "
        "KMS wrapped under `arn` and `context`. A client needs none of this."
    )
    given = {"arn": ARN, "context": CONTEXT, "data_key": DATA_KEY}
    return Group("weights", about, "Sealed weights", given, [*_accepted(), *_heads(), *_seals()])


def _chunk(slug: str, title: str, head: Head, index: int, chunk: bytes, plaintext: bytes | None = None) -> Vector:
    facts: dict[str, object] = {"index": index, "chunk": chunk}
    if plaintext is None:
        return Vector(slug, title, head.to_bytes(), OPEN_FAILED, "seal", facts)
    chunks = -(-head.plaintext_bytes // MIB)
    return Vector(
        slug, title, head.to_bytes(), ACCEPTED, None, facts | {"gives": {"body": plaintext, "chunks": chunks}}
    )


def _accepted() -> list[Vector]:
    whole, tail = derived("weights", 1000), derived("the last weights", 5)
    longer = Head(plaintext_bytes=MIB + 5)
    return [
        _chunk("one-chunk", "all in one chunk", Head(), 0, sealed(Head(), 0, whole), whole),
        _chunk("second-chunk", "the last of two chunks", longer, 1, sealed(longer, 1, tail), tail),
    ]


def _heads() -> list[Vector]:
    wrong = {
        "magic": ("another magic", Head(magic=b"SRX\1")),
        "version": ("version 2", Head(magic=b"SRW\2")),
        "model-empty": ("no model id", Head(model=b"")),
        "model-slash": ("a model id with a separator", Head(model=b"../model")),
        "version-of-65": ("a version of 65 bytes", Head(version=b"1" * 65)),
        "no-weights": ("no bytes of weights", Head(plaintext_bytes=0)),
        "weights-2-42": ("2^42 + 1 bytes of weights", Head(plaintext_bytes=(1 << 42) + 1)),
        "wrapped-0": ("a wrapped data key of no bytes", Head(wrapped=b"")),
        "wrapped-6145": ("a wrapped data key of 6,145 bytes", Head(wrapped=bytes(6145))),
        "wrapped-cut": ("a wrapped data key that ends early", Head(said_bytes=185)),
        "trailing": ("a byte behind the head", Head(said_bytes=183)),
    }
    facts: dict[str, object] = {"index": 0, "chunk": b""}
    return [
        Vector(f"head-{slug}", title, head.to_bytes(), MALFORMED, "head", facts)
        for slug, (title, head) in wrong.items()
    ]


def _seals() -> list[Vector]:
    head, plaintext = Head(), derived("weights", 1000)
    longer = Head(plaintext_bytes=MIB + 5)
    chunk = sealed(head, 0, plaintext)
    other_key = sealed(head, 0, plaintext, data_key=derived("other data key", 32))
    other_arn = sealed(head, 0, plaintext, arn=ARN[:-1] + "c")
    other_tenant = sealed(head, 0, plaintext, context=CONTEXT | {"tenant": "bank"})
    other_purpose = sealed(head, 0, plaintext, context=CONTEXT | {"purpose": "request"})
    return [
        _chunk("bit", "one bit of the chunk", head, 0, flipped(chunk, 0)),
        _chunk("tag", "one bit of the tag", head, 0, flipped(chunk, -1)),
        _chunk("cut", "one byte short", head, 0, chunk[:-1]),
        _chunk("trailing", "one byte too many", head, 0, chunk + b"\0"),
        _chunk("moved", "a chunk in the place of another", longer, 1, sealed(longer, 0, b"start")),
        _chunk("other-model", "another model's head", replace(head, model=b"smollm2-360m"), 0, chunk),
        _chunk("other-version", "another version's head", replace(head, version=b"2"), 0, chunk),
        _chunk("other-salt", "another salt", replace(head, salt=flipped(SALT, 0)), 0, chunk),
        _chunk("other-length", "another number of bytes", replace(head, plaintext_bytes=1001), 0, chunk),
        _chunk("other-wrapped", "another wrapped data key", replace(head, wrapped=flipped(WRAPPED, 0)), 0, chunk),
        _chunk("other-data-key", "another data key", head, 0, other_key),
        _chunk("other-arn", "sealed under another KMS key", head, 0, other_arn),
        _chunk("other-tenant", "sealed for another tenant", head, 0, other_tenant),
        _chunk("other-purpose", "sealed under a key entry of another purpose", head, 0, other_purpose),
    ]
