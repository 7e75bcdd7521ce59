"""The errors of the sealed protocol.

    ProtocolError
    ├── Malformed        bytes that do not have the form the protocol page gives them
    ├── Unsupported      a version or suite this implementation does not speak
    ├── TooLarge         more bytes than the stated limit
    ├── OpenFailed       an authentication tag did not verify: altered, or sealed for another key or context
    ├── Truncated        a stream ended before its last chunk
    └── InvalidDocument  a configuration, catalogue or manifest that breaks its schema

No message holds content: each names the field, what was expected and, for public fields only, what was found.
"""


class ProtocolError(Exception):
    """Base of everything `strongroom.protocol` raises."""


class Malformed(ProtocolError):
    """The bytes do not have the form that docs/protocol.md gives them."""


class Unsupported(ProtocolError):
    """A version or suite that this implementation does not speak; nothing is negotiated."""


class TooLarge(ProtocolError):
    """More bytes than the limit allows; raised before anything is allocated for them."""


class OpenFailed(ProtocolError):
    """The one error for every failed opening, so that it is no oracle."""

    def __init__(self) -> None:
        super().__init__("the sealed bytes were altered, or sealed for another key or another context")


class Truncated(ProtocolError):
    """The stream ended before its last chunk: what was received is not the whole answer."""


class InvalidDocument(ProtocolError):
    """A deployment configuration, catalogue or model manifest that breaks its schema."""
