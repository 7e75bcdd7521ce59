"""The errors of building an image. Every message is one line that says what was expected and what was found.

ImageError
├── InputRefused       what an EIF cannot hold, or what no kernel would take
├── ProgramFailed      a program of others that a build needs is missing or has failed
│   └── ProgramMissing it is not there, or cannot do its work here
├── SigningRefused     a certificate or a key that nothing may be signed with
└── WrittenOtherwise   the file that was written is not the one that was meant

A broken EIF raises attestation's EIFError, and one whose CRC or signature does not hold its UnsoundEIF.
"""


class ImageError(Exception):
    """Base of everything that `strongroom.image` raises."""

    code = "image"


class InputRefused(ImageError):
    """What an EIF cannot hold, or what no kernel would take."""


class ProgramFailed(ImageError):
    """A program of others that a build needs is missing or has failed; the message ends with its last lines."""

    code = "program"


class SigningRefused(ImageError):
    """A certificate or a key that nothing may be signed with; the message never quotes the key."""

    code = "signing"


class WrittenOtherwise(ImageError):
    """What was read back is not what was to be written; nothing took the name of the output."""


class ProgramMissing(ProgramFailed):
    """A program that is not there, or that cannot do its work here; the message says what to install."""

    code = "missing-program"
