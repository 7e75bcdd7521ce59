"""Size buckets: what the parent learns of a length is which bucket it fell into.

A padded body is `length (4 bytes, big-endian) ‖ body ‖ zeros`, its size a power of two from 1 KiB up to 64 KiB and a
multiple of 64 KiB above. Frames of a stream start at 256 bytes, so that one token and a short word look alike.
"""

from strongroom.protocol.errors import Malformed

_LENGTH_BYTES = 4
_STEP = 64 << 10
BODY_BUCKET_BYTES = 1 << 10
FRAME_BUCKET_BYTES = 256


def padded_size(body_bytes: int, smallest: int) -> int:
    """The bucket, in bytes, of a body of that length."""
    needed = body_bytes + _LENGTH_BYTES
    if needed > _STEP:
        return -(-needed // _STEP) * _STEP
    return max(smallest, 1 << (needed - 1).bit_length())


def pad(body: bytes, smallest: int = BODY_BUCKET_BYTES) -> bytes:
    """Bring a body to the size of its bucket."""
    framed = len(body).to_bytes(_LENGTH_BYTES, "big") + body
    return framed.ljust(padded_size(len(body), smallest), b"\0")


def unpad(padded: bytes) -> bytes:
    """Take the body out again; raise Malformed when the length or the filling is wrong."""
    length = int.from_bytes(padded[:_LENGTH_BYTES], "big")
    end = _LENGTH_BYTES + length
    if len(padded) < _LENGTH_BYTES or end > len(padded):
        raise Malformed(f"padding: expected a length within {len(padded)} bytes, got {length}")
    if padded.count(0, end) != len(padded) - end:
        raise Malformed("padding: expected zeros after the body, got other bytes")
    return padded[_LENGTH_BYTES:end]
