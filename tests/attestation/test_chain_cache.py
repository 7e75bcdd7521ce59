"""What was verified once is remembered by all its bytes, and never longer than it is worth."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from attestation import certificates, chain
from attestation.chain import ChainCache
from attestation.documents import AttestationDocument
from attestation.errors import PolicyError, Rejected, RejectionCode
from attestation.modes import Archived
from attestation.policy import UnsafeAnyMeasurement
from attestation.verifier import VerifiedDocument, verify
from tests.attestation import forge

REAL = certificates.check_issued


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The common name of each certificate whose signature was verified."""
    seen: list[str] = []

    def counted(certificate: certificates.Certificate, issuer: certificates.Certificate) -> None:
        seen.append(certificate.common_names[0])
        REAL(certificate, issuer)

    monkeypatch.setattr(certificates, "check_issued", counted)
    return seen


def judged(document: bytes, cache: ChainCache, pki: forge.PKI | None = None, at: int | None = None) -> VerifiedDocument:
    return verify(
        document,
        policy=UnsafeAnyMeasurement(),
        mode=Archived(at),
        anchor=(pki or forge.pki()).anchor,
        allow_simulated=True,
        cache=cache,
    )


def test_a_chain_seen_before_costs_no_signature(signatures: list[str]) -> None:
    cache = ChainCache()
    judged(forge.document(), cache)
    assert len(signatures) == len(cache) == 4
    judged(forge.document(nonce=b"another"), cache)
    assert len(signatures) == 4


def test_another_leaf_of_the_same_instance_costs_one(signatures: list[str]) -> None:
    cache = ChainCache()
    judged(forge.document(), cache)
    del signatures[:]
    other = f"{forge.INSTANCE_ID}-enc00000000000000aa"
    judged(forge.document(forge.with_leaf(forge.pki(), forge.specs(other)[4]), module_id=other), cache)
    assert signatures == [forge.specs(other)[4].name]


def test_the_signature_of_the_document_is_never_remembered() -> None:
    cache = ChainCache()
    judged(forge.document(), cache)
    forged = forge.document()[:-96] + forge.sign(b"something else")
    with pytest.raises(Rejected, match=RejectionCode.SIGNATURE):
        judged(forged, cache)


def test_validity_is_judged_anew() -> None:
    cache = ChainCache()
    judged(forge.document(), cache)
    with pytest.raises(Rejected, match=RejectionCode.CERTIFICATE_EXPIRED):
        judged(forge.document(), cache, at=forge.NOW_MS + 10 * 3600 * 1000)
    with pytest.raises(Rejected, match=RejectionCode.CERTIFICATE_EXPIRED):
        judged(forge.document(timestamp=forge.NOW_MS + 10 * 3600 * 1000), cache)


def test_names_are_judged_anew() -> None:
    cache = ChainCache()
    judged(forge.document(), cache)
    with pytest.raises(Rejected, match=RejectionCode.COMMON_NAME):
        judged(forge.document(module_id="i-0-enc0"), cache)


def test_an_altered_signature_of_a_certificate_is_another_certificate(signatures: list[str]) -> None:
    cache = ChainCache()
    judged(forge.document(), cache)
    regional = forge.pki().certificates[1]
    broken = regional[:-1] + bytes([regional[-1] ^ 1])
    bundle = [forge.pki().certificates[0], broken, *forge.pki().certificates[2:4]]
    with pytest.raises(Rejected, match=RejectionCode.CERTIFICATE_SIGNATURE):
        judged(forge.document(cabundle=bundle), cache)
    assert len(cache) == 4  # and nothing of it is remembered


def test_the_other_valid_form_of_a_signature_is_verified_by_itself(signatures: list[str]) -> None:
    cache = ChainCache()
    judged(forge.document(), cache)
    leaf = forge.pki().certificates[4]
    parts = certificates.Certificate.from_bytes(leaf)
    r, s = decode_dss_signature(parts.signature)
    twin = encode_dss_signature(r, forge.ORDER - s)
    head = leaf[: -len(parts.signature)]
    grown = len(twin) - len(parts.signature)
    whole = bytearray(head + twin)
    whole[2:4] = (int.from_bytes(whole[2:4], "big") + grown).to_bytes(2, "big")
    whole[len(head) - 2] += grown
    del signatures[:]
    judged(forge.document(certificate=bytes(whole)), cache)
    assert len(signatures) == 1


def test_another_anchor_shares_nothing() -> None:
    cache = ChainCache()
    judged(forge.document(), cache)
    stranger = forge.build(forge.specs(), owner="a stranger")
    mixed = forge.document(cabundle=[stranger.certificates[0], *forge.pki().certificates[1:4]])
    with pytest.raises(Rejected, match=RejectionCode.CERTIFICATE_SIGNATURE):
        judged(mixed, cache, stranger)


def test_an_authority_that_is_remembered_is_no_leaf() -> None:
    cache = ChainCache()
    judged(forge.document(), cache)
    chained = forge.document(cabundle=list(forge.pki().certificates[:3]), certificate=forge.pki().certificates[3])
    with pytest.raises(Rejected, match=RejectionCode.LEAF_IS_AUTHORITY):
        judged(chained, cache)


def test_a_leaf_that_is_remembered_is_no_authority() -> None:
    cache = ChainCache()
    judged(forge.document(), cache)
    own = forge.build([forge.specs()[4]], owner="an enclave")
    bundle = list(forge.pki().certificates)
    with pytest.raises(Rejected, match=RejectionCode.NOT_AN_AUTHORITY):
        judged(forge.document(own, cabundle=bundle), cache)


def test_it_is_bounded_and_forgets_the_least_used(signatures: list[str]) -> None:
    cache = ChainCache(max_links=8)
    chains = [forge.build(forge.specs(), owner=owner) for owner in ("ours", "another region", "a third")]
    for position in (0, 1, 0, 2):
        judged(forge.document(chains[position]), cache, chains[position])
    assert len(cache) == 8
    del signatures[:]
    judged(forge.document(chains[0]), cache, chains[0])
    assert signatures == []
    judged(forge.document(chains[1]), cache, chains[1])
    assert len(signatures) == 4


def test_it_must_hold_a_link() -> None:
    with pytest.raises(PolicyError, match="max_links"):
        ChainCache(max_links=0)


def test_threads_may_share_one() -> None:
    cache = ChainCache(max_links=5)
    parsed = AttestationDocument.from_bytes(forge.document())
    with ThreadPoolExecutor(4) as pool:
        walks = [pool.submit(chain.walk, parsed, forge.pki().anchor, cache) for _ in range(40)]
        keys = [walk.result().leaf_key for walk in walks]
    assert all(isinstance(key, EllipticCurvePublicKey) for key in keys)
    assert len(cache) == 4
