"""The body of a response chunk: a list of events. A whole answer is one chunk with all of them, a stream many."""

from collections.abc import Sequence
from typing import Final

from strongroom.protocol import canonical
from strongroom.protocol.framing import Buffer
from strongroom.protocol.payloads import Event

MAX_ITEMS: Final = 1 << 17
"""Of an answer in CBOR: MAX_LOGPROBS take 114,688 items at most, MAX_SPANS 73,728."""


def encode_events(events: Sequence[Event]) -> bytes:
    """Canonical CBOR of the list."""
    return canonical.encode(list(events))


def decode_events(body: Buffer, what: str = "answer") -> list[Event]:
    """Parse the body of a chunk, or the content of an answer; raise Malformed naming `what`."""
    return canonical.decode(body, list[Event], what, max_items=MAX_ITEMS)
