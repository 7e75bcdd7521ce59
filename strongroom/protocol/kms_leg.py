"""How the enclave's TLS to KMS exchanges keys: what it was seen to offer, as the key list states it (review R6)."""

from enum import IntEnum

from strongroom.protocol.errors import Unsupported


class KMSLeg(IntEnum):
    """How the key exchange towards KMS withstands a quantum computer; the weaker leg is the smaller."""

    CLASSICAL = 1
    HYBRID = 2
    """Nothing but X25519MLKEM768 was offered to any KMS endpoint."""

    @classmethod
    def from_id(cls, value: int) -> "KMSLeg":
        """The leg of that id; raise Unsupported for any other."""
        try:
            return cls(value)
        except ValueError:
            raise Unsupported(f"KMS leg: expected 1 or 2, got {value}") from None

    @property
    def word(self) -> str:
        """`hybrid` or `classical`, for people and JSON."""
        return self.name.lower()
