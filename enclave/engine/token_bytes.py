"""The bytes of tokens that hold a part of a character, as the two kinds of vocabulary that have such tokens spell them.

Byte-level vocabularies (GPT-2's, of most models today) write each byte as a printable character; vocabularies with a
fallback to bytes (SentencePiece) write one byte as "<0xE2>".
"""

import re

_FALLBACK = re.compile(r"<0x([0-9A-F]{2})>")
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
"""Bytes that stand for themselves; the others have the characters from 256 on, in their order."""
_OTHERS = [byte for byte in range(0x100) if byte not in _PRINTABLE]
_BYTES = {chr(byte): byte for byte in _PRINTABLE} | {chr(0x100 + at): byte for at, byte in enumerate(_OTHERS)}


def spelled_bytes(spelling: str) -> bytes:
    """The bytes of a token by its entry in the vocabulary; those of the entry itself if it spells no bytes."""
    if fallback := _FALLBACK.fullmatch(spelling):
        return bytes.fromhex(fallback[1])
    if all(character in _BYTES for character in spelling):
        return bytes(_BYTES[character] for character in spelling)
    return spelling.encode()
