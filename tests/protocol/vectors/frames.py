"""The clear head of a sealed request, of either way in, and what surrounds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.protocol.vectors.seeds import AT_MS, derived
from tests.protocol.vectors.vector import ACCEPTED, MALFORMED, OPEN_FAILED, UNSUPPORTED, Vector
from tests.protocol.vectors.wire import MEDIA_REQUEST, flipped, prefixed

REQUEST_ID = derived("request id", 16)
MODEL = b"smollm2-135m"


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is bound besides the head: where the request is sent, and as what."""

    method: bytes = b"POST"
    path: bytes = b"/v1/sealed"
    media_type: bytes = MEDIA_REQUEST

    def context(self, *fields: bytes) -> bytes:
        """In one."""
        return prefixed(self.method, self.path, self.media_type, *fields)


HERE = Place()
ELSEWHERE = {
    "bound-method": ("sealed for PUT", Place(method=b"PUT")),
    "bound-path": ("sealed for another path", Place(path=b"/v1/open")),
    "bound-media-type": ("sealed as another media type", Place(media_type=b"application/octet-stream")),
}


@dataclass(frozen=True, kw_only=True)
class Head:
    """A head, sound unless changed; ``suite`` and ``key_id`` are whatever the way in says."""

    suite: int
    key_id: bytes
    magic: bytes = b"SRQ\1"
    request_id: bytes = REQUEST_ID
    at_ms: int = AT_MS
    model: bytes = MODEL

    def to_bytes(self) -> bytes:
        """The head."""
        numbers = self.suite.to_bytes(2, "big"), self.at_ms.to_bytes(8, "big"), bytes([len(self.model)])
        return b"".join((self.magic, numbers[0], self.key_id, self.request_id, *numbers[1:], self.model))

    def facts(self) -> dict[str, object]:
        """As JSON has it."""
        names = {"key_id": self.key_id, "request_id": self.request_id, "model": self.model.decode()}
        return {"suite": self.suite, **names, "timestamp_ms": self.at_ms}


def unreadable(sealed: Callable[..., bytes]) -> Iterator[Vector]:
    """Heads with one defect; ``sealed`` makes a message around changes of the head."""
    wrong: dict[str, tuple[str, str, dict[str, object]]] = {
        "magic": ("another magic", MALFORMED, {"magic": b"SRX\1"}),
        "version-0": ("version 0", MALFORMED, {"magic": b"SRQ\0"}),
        "version-2": ("version 2", MALFORMED, {"magic": b"SRQ\2"}),
        "suite-0": ("suite 0", UNSUPPORTED, {"suite": 0}),
        "suite-4": ("suite 4", UNSUPPORTED, {"suite": 4}),
        "suite-256": ("the suite's bytes in the other order", UNSUPPORTED, {"suite": 256}),
        "model-empty": ("no model id", MALFORMED, {"model": b""}),
        "model-upper-case": ("a model id of upper-case letters", MALFORMED, {"model": b"SmolLM2"}),
        "model-newline": ("a model id that ends with a line", MALFORMED, {"model": b"smollm2\n"}),
        "model-of-65": ("a model id of 65 bytes", MALFORMED, {"model": b"m" * 65}),
        "model-not-ascii": ("a model id with a byte above 127", MALFORMED, {"model": b"smollm\xb2"}),
    }
    for slug, (title, outcome, changes) in wrong.items():
        yield Vector(f"head-{slug}", title, sealed(**changes), outcome, "head")
    sound = sealed()
    yield Vector("head-absent", "no bytes", b"", MALFORMED, "head")
    yield Vector("head-cut", "a head that ends in the model id", sound[:70], MALFORMED, "head")


def swapped(message: bytes, suites: dict[int, str]) -> Iterator[Vector]:
    """A sound message whose head was changed afterwards, one field alone: the seal binds all of it."""
    places = {"key-id": (6, "key id"), "request-id": (38, "request id"), "timestamp": (61, "timestamp")}
    for slug, (at, what) in places.items():
        yield _altered(slug, what, flipped(message, at))
    yield _altered("model", "model id", message.replace(MODEL, b"smollm2-360m", 1))
    for suite, slug in suites.items():
        yield _altered(slug, f"suite, to {suite}", message[:4] + suite.to_bytes(2, "big") + message[6:])


def _altered(slug: str, what: str, message: bytes) -> Vector:
    return Vector(f"swapped-{slug}", f"{what} altered after it was sealed", message, OPEN_FAILED, "seal")


def opened(slug: str, title: str, message: bytes, head: Head, body: bytes, asked: object) -> Vector:
    """A sound message; `asked` is what is in it, as JSON, and `body` its encoding."""
    return Vector(slug, title, message, ACCEPTED, None, {"gives": {"head": head.facts(), "body": body, "asked": asked}})
