"""Tickets: docs/protocol.md, files at rest."""

from __future__ import annotations

from tests.protocol.vectors import envelopes, exchange, tasks
from tests.protocol.vectors.seeds import AT_MS
from tests.protocol.vectors.vector import ACCEPTED, Group, Vector
from tests.protocol.vectors.wire import canonical, prefixed

NOT_AFTER_MS = AT_MS + 1_800_000
ENVELOPE = envelopes.sound(envelopes.asked(not_after_ms=NOT_AFTER_MS)).to_bytes()
_NOT_AFTER = NOT_AFTER_MS.to_bytes(8, "big")
_CONTENT = canonical(tasks.CHAT)


def ticket(
    secret: bytes = tasks.SECRET, not_after: bytes = _NOT_AFTER, content: bytes = _CONTENT, request: bytes = ENVELOPE
) -> bytes:
    """magic ‖ its fields, sound unless changed."""
    return b"SRT\1" + prefixed(secret, not_after, content, request)


def group() -> Group:
    """The file."""
    about = "Tickets. `gives` is what an accepted one holds; the refusal is the code of the client's error."
    gives = {"not_after_ms": NOT_AFTER_MS, "content": _CONTENT, "request": ENVELOPE}
    sound = Vector("sound", "of an envelope that is in `gives`", ticket(), ACCEPTED, None, {"gives": gives})
    return Group("tickets", about, "Files at rest", {}, [sound, *_refused()])


def _refused() -> list[Vector]:
    whole = ticket()
    wrong = {
        "empty": ("no bytes", b""),
        "magic": ("another magic", b"SRX\1" + whole[4:]),
        "version": ("version 2", b"SRT\2" + whole[4:]),
        "cut": ("one byte short", whole[:-1]),
        "trailing": ("one byte too many", whole + b"\0"),
        "length-2-32": ("a secret of 2^32 - 1 bytes", whole[:4] + b"\xff" * 4 + whole[8:]),
        "secret-of-31": ("a secret of 31 bytes", ticket(secret=tasks.SECRET[:-1])),
        "time-of-7": ("a time of 7 bytes", ticket(not_after=_NOT_AFTER[1:])),
        "no-task": ("content that is no task", ticket(content=canonical({}))),
        "hpke": ("a sealed request that is no envelope", ticket(request=exchange.request())),
    }
    return [Vector(slug, title, data, "invalid-argument", "form") for slug, (title, data) in wrong.items()]
