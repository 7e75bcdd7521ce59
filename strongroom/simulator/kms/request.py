"""One authenticated KMS request, with its members read strictly."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.simulator.key_policy import Caller
from strongroom.simulator.kms.errors import validation
from strongroom.simulator.kms.recipient import Recipient

MAX_KEY_ID_CHARS = 2048
MAX_CONTEXT_CHARS = 8192

Answer = dict[str, object]
"""The members of a reply, ready for JSON."""


@dataclass(frozen=True, slots=True)
class Request:
    """An operation's name, its JSON members, who asks and when, and the verified recipient if an enclave does."""

    operation: str
    members: Mapping[str, object]
    caller: Caller
    at_ms: int
    recipient: Recipient | None = None

    def text(self, name: str, *, most: int = MAX_KEY_ID_CHARS) -> str:
        """A string that has to be there."""
        value = self.optional_text(name, most=most)
        if value is None:
            raise validation(f"Value null at '{name}' failed to satisfy constraint: Member must not be null")
        return value

    def optional_text(self, name: str, *, most: int = MAX_KEY_ID_CHARS) -> str | None:
        """A string, or None where it is absent."""
        value = self.members.get(name)
        if value is not None and not (isinstance(value, str) and 1 <= len(value) <= most):
            raise validation(f"Value at '{name}': expected a string of 1 to {most} characters")
        return value

    def octets(self, name: str, *, most: int) -> bytes:
        """A blob of 1 to `most` bytes, base64 on the wire."""
        try:
            value = b64decode(self.text(name, most=2 * most), validate=True)
        except (binascii.Error, ValueError) as error:
            raise validation(f"Value at '{name}': expected base64") from error
        if not 1 <= len(value) <= most:
            raise validation(f"Value at '{name}': expected 1 to {most} bytes")
        return value

    def integer(self, name: str, *, most: int) -> int | None:
        """An integer from 1 to `most`, or None where it is absent."""
        value = self.members.get(name)
        if value is not None and (type(value) is not int or not 1 <= value <= most):
            raise validation(f"Value at '{name}': expected an integer from 1 to {most}")
        return value

    def flag(self, name: str) -> bool:
        """A boolean; false where it is absent."""
        value = self.members.get(name, False)
        if not isinstance(value, bool):
            raise validation(f"Value at '{name}': expected true or false")
        return value

    def encryption_context(self, name: str = "EncryptionContext") -> dict[str, str]:
        """Pairs of strings. Names that differ only in case are refused: condition keys cannot tell them apart."""
        value = self.members.get(name, {})
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise validation(f"Value at '{name}': expected pairs of strings")
        if len({key.lower() for key in value}) != len(value):
            raise validation(f"Value at '{name}': expected names that differ in more than case")
        if sum(len(key) + len(item) for key, item in value.items()) > MAX_CONTEXT_CHARS:
            raise validation(f"Value at '{name}': expected at most {MAX_CONTEXT_CHARS} characters")
        return value
