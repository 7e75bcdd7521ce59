"""The key list: what an enclave says of itself beside its PCRs, in one piece whose bytes the client document binds.

The public keys that it offers, how its TLS to KMS withstands a quantum computer, and the key policies under which it
got its keys. There is one encoding of each list; the layout is in docs/protocol.md.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final, Self, TypeVar

from strongroom.protocol.constants import MAX_KEYS_BYTES, VERSION
from strongroom.protocol.errors import Malformed, TooLarge, Unsupported
from strongroom.protocol.framing import Reader
from strongroom.protocol.kms_leg import KMSLeg
from strongroom.protocol.suites import Suite

_MAGIC: Final = b"SRK"
_LIST_VERSION: Final = 1
_MAX_CONFIGURATIONS: Final = 8
_MAX_KEY_POLICIES: Final = 16
_SHA384_BYTES: Final = 48
_Name = TypeVar("_Name", int, str)
_KEY_ENTRY_ID: Final = re.compile(rb"[a-z0-9][a-z0-9._-]{0,63}")


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

    @cached_property
    def key_id(self) -> bytes:
        """SHA-256 of the configuration's bytes: the gateway routes by it, the enclave finds its key by it."""
        return hashlib.sha256(self.to_bytes()).digest()


@dataclass(frozen=True)
class KeyList:
    """What the client document binds, beside the receipt key."""

    configurations: tuple[KeyConfiguration, ...]
    """One key configuration for each suite, by ascending suite."""
    kms_leg: KMSLeg
    key_policies: Mapping[str, bytes]
    """Id of each configured key entry → SHA-384 of its key policy, of the text that KMS returned at boot (R11)."""

    def to_bytes(self) -> bytes:
        """Encode the list; docs/protocol.md, keys."""
        configurations = [each.to_bytes() for each in self.configurations]
        policies = sorted((entry_id.encode(), digest) for entry_id, digest in self.key_policies.items())
        return b"".join(
            (
                _MAGIC + bytes([_LIST_VERSION, len(configurations)]),
                *(len(each).to_bytes(2, "big") + each for each in configurations),
                bytes([self.kms_leg, len(policies)]),
                *(bytes([len(entry_id)]) + entry_id + digest for entry_id, digest in policies),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse the one encoding of a list; raise Malformed, Unsupported or TooLarge."""
        if len(data) > MAX_KEYS_BYTES:
            raise TooLarge(f"key list: expected at most {MAX_KEYS_BYTES} bytes, got {len(data)}")
        reader = Reader(data, "key list")
        reader.magic(_MAGIC)
        if (version := reader.integer(1)) != _LIST_VERSION:
            raise Unsupported(f"key list: expected version {_LIST_VERSION}, got {version}")
        keys = cls(_read_configurations(reader), KMSLeg.from_id(reader.integer(1)), _read_key_policies(reader))
        reader.end()
        return keys


def _read_configurations(reader: Reader) -> tuple[KeyConfiguration, ...]:
    count = _read_count(reader, "key configurations", _MAX_CONFIGURATIONS)
    read = tuple(KeyConfiguration.from_bytes(reader.take(reader.integer(2))) for _ in range(count))
    if not _ascends([each.suite for each in read]):
        raise Malformed("key list: expected key configurations by ascending suite, each suite once")
    return read


def _read_key_policies(reader: Reader) -> dict[str, bytes]:
    count = _read_count(reader, "key policies", _MAX_KEY_POLICIES)
    read = [(_read_entry_id(reader), reader.take(_SHA384_BYTES)) for _ in range(count)]
    if not _ascends([entry_id for entry_id, _ in read]):
        raise Malformed("key list: expected key policies by ascending key entry, each entry once")
    return dict(read)


def _read_count(reader: Reader, what: str, most: int) -> int:
    count = reader.integer(1)
    if not 1 <= count <= most:
        raise Malformed(f"key list: expected 1 to {most} {what}, got {count}")
    return count


def _read_entry_id(reader: Reader) -> str:
    entry_id = reader.take(reader.integer(1))
    if not _KEY_ENTRY_ID.fullmatch(entry_id):
        raise Malformed("key list: expected a key entry's id of lower-case letters, digits and . _ -")
    return entry_id.decode()


def _ascends(names: Sequence[_Name]) -> bool:
    return all(former < latter for former, latter in pairwise(names))
