"""The one error of the EIF reader."""

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
