"""Mutations of a certificate's extensions."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from random import Random

from tests.attestation.mutation import chains, der_tree
from tests.attestation.mutation.der_tree import Node

_BASIC_CONSTRAINTS, _KEY_USAGE = "2.5.29.19", "2.5.29.15"
_OTHERS = (
    "2.5.29.14",  # subject key identifier
    "2.5.29.35",  # authority key identifier
    "2.5.29.17",  # subject alternative name
    "2.5.29.30",  # name constraints
    "2.5.29.31",  # CRL distribution points
    "2.5.29.32",  # certificate policies
    "2.5.29.36",  # policy constraints
    "2.5.29.37",  # extended key usage
    "1.3.6.1.4.1.55555.1",  # nobody's
)
_NO_TEXT = der_tree.sequence(der_tree.oid("2.5.4.3"), Node(der_tree.UTF8))
_DIRECTORY_NAME = Node(0xA4, children=[der_tree.sequence(Node(der_tree.SET, children=[_NO_TEXT]))])
_NAMES = der_tree.sequence(Node(0x82, b"example.org"), _DIRECTORY_NAME)  # GeneralNames: RFC 5280 section 4.2.1.6
_TRUE = Node(der_tree.BOOLEAN, b"\xff")
_BOOLEANS = (_TRUE, _TRUE, Node(der_tree.BOOLEAN, b"\0"), Node(der_tree.BOOLEAN, b"\1"), Node(der_tree.BOOLEAN))


def mutate(rng: Random, tbs: Node) -> None:
    """Change one extension, or their list."""
    rng.choice(_CHANGES)(rng, tbs.children[chains.EXTENSIONS].children[0].children)


def _drop(rng: Random, extensions: list[Node]) -> None:
    del extensions[rng.randrange(len(extensions))]


def _drop_all(rng: Random, extensions: list[Node]) -> None:
    extensions.clear()


def _twice(rng: Random, extensions: list[Node]) -> None:
    extensions.append(deepcopy(rng.choice(extensions)))


def _reorder(rng: Random, extensions: list[Node]) -> None:
    extensions.reverse()


def _criticality(rng: Random, extensions: list[Node]) -> None:
    """Stated, not stated, stated as the default, or stated in BER."""
    at = rng.randrange(len(extensions))
    identifier, value = extensions[at].children[0], extensions[at].children[-1]
    stated = [] if rng.random() < 0.4 else [rng.choice(_BOOLEANS)]
    extensions[at] = der_tree.sequence(identifier, *stated, value)


def _basic_constraints(rng: Random, extensions: list[Node]) -> None:
    authority = [] if rng.random() < 0.2 else [rng.choice(_BOOLEANS)]
    length = [] if rng.random() < 0.4 else [der_tree.integer(rng.choice((-1, 0, 0, 1, 1, 2, 2, 255, 1 << 64)))]
    _put(extensions, _BASIC_CONSTRAINTS, der_tree.sequence(*authority, *length), critical=rng.random() < 0.8)


def _path_length(rng: Random, extensions: list[Node]) -> None:
    constraints = der_tree.sequence(_TRUE, der_tree.integer(rng.randrange(4)))
    _put(extensions, _BASIC_CONSTRAINTS, constraints, critical=True)


def _key_usage(rng: Random, extensions: list[Node]) -> None:
    unused = rng.choice((0, 1, 2, 5, 7, 8))
    bits = rng.choice((b"\x80", b"\xc0", b"\x04", b"\x06", b"\x86", b"\x00", b"\x00\x80", b"", rng.randbytes(2)))
    _put(extensions, _KEY_USAGE, Node(der_tree.BIT_STRING, bytes([unused]) + bits), critical=rng.random() < 0.5)


def _another(rng: Random, extensions: list[Node]) -> None:
    """One that genuine certificates have, or one that must be refused, with a value that may be nonsense."""
    value = rng.choice((Node(der_tree.NULL), der_tree.sequence(), Node(der_tree.OCTET_STRING, bytes(20)), _NAMES))
    _put(extensions, rng.choice(_OTHERS), value, critical=rng.random() < 0.3)


def _value(rng: Random, extensions: list[Node]) -> None:
    value = rng.choice(extensions).children[-1]
    value.content = rng.choice((b"", value.content + b"\0", value.content[:-1], rng.randbytes(4)))


def _put(extensions: list[Node], dotted: str, value: Node, *, critical: bool) -> None:
    identifier = der_tree.oid(dotted)
    extensions[:] = [each for each in extensions if each.children[0].content != identifier.content]
    stated = [_TRUE] if critical else []
    extensions.append(der_tree.sequence(identifier, *stated, Node(der_tree.OCTET_STRING, value.to_bytes())))


_CHANGES: tuple[Callable[[Random, list[Node]], None], ...] = (
    *(_drop, _drop_all, _twice, _reorder, _criticality, _criticality, _basic_constraints, _path_length, _path_length),
    *(_key_usage, _key_usage, _another, _another, _value),
)
