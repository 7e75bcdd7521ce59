"""What may stand in the address of a GET: one form each, anything else is refused."""

import re
from typing import Final
from urllib.parse import parse_qsl

from enclave.serving.refused import Refused
from strongroom.protocol.constants import NONCE_BYTES_MAX, NONCE_BYTES_MIN
from strongroom.protocol.problems import Problem

_DIGEST: Final = re.compile(r"[0-9a-f]{96}", re.ASCII)
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)


def nonce_of(query: bytes) -> bytes | None:
    """The `nonce` of a query string, in hex; None for an empty one. Raises Refused."""
    if not query:
        return None
    value = _only_member(query, "nonce")
    try:
        nonce = bytes.fromhex(value)
    except ValueError:
        raise Refused(Problem.REJECTED) from None
    if not NONCE_BYTES_MIN <= len(nonce) <= NONCE_BYTES_MAX or len(value) != 2 * len(nonce):
        raise Refused(Problem.REJECTED)
    return nonce


def first_leaf_of(query: bytes) -> int:
    """The `from` of a query string: a leaf's index, decimal. Raises Refused."""
    value = _only_member(query, "from")
    if not _INDEX.fullmatch(value):
        raise Refused(Problem.REJECTED)
    return int(value)


def digest_of(text: str) -> bytes:
    """A document digest in lower-case hex, 48 bytes. Raises Refused."""
    if not _DIGEST.fullmatch(text):
        raise Refused(Problem.REJECTED)
    return bytes.fromhex(text)


def _only_member(query: bytes, name: str) -> str:
    try:
        [(found, value)] = parse_qsl(query.decode("ascii"), strict_parsing=True, max_num_fields=1)
    except ValueError:
        raise Refused(Problem.REJECTED) from None
    if found != name:
        raise Refused(Problem.REJECTED)
    return value
