"""Size buckets: what the parent learns of a length is which bucket it fell into.

A padded body is `length (4 bytes, big-endian) ‖ body ‖ zeros`, its size a power of two from 1 KiB up to 64 KiB and a
multiple of 64 KiB above. Frames of a stream start at 256 bytes, so that one token and a short word look alike. The last
chunk of an answer starts at 2 KiB: a refusal, a label or a count, each with its receipt, look alike.
"""

from strongroom.protocol.errors import Malformed

_LENGTH_BYTES = 4
_STEP = 64 << 10
BODY_BUCKET_BYTES = 1 << 10
FRAME_BUCKET_BYTES = 256
ANSWER_BUCKET_BYTES = 2 << 10


def padded_size(body_bytes: int, smallest: int) -> int:
    """The bucket, in bytes, of a body of that length."""
    needed = body_bytes + _LENGTH_BYTES
    if needed <= smallest:
        return smallest
    return 1 << (needed - 1).bit_length() if needed <= _STEP else -(-needed // _STEP) * _STEP


def pad(*body: bytes, smallest: int = BODY_BUCKET_BYTES) -> bytes:
    """Bring a body, which may come in pieces, to the size of its bucket."""
    length = sum(map(len, body))
    filling = bytes(padded_size(length, smallest) - _LENGTH_BYTES - length)
    return b"".join((length.to_bytes(_LENGTH_BYTES, "big"), *body, filling))


def unpad(padded: bytes, smallest: int = BODY_BUCKET_BYTES) -> memoryview:
    """The body in it, not copied; raise Malformed when length, bucket or filling is not what `pad` makes."""
    length = int.from_bytes(padded[:_LENGTH_BYTES], "big")
    end = _LENGTH_BYTES + length
    if len(padded) != padded_size(length, smallest):
        raise Malformed(f"padding: expected a length whose bucket has {len(padded)} bytes, got {length}")
    if padded[end:] != bytes(len(padded) - end):
        raise Malformed("padding: expected zeros after the body, got other bytes")
    return memoryview(padded)[_LENGTH_BYTES:end]
