"""The ways in: how the plaintext of a sealed request is protected. One space of ids, in the clear head of each message.

An HPKE suite (`suites.Suite`) is a way in, a way in need not be an HPKE suite: the two never mix without saying so.
"""

from enum import IntEnum

from strongroom.protocol.errors import Unsupported


class WayIn(IntEnum):
    """The suite id of a sealed request, which its response repeats."""

    XWING = 1
    """HPKE to a key of the enclave's key list, suite MLKEM768-X25519."""
    X25519 = 2
    """HPKE to a key of the enclave's key list, suite X25519."""
    KMS_ENVELOPE = 3
    """A data key that KMS wraps under a key entry of the configuration."""

    @classmethod
    def from_id(cls, value: int) -> "WayIn":
        """The way in of that id; raise Unsupported for any other."""
        try:
            return cls(value)
        except ValueError:
            raise Unsupported(f"suite: expected 1, 2 or 3, got {value}") from None
