"""Server-sent events."""

from typing import Final

import msgspec

MEDIA_TYPE: Final = "text/event-stream"
DONE: Final = b"data: [DONE]\n\n"


def event(value: object) -> bytes:
    """One event of JSON, which has no line breaks of its own."""
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
