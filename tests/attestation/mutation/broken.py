"""Documents changed after they were signed: their bytes, the envelope, the payload, or a certificate in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tests.attestation import forge
from tests.attestation.mutation import cbor_mutations, cbor_tree, der_mutations, der_tree, octets
from tests.attestation.mutation.bases import Base
from tests.attestation.mutation.cbor_tree import Item

_TAG = b"\xd2"


def mutate(rng: Random, base: Base, others: Sequence[Base]) -> tuple[bytes, tuple[str, ...]]:
    """The changed document and the names of the changes; ``others`` lend bytes to splices."""
    if rng.random() < 0.4:
        return octets.mutated(rng, base.data, rng.choice(others).data), ("octets",)
    envelope = cbor_tree.parse(base.data.removeprefix(_TAG))
    part = rng.choice(_PARTS)
    name = part(rng, envelope)
    return rng.choice((b"", _TAG)) + envelope.to_bytes(), (part.__name__.strip("_"), name)


def _envelope(rng: Random, envelope: Item) -> str:
    return cbor_mutations.mutate(rng, envelope)


def _payload(rng: Random, envelope: Item) -> str:
    payload = envelope.children[2]
    tree = cbor_tree.parse(payload.content)
    name = cbor_mutations.mutate(rng, tree)
    payload.content = tree.to_bytes()
    return name


def _certificate(rng: Random, envelope: Item) -> str:
    payload = envelope.children[2]
    tree = cbor_tree.parse(payload.content)
    item = rng.choice([item for item in tree.whole() if item.content.startswith(b"\x30\x82")])
    certificate = der_tree.parse(item.content)
    name = der_mutations.mutate(rng, certificate)
    item.content = certificate.to_bytes()
    payload.content = tree.to_bytes()
    return name


def _signature(rng: Random, envelope: Item) -> str:
    """Other numbers; of these only the twin, n - s, is as good as the signature itself."""
    signature = envelope.children[3]
    r, s = (int.from_bytes(half, "big") for half in (signature.content[:48], signature.content[48:]))
    n = forge.ORDER
    name, numbers = rng.choice(
        (
            *(("twin", (r, n - s)),) * 3,
            ("swapped", (s, r)),
            ("negative", (n - r, s)),
            ("zero", rng.choice(((0, s), (r, 0), (0, 0)))),
            ("order", rng.choice(((n, s), (r, n), (n, n)))),
            ("another", (rng.randrange(1, n), rng.randrange(1, n))),
        )
    )
    signature.content = forge.raw(*numbers)
    return name


def _protected(rng: Random, envelope: Item) -> str:
    """Another protected header: other algorithms, further parameters."""
    headers = (
        "",
        "a0",
        "a10126",
        "a1013823",
        "a10105",
        "a101",
        "a201382204416b",
        "a1016545533338",
        "a103183c",
        "a101382200",
    )
    envelope.children[0].content = bytes.fromhex(rng.choice(headers))
    return "header"


_PARTS: tuple[Callable[[Random, Item], str], ...] = (
    *(_envelope, _envelope, _envelope, _payload, _payload, _payload, _certificate, _certificate),
    *(_signature, _protected),
)
