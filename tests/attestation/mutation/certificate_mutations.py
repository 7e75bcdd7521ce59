"""Mutations of what one certificate says. Signed again by its issuer, only the rule itself can refuse it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

from tests.attestation import forge
from tests.attestation.mutation import chains, der_tree, extension_mutations
from tests.attestation.mutation.chains import Chain
from tests.attestation.mutation.der_tree import Node

_SIGNATURE_ALGORITHMS = (
    *("1.2.840.10045.4.3.1", "1.2.840.10045.4.3.2", "1.2.840.10045.4.3.4", "1.2.840.10045.4.1"),  # ECDSA, other hashes
    *("1.2.840.113549.1.1.12", "1.3.101.112", "2.16.840.1.101.3.4.3.10", "1.2.3.4"),  # RSA, Ed25519, no signature
)
_CURVE_KEY, _P384 = "1.2.840.10045.2.1", "1.3.132.0.34"
_HOURS_MS = 3_600_000
_TIMES = (b"", b"250101000000", b"2501010000Z", b"251301000000Z", b"25010100000 Z", b"99991231235959Z")


def mutate(rng: Random, chain: Chain, position: int) -> str:
    """Change the certificate at ``position`` in place, without signing it again; returns the name of the change."""
    change = rng.choice(_CHANGES)
    change(rng, chain, position)
    return change.__name__.strip("_")


def _version(rng: Random, chain: Chain, position: int) -> None:
    children = chain.tbs(position).children
    if rng.random() < 0.2:
        del children[chains.VERSION]
    else:
        children[chains.VERSION].children = [der_tree.integer(rng.choice((-1, 0, 1, 3, 256)))]


def _serial(rng: Random, chain: Chain, position: int) -> None:
    numbers = (0, -1, 1, 127, 128, 1 << 158, 1 << 160, 1 << 400)
    serial = rng.choice([*map(der_tree.integer, numbers), Node(der_tree.INTEGER, b"\0\1"), Node(der_tree.INTEGER)])
    chain.tbs(position).children[chains.SERIAL] = serial


def _algorithm(rng: Random, chain: Chain, position: int) -> None:
    """The inner one, the outer one or both; the signature stays ECDSA with SHA-384."""
    other = der_tree.sequence(der_tree.oid(rng.choice(_SIGNATURE_ALGORITHMS)))
    if rng.random() < 0.2:
        other = der_tree.sequence(der_tree.oid("1.2.840.10045.4.3.3"), Node(der_tree.NULL))
    where = rng.choice(("inner", "outer", "both"))
    if where != "outer":
        chain.tbs(position).children[chains.ALGORITHM] = other
    if where != "inner":
        chain.certificates[position].children[1] = other


def _name(rng: Random, chain: Chain, position: int) -> None:
    """Another subject or issuer; half the time the next certificate follows a new subject."""
    field = rng.choice((chains.SUBJECT, chains.SUBJECT, chains.ISSUER))
    chain.tbs(position).children[field] = _other_name(rng, chain.tbs(position).children[field])
    if field == chains.SUBJECT and position < chains.LEAF and rng.random() < 0.5:
        chain.tbs(position + 1).children[chains.ISSUER] = chain.tbs(position).children[field]
        chain.issue(position + 1)


def _other_name(rng: Random, name: Node) -> Node:
    common_name = name.children[0]
    text = common_name.children[0].children[1].content
    values = (
        *(b"", text[:-1], text + b"\0", text.upper(), text[5:], b"x" + text, text.replace(b".", b"", 1)),
        *(b"\xff", b"i-0.us-east-1.aws", text.partition(b".")[0], forge.INSTANCE_ID.encode() + b".aws"),
    )
    tag = rng.choice((der_tree.UTF8, der_tree.UTF8, der_tree.PRINTABLE, 0x1E, 0x14))
    attribute = der_tree.sequence(der_tree.oid("2.5.4.3"), Node(tag, rng.choice((text, *values))))
    other = Node(der_tree.SET, children=[attribute])
    return der_tree.sequence(*rng.choice(((other,), (other, common_name), (common_name, common_name), ())))


def _validity(rng: Random, chain: Chain, position: int) -> None:
    edges = chain.tbs(position).children[chains.VALIDITY].children
    edge = rng.randrange(2)
    offset_ms = rng.choice((-1, 1)) * rng.choice((1, 1000, _HOURS_MS // 2, _HOURS_MS, 10_000 * _HOURS_MS))
    moment = datetime.fromtimestamp((forge.NOW_MS + offset_ms) / 1000, UTC)
    short, long = moment.strftime("%y%m%d%H%M%SZ").encode(), moment.strftime("%Y%m%d%H%M%SZ").encode()
    edges[edge] = rng.choice(
        (
            *(Node(der_tree.UTC_TIME, short),) * 5,
            Node(der_tree.GENERALIZED_TIME, long),
            Node(der_tree.GENERALIZED_TIME, rng.choice((b"00010101000000Z", b"99991231235959Z", b"20490101000000Z"))),
            Node(rng.choice((der_tree.UTC_TIME, der_tree.GENERALIZED_TIME)), rng.choice(_TIMES)),
        )
    )


def _key(rng: Random, chain: Chain, position: int) -> None:
    """Another key of the right kind; half the time it also signs what follows."""
    stranger = chains.key(f"a stranger's {rng.randrange(4)}")
    chain.tbs(position).children[chains.SPKI] = chains.spki(stranger)
    if rng.random() < 0.5:
        chain.keys[position] = stranger
        if position < chains.LEAF:
            chain.issue(position + 1)


def _key_encoding(rng: Random, chain: Chain, position: int) -> None:
    """A key of another kind, or the same one written in another way."""
    point = chain.tbs(position).children[chains.SPKI].children[1].content[1:]
    compressed = bytes([2 + point[-1] % 2]) + point[1:49]
    hybrid = bytes([6 + point[-1] % 2]) + point[1:]
    points = (compressed, hybrid, b"\0", b"", point[:-1], point + b"\0", b"\x04" + bytes(96), b"\x04" + point[:0:-1])
    algorithm = rng.choice(
        (
            *(der_tree.sequence(der_tree.oid(_CURVE_KEY), der_tree.oid(_P384)),) * 3,
            der_tree.sequence(der_tree.oid(_CURVE_KEY), der_tree.oid("1.2.840.10045.3.1.7")),  # P-256
            der_tree.sequence(der_tree.oid(_CURVE_KEY), Node(der_tree.NULL)),
            der_tree.sequence(der_tree.oid(_CURVE_KEY)),
            der_tree.sequence(der_tree.oid("1.3.101.112")),
        )
    )
    public_key = der_tree.sequence(algorithm, der_tree.bit_string(rng.choice((point, *points))))
    chain.tbs(position).children[chains.SPKI] = public_key


def _signature(rng: Random, chain: Chain, position: int) -> None:
    """A signature by nobody, or the same one in another form: the second form of ECDSA is sound."""
    value = chain.certificates[position].children[-1]
    numbers = der_tree.parse(value.content[1:])
    s = int.from_bytes(numbers.children[1].content, "big")
    twin = rng.choice((forge.ORDER - s, forge.ORDER - s, s + forge.ORDER, -s, 0, s ^ 1))
    numbers.children[1] = der_tree.integer(twin)
    value.content = rng.choice((b"\0", b"\0", b"\0", b"\1", b"")) + numbers.to_bytes()


def _extensions(rng: Random, chain: Chain, position: int) -> None:
    extension_mutations.mutate(rng, chain.tbs(position))


_CHANGES: tuple[Callable[[Random, Chain, int], None], ...] = (
    *(_version, _serial, _algorithm, _name, _name, _validity, _validity, _key, _key_encoding, _signature),
    *(_extensions,) * 6,
)
