"""What the ways in share: the context that every sealed request binds, the body inside the seal, the limit."""

from strongroom.protocol import canonical
from strongroom.protocol.constants import MAX_SEALED_REQUEST_BYTES, MEDIA_SEALED_REQUEST, PATH_SEALED
from strongroom.protocol.errors import TooLarge
from strongroom.protocol.framing import Buffer, prefixed
from strongroom.protocol.payloads import Request


def bound_context(head: bytes, *key: bytes) -> bytes:
    """All that a gateway can route on, and what names the key."""
    return prefixed(b"POST", PATH_SEALED.encode(), MEDIA_SEALED_REQUEST.encode(), head, *key)


def decode_body(body: Buffer) -> Request:
    """The request in a body that was opened; raise Malformed."""
    return canonical.decode(body, Request, "request")


def check_size(message: bytes) -> bytes:
    """`message` itself; raise TooLarge above MAX_SEALED_REQUEST_BYTES."""
    if len(message) > MAX_SEALED_REQUEST_BYTES:
        raise TooLarge(f"sealed request: expected at most {MAX_SEALED_REQUEST_BYTES} bytes, got {len(message)}")
    return message
