"""The body of a response chunk: a list of events. A whole answer is one chunk with all of them, a stream many."""

from collections.abc import Sequence

from strongroom.protocol import canonical
from strongroom.protocol.framing import Buffer
from strongroom.protocol.payloads import Event


def encode_events(events: Sequence[Event]) -> bytes:
    """Canonical CBOR of the list."""
    return canonical.encode(list(events))


def decode_events(body: Buffer) -> list[Event]:
    """Parse the body of a chunk; raise Malformed."""
    return canonical.decode(body, list[Event], "answer")
