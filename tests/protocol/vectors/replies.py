"""What a gateway answers a sealed request with over HTTP: docs/protocol.md, what a client must check, line 8."""

from __future__ import annotations

from tests.protocol.vectors import answers
from tests.protocol.vectors.exchange import TEXT
from tests.protocol.vectors.responses import asker, whole
from tests.protocol.vectors.vector import ACCEPTED, Group, Vector
from tests.protocol.vectors.wire import MEDIA_REQUEST, MEDIA_STREAM, MEDIA_WHOLE, canonical

_ASKED_FOR = MEDIA_WHOLE.decode()
_BROKEN = "seal-broken"


def group() -> Group:
    """The file."""
    about = (
        "Replies to POST /v1/sealed of `request`, for an answer of `media_type`: `status`, `content_type` (null: no "
        "such header), the body as `message`. Outcomes are codes of the client's errors."
    )
    sound = _reply("sealed", "the sealed answer", 200, _ASKED_FOR, whole().to_bytes(), ACCEPTED, None)
    vectors = [sound, *_plain(), *_media_types(), *_statuses()]
    return Group("replies", about, "What a client must check", asker(stream=False), vectors)


def _reply(
    slug: str, title: str, status: int, content_type: str | None, body: bytes, outcome: str, layer: str | None
) -> Vector:
    return Vector(slug, title, body, outcome, layer, {"status": status, "content_type": content_type})


def _plain() -> list[Vector]:
    text, events = "".join(TEXT).encode(), canonical(answers.whole(b"x"))
    said = {
        "plain-text": ("the text of an answer", "text/plain; charset=utf-8", text),
        "plain-json": ("an answer as JSON", "application/json", b'{"text": "The report is due tomorrow."}'),
        "plain-events": ("the events of an answer, not sealed", "application/cbor", events),
        "empty": ("nothing", "application/octet-stream", b""),
    }
    return [_not_sealed(slug, title, kind, body) for slug, (title, kind, body) in said.items()]


def _media_types() -> list[Vector]:
    said = {
        "octet-stream": ("any bytes", "application/octet-stream"),
        "no-media-type": ("nothing", None),
        "stream": ("a streamed answer, which was not asked for", MEDIA_STREAM.decode()),
        "request": ("a sealed request", MEDIA_REQUEST.decode()),
        "parameter": ("the media type with a parameter", f"{_ASKED_FOR}; v=1"),
    }
    return [
        _not_sealed(f"as-{slug}", f"the sealed answer as {title}", kind, whole().to_bytes())
        for slug, (title, kind) in said.items()
    ]


def _statuses() -> list[Vector]:
    """Sound but for the status."""
    statuses = dict.fromkeys((201, 203, 206), _BROKEN) | dict.fromkeys((302, 400, 422, 500, 503), "gateway-problem")
    body = whole().to_bytes()
    return [
        _reply(f"status-{status}", f"status {status}", status, _ASKED_FOR, body, outcome, "reply")
        for status, outcome in statuses.items()
    ]


def _not_sealed(slug: str, title: str, content_type: str | None, body: bytes) -> Vector:
    return _reply(slug, title, 200, content_type, body, _BROKEN, "reply")
