"""Key configurations: the public keys an enclave offers, served as one list whose bytes the document binds."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from strongroom.protocol.constants import MAX_KEYS_BYTES, VERSION
from strongroom.protocol.errors import Malformed, TooLarge, Unsupported
from strongroom.protocol.framing import Reader
from strongroom.protocol.suites import Suite

_MAX_CONFIGURATIONS = 8


@dataclass(frozen=True)
class KeyConfiguration:
    """One public key and the suite it serves."""

    suite: Suite
    public_key: bytes

    def to_bytes(self) -> bytes:
        """Version (1) ‖ suite (2) ‖ length (2) ‖ public key."""
        size = len(self.public_key).to_bytes(2, "big")
        return bytes([VERSION]) + self.suite.to_bytes(2, "big") + size + self.public_key

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse one configuration; raise Malformed or Unsupported."""
        reader = Reader(data, "key configuration")
        if (version := reader.integer(1)) != VERSION:
            raise Unsupported(f"key configuration: expected version {VERSION}, got {version}")
        configuration = cls(Suite.from_id(reader.integer(2)), reader.take(reader.integer(2)))
        reader.end()
        return configuration

    @property
    def key_id(self) -> bytes:
        """SHA-256 of the configuration's bytes: the gateway routes by it, the enclave finds its key by it."""
        return hashlib.sha256(self.to_bytes()).digest()


def encode_keys(configurations: Sequence[KeyConfiguration]) -> bytes:
    """The list as served at /v1/keys: count (1), then each configuration behind its length (2)."""
    encoded = [configuration.to_bytes() for configuration in configurations]
    return bytes([len(encoded)]) + b"".join(len(item).to_bytes(2, "big") + item for item in encoded)


def decode_keys(data: bytes) -> tuple[KeyConfiguration, ...]:
    """Parse the list; raise Malformed, Unsupported or TooLarge."""
    if len(data) > MAX_KEYS_BYTES:
        raise TooLarge(f"key configurations: expected at most {MAX_KEYS_BYTES} bytes, got {len(data)}")
    reader = Reader(data, "key configurations")
    count = reader.integer(1)
    if not 1 <= count <= _MAX_CONFIGURATIONS:
        raise Malformed(f"key configurations: expected 1 to {_MAX_CONFIGURATIONS}, got {count}")
    configurations = tuple(KeyConfiguration.from_bytes(reader.take(reader.integer(2))) for _ in range(count))
    reader.end()
    return configurations
