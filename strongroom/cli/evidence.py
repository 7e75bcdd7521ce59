"""FILE: the bytes of a document, however they are written. One file has one reading, the first of these that fits:

1. ASCII whitespace aside, it is an even number of hexadecimal digits: hex;
2. ASCII whitespace aside, it is canonical base64 in one alphabet, standard or URL-safe, with its padding or without;
3. anything else is the bytes it is: so is every envelope, for it begins with 0x84 or 0xd2, and neither is text.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from pathlib import Path

from strongroom.cli.failures import EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_some

MAX_FILE_BYTES = 128 << 10
"""Room for the largest document, 32 KiB, at two digits a byte and as much whitespace."""

_WHITESPACE = b" \t\n\v\f\r"
_HEX = re.compile(rb"[0-9A-Fa-f]+")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]+|[A-Za-z0-9_-]+)={0,2}")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def read_evidence(file: Path) -> bytes:
    """The document in `file`, or on STANDARD_INPUT; nothing is parsed. Raises CommandFailed (file, usage).

    Of a file beyond MAX_FILE_BYTES, that many bytes and one more: too many for a document, and judged as such.
    """
    try:
        return decoded(read_some(file, MAX_FILE_BYTES + 1))
    except OSError as error:
        raise CommandFailed("file", f"{file}: {error.strerror or 'cannot be read'}", EXIT_USAGE) from None


def decoded(data: bytes) -> bytes:
    """The bytes that the content of a file stands for, by the order above; it never fails."""
    if len(data) > MAX_FILE_BYTES:  # only its beginning was read
        return data
    text = data.translate(None, _WHITESPACE)
    if len(text) % 2 == 0 and _HEX.fullmatch(text):
        return bytes.fromhex(text.decode("ascii"))
    if _BASE64.fullmatch(text):
        return _from_base64(text.translate(_TO_STANDARD), data)
    return data


def _from_base64(text: bytes, otherwise: bytes) -> bytes:
    """Only text that encoding gives back is base64: no bits beyond the last byte, no part of a padding."""
    try:
        value = b64decode(text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4), validate=True)
    except Base64Error:
        return otherwise
    canonical = b64encode(value)
    return value if text in (canonical, canonical.rstrip(b"=")) else otherwise
