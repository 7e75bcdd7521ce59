"""KMS envelopes: docs/protocol.md, KMS envelope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.protocol.vectors import frames, tasks
from tests.protocol.vectors.frames import ELSEWHERE, HERE, Head, Place
from tests.protocol.vectors.seeds import AT_MS, derived
from tests.protocol.vectors.vector import MALFORMED, OPEN_FAILED, Group, Vector
from tests.protocol.vectors.wire import Cipher, canonical, flipped, padded, sha256

ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CONTEXT = {"purpose": "request", "tenant": "clinic", "strongroom:deployment": "vectors"}
DATA_KEY, WRAPPED = derived("data key", 32), derived("wrapped data key", 184)
SALT = derived("envelope salt", 32)
REST = {"not_after_ms": AT_MS + 90 * 86_400_000, "single_use": False}
_DAYS_400_MS = 400 * 86_400_000


def entry(arn: str = ARN, context: Mapping[str, str] = CONTEXT) -> bytes:
    """The KMS key and the encryption context, as one value."""
    return canonical([arn, dict(context)])


def entry_id(named: bytes) -> bytes:
    """What the head names it by."""
    return sha256(b"strongroom key entry v1\0", named)


_ENTRY = entry()
_HEAD = Head(suite=3, key_id=entry_id(_ENTRY))


@dataclass(frozen=True)
class Envelope:
    """A KMS envelope, sound unless changed."""

    plaintext: bytes
    head: Head = _HEAD
    place: Place = HERE
    entry: bytes = _ENTRY
    data_key: bytes = DATA_KEY
    wrapped: bytes = WRAPPED
    said_bytes: int | None = None
    """The length that stands before the wrapped data key, when it is not its length."""

    def to_bytes(self) -> bytes:
        """head ‖ salt ‖ length ‖ wrapped data key ‖ ciphertext."""
        head, size = self.head.to_bytes(), len(self.wrapped) if self.said_bytes is None else self.said_bytes
        context = self.place.context(head, self.entry, self.wrapped)
        cipher = Cipher(self.data_key, SALT, b"strongroom envelope v1\0" + sha256(context))
        sealed = cipher.seal(self.plaintext, context)
        return b"".join((head, SALT, size.to_bytes(2, "big"), self.wrapped, sealed))


def asked(**rest: object) -> dict[str, object]:
    """The fields of a body that may rest."""
    return tasks.asked(rest=REST | rest)


def sound(fields: object = None) -> Envelope:
    """A sound envelope."""
    return Envelope(padded(canonical(asked() if fields is None else fields)))


def group() -> Group:
    """The file."""
    about = (
        "KMS envelopes. `data_key` is what KMS unwraps `wrapped` to, under `arn` and `context`. Sealing an accepted "
        "vector's body again, under the salt in its message, gives its message."
    )
    given = {"arn": ARN, "context": CONTEXT, "entry_id": entry_id(entry()), "data_key": DATA_KEY, "wrapped": WRAPPED}
    vectors = [*_accepted(), *_heads(), *_frames(), *_seals(), *_rests(), *_inner()]
    return Group("envelopes", about, "KMS envelope", given | {"salt": SALT}, vectors)


def _accepted() -> list[Vector]:
    kinds: dict[str, tuple[str, dict[str, object]]] = {
        "multiple": ("may be answered more than once", asked()),
        "single-use": ("at most one answer per boot", asked(single_use=True)),
        "longest-rest": ("not_after 400 days after it was sealed", asked(not_after_ms=AT_MS + _DAYS_400_MS)),
        "shortest-rest": ("not_after one millisecond after it was sealed", asked(not_after_ms=AT_MS + 1)),
    }
    return [
        frames.opened(slug, title, sound(fields).to_bytes(), sound().head, canonical(fields), fields)
        for slug, (title, fields) in kinds.items()
    ]


def _sealed(**changes: Any) -> bytes:
    plain = sound()
    return replace(plain, head=replace(plain.head, **changes)).to_bytes()


def _heads() -> list[Vector]:
    return [*frames.unreadable(_sealed), *frames.swapped(_sealed(), {})]


def _frames() -> list[Vector]:
    message, start = sound().to_bytes(), len(sound().head.to_bytes())
    hpke = message[:4] + b"\0\1" + message[6:]
    wrong = {
        "suite-1": ("suite 1, altered after it was sealed: not an envelope", hpke),
        "wrapped-0": ("a wrapped data key of no bytes", replace(sound(), wrapped=b"").to_bytes()),
        "wrapped-6145": ("a wrapped data key of 6,145 bytes", replace(sound(), wrapped=bytes(6145)).to_bytes()),
        "wrapped-65535": ("a length of 65,535", replace(sound(), said_bytes=65535).to_bytes()),
        "wrapped-cut": ("a wrapped data key that ends early", message[: start + 34 + 183]),
        "salt-cut": ("a salt that ends early", message[: start + 31]),
    }
    return [Vector(slug, title, data, MALFORMED, "form") for slug, (title, data) in wrong.items()]


def _seals() -> list[Vector]:
    plain, start = sound(), len(sound().head.to_bytes())
    message, body = plain.to_bytes(), start + 34 + len(WRAPPED)
    elsewhere = {slug: (title, replace(plain, place=place).to_bytes()) for slug, (title, place) in ELSEWHERE.items()}
    wrong = {
        "salt": ("one bit of the salt", flipped(message, start)),
        "wrapped": ("one bit of the wrapped data key", flipped(message, start + 34)),
        "wrapped-shorter": ("a length one less than it was sealed with", _shorter(message, start + 33)),
        "ciphertext": ("one bit of the ciphertext", flipped(message, body)),
        "tag": ("one bit of the tag", flipped(message, -1)),
        "tag-alone": ("a ciphertext of 15 bytes", message[: body + 15]),
        "ciphertext-absent": ("no ciphertext", message[:body]),
        "trailing": ("one byte too many", message + b"\0"),
        "other-data-key": ("another data key", replace(plain, data_key=derived("other data key", 32)).to_bytes()),
        "other-arn": ("sealed under another KMS key", _under(ARN[:-1] + "c", CONTEXT)),
        "other-context": ("sealed under another encryption context", _under(ARN, CONTEXT | {"tenant": "bank"})),
        "other-entry-id": ("sealed under this entry, with another's id", _sealed(key_id=entry_id(b"another"))),
        **elsewhere,
    }
    return [Vector(slug, title, data, OPEN_FAILED, "seal") for slug, (title, data) in wrong.items()]


def _shorter(message: bytes, at: int) -> bytes:
    return message[:at] + bytes([message[at] - 1]) + message[at + 1 :]


def _under(arn: str, context: Mapping[str, str]) -> bytes:
    """Its head names the entry that it is opened with: only the seal tells."""
    return replace(sound(), entry=entry(arn, context)).to_bytes()


def _rests() -> list[Vector]:
    too_long = AT_MS + _DAYS_400_MS + 1
    wrong: dict[str, tuple[str, object]] = {
        "no-rest": ("no rest", tasks.asked()),
        "rest-null": ("rest null", tasks.asked(rest=None)),
        "rest-ended": ("not_after at the instant of sealing", asked(not_after_ms=AT_MS)),
        "rest-too-long": ("not_after 400 days and a millisecond after it", asked(not_after_ms=too_long)),
        "rest-negative": ("not_after before the epoch", asked(not_after_ms=-1)),
        "rest-unknown": ("an unknown field of rest", asked(uses=2)),
        "single-use-absent": ("rest without single_use", tasks.asked(rest={"not_after_ms": REST["not_after_ms"]})),
    }
    return [
        Vector(slug, title, sound(fields).to_bytes(), MALFORMED, "fields") for slug, (title, fields) in wrong.items()
    ]


def _inner() -> list[Vector]:
    """One of each layer: the bodies themselves are those of requests under HPKE."""
    chosen = ("padding-filling", "body-key-twice")
    return [
        Vector(each.slug, each.title, Envelope(each.plaintext).to_bytes(), each.outcome, each.layer)
        for each in tasks.refused()
        if each.slug in chosen
    ]
