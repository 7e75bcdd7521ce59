"""Mutations of DER that know nothing of certificates."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from random import Random

from tests.attestation.mutation import octets
from tests.attestation.mutation.der_tree import INTEGER, NULL, OCTET_STRING, SEQUENCE, Node

_TAGS = (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x13, 0x16, 0x17, 0x18, 0x1E, 0x30, 0x31, 0x80, 0xA0, 0xA3)


def mutate(rng: Random, tree: Node) -> str:
    """Change one element of ``tree`` in place; returns the name of the change."""
    change = rng.choice(_ANYWHERE + _CONTAINERS)
    change(rng, rng.choice([node for node in tree.whole() if change in _ANYWHERE or node.children]))
    return change.__name__.strip("_")


def _longer_length(rng: Random, node: Node) -> None:
    node.length_bytes = rng.choice((1, 2, 3, 4, 8))


def _indefinite_length(rng: Random, node: Node) -> None:
    node.indefinite = True


def _lying_length(rng: Random, node: Node) -> None:
    length = len(node.to_bytes())
    node.claimed = rng.choice((0, 1, max(0, length - 3), length - 1, length, 127, 128, 255, 65_535, (1 << 32) - 1))


def _other_tag(rng: Random, node: Node) -> None:
    node.tag = rng.choice((*_TAGS, rng.randrange(256)))


def _other_content(rng: Random, node: Node) -> None:
    data = node.content or b"".join(child.to_bytes() for child in node.children)
    node.become(Node(node.tag, octets.mutated(rng, data, data[::-1])))


def _empty(rng: Random, node: Node) -> None:
    node.become(Node(node.tag))


def _wrapped(rng: Random, node: Node) -> None:
    inner = deepcopy(node)
    for _ in range(rng.choice((1, 1, 40))):
        inner = Node(SEQUENCE, children=[inner])
    node.become(inner)


def _drop(rng: Random, node: Node) -> None:
    del node.children[rng.randrange(len(node.children))]


def _twice(rng: Random, node: Node) -> None:
    child = rng.choice(node.children)
    node.children.insert(rng.choice((0, node.children.index(child), len(node.children))), deepcopy(child))


def _swap(rng: Random, node: Node) -> None:
    one, other = rng.randrange(len(node.children)), rng.randrange(len(node.children))
    node.children[one], node.children[other] = node.children[other], node.children[one]


def _insert(rng: Random, node: Node) -> None:
    noise = rng.choice((Node(NULL), Node(INTEGER, b"\0"), Node(OCTET_STRING, rng.randbytes(4)), Node(SEQUENCE)))
    node.children.insert(rng.randint(0, len(node.children)), noise)


_Change = Callable[[Random, Node], None]
_ANYWHERE: tuple[_Change, ...] = (
    *(_longer_length, _indefinite_length, _lying_length, _other_tag, _other_content, _other_content, _empty, _wrapped),
)
_CONTAINERS: tuple[_Change, ...] = (_drop, _twice, _swap, _insert)
