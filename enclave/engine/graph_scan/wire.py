"""Protobuf's wire format, in one spelling only (protobuf.dev, "Encoding")."""

from enclave.engine.graph_scan.rules import GraphRejected, Rule

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5

_MAX_VARINT_BYTES = 10
_PIECE_BYTES = 1 << 20
_CONTINUED = bytes(range(0x80, 0x100))


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The unsigned number at `at`, and where it ends; raise GraphRejected unless it is the shortest of 64 bits."""
    if at < end and data[at] < 0x80:  # nearly always
        return data[at], at + 1
    value = shift = 0
    for stop in range(at + 1, min(end, at + _MAX_VARINT_BYTES) + 1):
        byte = data[stop - 1]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64 or (byte == 0 and shift):
                raise GraphRejected(Rule.WIRE, "expected the shortest varint of 64 bits, got another")
            return value, stop
        shift += 7
    raise GraphRejected(Rule.WIRE, f"expected a varint of at most {_MAX_VARINT_BYTES} bytes, got none that ends")


def signed(value: int) -> int:
    """The number that a varint of type int64 stands for."""
    return value - (1 << 64) if value >> 63 else value


def count_varints(data: bytes, at: int, end: int) -> int:
    """How many numbers a packed field holds: its bytes that end one. Raises GraphRejected if the last does not end."""
    if at < end and data[end - 1] >= 0x80:
        raise GraphRejected(Rule.WIRE, "expected packed numbers that end with their field, got others")
    pieces = (data[start : min(start + _PIECE_BYTES, end)] for start in range(at, end, _PIECE_BYTES))
    return sum(len(piece.translate(None, _CONTINUED)) for piece in pieces)
