"""Sealed requests under HPKE: docs/protocol.md, sealed request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.protocol.vectors import frames, hpke, tasks
from tests.protocol.vectors.frames import ELSEWHERE, HERE, Head, Place
from tests.protocol.vectors.key_lists import X25519, XWING, configuration, key_id
from tests.protocol.vectors.seeds import KeyPair, X25519Pair
from tests.protocol.vectors.vector import MALFORMED, OPEN_FAILED, Group, Vector
from tests.protocol.vectors.wire import canonical, flipped, padded

LABEL = b"strongroom request v1\0"


@dataclass(frozen=True)
class Sealed:
    """A request under HPKE, sound unless changed."""

    pair: KeyPair
    head: Head
    plaintext: bytes
    place: Place = HERE
    bound: bytes | None = None
    """The configuration that `info` names; by default the one that the key belongs to."""

    def to_bytes(self) -> bytes:
        """head ‖ enc ‖ ciphertext."""
        head, bound = self.head.to_bytes(), configuration(self.pair) if self.bound is None else self.bound
        return head + hpke.sealed(self.pair, LABEL + self.place.context(head, bound), self.plaintext)


def sound(pair: KeyPair, fields: object = None) -> Sealed:
    """A sound request to ``pair``."""
    body = canonical(tasks.asked() if fields is None else fields)
    return Sealed(pair, Head(suite=pair.suite, key_id=key_id(pair)), padded(body))


def groups() -> list[Group]:
    """The files: all defects under X25519, those of the suite itself under X-Wing."""
    x25519 = [*_accepted(X25519), *_heads(X25519, {1: "suite-1", 3: "suite-3"}), *_seals(X25519), *_inner()]
    xwing = [*_accepted(XWING), *_seals(XWING)]
    return [_group("requests-x25519", X25519, x25519), _group("requests-xwing", XWING, xwing)]


def _group(name: str, pair: KeyPair, vectors: list[Vector]) -> Group:
    about = (
        "Sealed requests to the holder of `seed`. `ephemeral` fixes the encapsulation (ikmE of RFC 9180; for X-Wing "
        "the 64 bytes of EncapsulateDerand), so that sealing an accepted vector's body again gives its message."
    )
    given = {"seed": pair.seed, "configuration": configuration(pair), "ephemeral": hpke.ephemeral_ikm(pair)}
    return Group(name, about, "Sealed request", given, vectors)


def _accepted(pair: KeyPair) -> list[Vector]:
    asked = {
        "chat": ("a chat, sampled, whole answer", tasks.asked()),
        "chat-streamed": ("a chat with all defaults, streamed answer", tasks.asked(tasks.PLAIN, stream=True)),
        "complete": ("a text to continue, with all options", tasks.asked(tasks.COMPLETE)),
        "embed": ("texts to embed, one of them empty", tasks.asked(tasks.EMBED)),
        "classify": ("texts to score", tasks.asked(tasks.CLASSIFY)),
        "tag": ("texts to find spans in", tasks.asked(tasks.TAG)),
        "infer": ("tensors, one of them named `__proto__`", tasks.asked(tasks.INFER)),
        "describe": ("what the model is", tasks.asked(tasks.DESCRIBE)),
        "bucket-full": ("a body that fills the bucket of 1 KiB", _of_size(1020)),
        "bucket-next": ("a body one byte longer: 2 KiB", _of_size(1021)),
    }
    return [_opened(slug, title, sound(pair, fields), fields) for slug, (title, fields) in asked.items()]


def _of_size(size: int) -> dict[str, object]:
    without = len(canonical(tasks.asked(tasks.EMBED | {"texts": ["x" * 256]}))) - 256
    return tasks.asked(tasks.EMBED | {"texts": ["x" * (size - without)]})


def _opened(slug: str, title: str, sealed: Sealed, asked: object) -> Vector:
    return frames.opened(slug, title, sealed.to_bytes(), sealed.head, canonical(asked), asked)


def _heads(pair: KeyPair, suites: dict[int, str]) -> list[Vector]:
    def sealed(**changes: Any) -> bytes:
        plain = sound(pair)
        return replace(plain, head=replace(plain.head, **changes)).to_bytes()

    return [*frames.unreadable(sealed), *frames.swapped(sealed(), suites)]


def _seals(pair: KeyPair) -> list[Vector]:
    plain = sound(pair)
    message, head_bytes = plain.to_bytes(), len(plain.head.to_bytes())
    enc_bytes = len(hpke.sealed(pair, b"", b"")) - 16
    wrong = {
        "enc": ("one bit of the encapsulated key", flipped(message, head_bytes)),
        "enc-end": ("one bit of its last byte", flipped(message, head_bytes + enc_bytes - 1)),
        "enc-cut": ("an encapsulated key that ends early", message[: head_bytes + enc_bytes - 1]),
        "enc-alone": ("no ciphertext", message[: head_bytes + enc_bytes]),
        "ciphertext": ("one bit of the ciphertext", flipped(message, head_bytes + enc_bytes)),
        "tag": ("one bit of the tag", flipped(message, -1)),
        "cut": ("one byte short", message[:-1]),
        "trailing": ("one byte too many", message + b"\0"),
        "head-alone": ("a head and nothing else", message[:head_bytes]),
        "configuration": ("bound to another configuration of this key", _bound(plain)),
    }
    if isinstance(pair, X25519Pair):
        wrong["other-key"] = ("sealed to another key, under this one's id", _to_another(plain))
    wrong |= {slug: (title, replace(plain, place=place).to_bytes()) for slug, (title, place) in ELSEWHERE.items()}
    return [Vector(slug, title, data, OPEN_FAILED, "seal") for slug, (title, data) in wrong.items()]


def _bound(plain: Sealed) -> bytes:
    return replace(plain, bound=configuration(plain.pair, version=2)).to_bytes()


def _to_another(plain: Sealed) -> bytes:
    return replace(plain, pair=X25519Pair("other"), bound=configuration(plain.pair)).to_bytes()


def _inner() -> list[Vector]:
    rest = {"not_after_ms": 1_790_000_000_000, "single_use": False}
    with_rest = replace(sound(X25519), plaintext=padded(canonical(tasks.asked(rest=rest))))
    return [
        *(Vector(each.slug, each.title, _around(each.plaintext), each.outcome, each.layer) for each in tasks.refused()),
        Vector("rest", "rest, which belongs to KMS envelopes", with_rest.to_bytes(), MALFORMED, "fields"),
    ]


def _around(plaintext: bytes) -> bytes:
    return replace(sound(X25519), plaintext=plaintext).to_bytes()
