"""The errors about EIFs: a file that is none, and one that nobody should start."""

from __future__ import annotations

from attestation.errors import AttestationError


class EIFError(AttestationError):
    """A file that is no well-formed EIF. ``offset`` is a position in the file, in bytes; contents are never quoted."""

    code = "malformed-eif"

    def __init__(self, expected: str, actual: str, offset: int) -> None:
        super().__init__(f"EIF: expected {expected}, got {actual}, at byte {offset}")
        self.expected = expected
        self.actual = actual
        self.offset = offset


class UnsoundEIF(AttestationError):
    """A well-formed EIF whose CRC or signature does not hold; ``code`` says which, crc or signature."""

    def __init__(self, code: str, expected: str, actual: str) -> None:
        super().__init__(f"EIF: expected {expected}, got {actual}")
        self.code = code
