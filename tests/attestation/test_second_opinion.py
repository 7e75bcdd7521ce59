"""The second opinion: it agrees on sound documents, and refuses by itself what the verifier should have refused."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import cbor2
import pytest
from cryptography import x509

from attestation.documents import AttestationDocument
from attestation.errors import Disagreement, RejectionClass, RejectionCode
from attestation.modes import Archived, Live, Mode, Recent
from attestation.path_validation import validate_path
from attestation.policy import UnsafeAnyMeasurement
from attestation.second_opinion import second_opinion
from attestation.verifier import VerifiedDocument, verify
from tests.attestation import forge
from tests.attestation.judge import accept

DOCUMENT = forge.document()
LEAF_START_MS = forge.NOW_MS - 3_600_000
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
NAME_CONSTRAINTS = x509.NameConstraints([x509.DNSName("example")], None)


def verified(data: bytes = DOCUMENT, mode: Mode | None = None) -> VerifiedDocument:
    anchor = forge.pki().anchor
    return verify(data, policy=UnsafeAnyMeasurement(), mode=mode or Archived(), anchor=anchor, allow_simulated=True)


def claimed(data: bytes, mode: Mode | None = None, chain: forge.PKI | None = None) -> VerifiedDocument:
    """What a verifier without any check of chain, instant and signature would say of ``data``."""
    blind = object.__new__(VerifiedDocument)
    object.__setattr__(blind, "document", AttestationDocument.from_bytes(data))
    object.__setattr__(blind, "mode", mode or Archived())
    object.__setattr__(blind, "anchor", (chain or forge.pki()).anchor)
    return blind


def disagreement(data: bytes, verdict: VerifiedDocument) -> str:
    with pytest.raises(Disagreement) as caught:
        second_opinion(data, verdict)
    assert caught.value.code is RejectionCode.SECOND_OPINION
    assert caught.value.code.rejection_class is RejectionClass.DISAGREEMENT
    assert caught.value.__suppress_context__ or caught.value.__context__ is None  # it could quote the document
    return caught.value.actual


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(DOCUMENT, id="untagged"),
        pytest.param(b"\xd2" + DOCUMENT, id="tagged"),
        pytest.param(forge.envelope(forge.indefinite(forge.fields())), id="indefinite map"),
        pytest.param(forge.document(public_key=..., user_data=..., nonce=...), id="absent optionals"),
        pytest.param(forge.document(public_key=b"", user_data=bytes(1024), nonce=b""), id="empty optionals"),
    ],
)
def test_agrees(data: bytes) -> None:
    second_opinion(data, verified(data))


def test_agrees_on_a_nitrotpm_document() -> None:
    chain = forge.pki(forge.TPM_MODULE_ID)
    pcrs = {"pcrs": ..., "nitrotpm_pcrs": {7: forge.pcr(7)}}
    accept(forge.document(chain, module_id=forge.TPM_MODULE_ID, **pcrs), chain=chain, kind="nitrotpm")


@pytest.mark.parametrize(
    "mode",
    [
        Live(forge.NONCE, forge.NOW_MS),
        Recent(forge.NOW_MS + 7_200_000, 7_200),
        Archived(forge.NOW_MS + 7_200_000),
    ],
)
def test_agrees_until_the_last_instant_of_the_leaf(mode: Mode) -> None:
    second_opinion(DOCUMENT, verified(mode=mode))


def test_a_clock_that_the_mode_forgives_is_forgiven() -> None:
    fresh = forge.document(timestamp=LEAF_START_MS)
    for slow_ms in (0, 1, 1_000, 300_000):
        mode = Live(forge.NONCE, LEAF_START_MS - slow_ms)
        second_opinion(fresh, verified(fresh, mode))
    assert "chain" in disagreement(fresh, claimed(fresh, Live(forge.NONCE, LEAF_START_MS - 300_001)))
    assert "chain" in disagreement(fresh, claimed(fresh, Archived(LEAF_START_MS - 1)))


@pytest.mark.parametrize("timestamp", [LEAF_START_MS - 1, forge.NOW_MS + 7_201_000, 1, (1 << 63) - 1])
def test_refuses_a_timestamp_outside_the_chain(timestamp: int) -> None:
    data = forge.document(timestamp=timestamp)
    assert "chain" in disagreement(data, claimed(data, Archived(forge.NOW_MS)))


def test_refuses_an_instant_outside_the_chain() -> None:
    assert "chain" in disagreement(DOCUMENT, claimed(DOCUMENT, Archived(forge.NOW_MS + 7_201_000)))


def flipped_signature() -> bytes:
    signature = forge.sign(payload())
    return forge.envelope(payload(), signature[:-1] + bytes([signature[-1] ^ 1]))


def payload() -> bytes:
    return cbor2.dumps(forge.fields())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(flipped_signature(), id="flipped bit"),
        pytest.param(forge.envelope(payload(), forge.sign(payload(), forge.key("another's"))), id="another's key"),
        pytest.param(
            forge.envelope(payload(), forge.sign(payload(), structure=lambda p, b: ["Signature", p, b"", b])),
            id="another context",
        ),
    ],
)
def test_refuses_a_signature(data: bytes) -> None:
    assert "signature" in disagreement(data, claimed(data))


@pytest.mark.parametrize(
    "envelope",
    [
        pytest.param([b"\xa1\x01\x26", {}], id="ES256"),
        pytest.param([b"", {1: -35}], id="algorithm unsigned"),
        pytest.param([forge.ES384, {1: -35}], id="algorithm twice"),
        pytest.param([forge.ES384, {99: 1}], id="unknown header"),
        pytest.param([b"\xff", {}], id="no header"),
    ],
)
def test_refuses_other_headers_even_if_signed(envelope: list[Any]) -> None:
    protected, _ = envelope
    data = cbor2.dumps([*envelope, payload(), forge.sign(payload(), protected=protected)])
    assert "signature" in disagreement(data, claimed(DOCUMENT))


BASIC = x509.BasicConstraints
CHAINS: Mapping[str, Callable[[], forge.PKI]] = {
    "no authority": lambda: forge.pki_with(1, constraints=None),
    "authority that says it is none": lambda: forge.pki_with(1, constraints=BASIC(ca=False, path_length=None)),
    "authority not critical": lambda: forge.pki_with(2, constraints_critical=False),
    "path length": lambda: forge.pki_with(1, constraints=BASIC(ca=True, path_length=1)),
    "authority without usage": lambda: forge.pki_with(2, usage=None),
    "authority without keyCertSign": lambda: forge.pki_with(3, usage=("digital_signature",)),
    "leaf is an authority": lambda: forge.pki_with(4, constraints=BASIC(ca=True, path_length=None)),
    "leaf without usage": lambda: forge.pki_with(4, usage=None),
    "leaf without digitalSignature": lambda: forge.pki_with(4, usage=("content_commitment",)),
    "critical extension": lambda: forge.pki_with(1, extensions=((UNKNOWN, True),)),
    "critical extension of the leaf": lambda: forge.pki_with(4, extensions=((UNKNOWN, True),)),
    "name constraints": lambda: forge.pki_with(1, extensions=((NAME_CONSTRAINTS, False),)),
    "a stranger's signature": lambda: forge.pki_with(2, foreign_issuer_key=True),
    "another issuer": lambda: forge.pki_with(2, issuer="stranger"),
    "expired root": lambda: forge.pki_with(0, not_after=forge.NOW - timedelta(days=1)),
}


@pytest.mark.parametrize("name", CHAINS)
def test_refuses_a_chain(name: str) -> None:
    chain = CHAINS[name]()
    data = forge.document(chain)
    assert "chain" in disagreement(data, claimed(data, chain=chain))


def test_refuses_another_root() -> None:
    strange = forge.build(forge.specs(), "a stranger")
    data = forge.document(strange)
    assert "chain" in disagreement(data, claimed(data))


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (0, 1, 1, 2, 3), (0, 1, 3), (1, 2, 3), (0, 1, 2, 3, 0)])
def test_the_path_is_the_bundle_in_its_order(order: tuple[int, ...]) -> None:
    certificates = [x509.load_der_x509_certificate(der) for der in forge.pki().certificates]
    validate_path(certificates[4], certificates[:4], forge.pki().certificates[0], forge.NOW)
    with pytest.raises((ValueError, x509.verification.VerificationError)):
        validate_path(certificates[4], [certificates[i] for i in order], forge.pki().certificates[0], forge.NOW)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"timestamp": forge.NOW_MS + 1}, "timestamp"),
        ({"pcrs": forge.PCRS | {0: forge.pcr(9)}}, "pcrs"),
        ({"public_key": b"another"}, "public_key"),
        ({"user_data": b"another"}, "user_data"),
        ({"nonce": None}, "nonce"),
    ],
)
def test_refuses_a_verdict_about_other_content(changes: dict[str, Any], name: str) -> None:
    actual = disagreement(DOCUMENT, verified(forge.document(**changes)))
    assert actual == f"a content that differs in {name}, payload"


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"\xff" * 40, b"\x84\x00", b"\xd1" + DOCUMENT, DOCUMENT[:-1], b"\x9b" + b"\xff" * 8, b"\x81" * 5000],
)
def test_whatever_the_libraries_raise_is_a_disagreement(data: bytes) -> None:
    assert disagreement(data, verified()) == "a content that the second verifier refuses"


def test_a_defect_of_the_libraries_is_a_disagreement_and_their_warnings_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import pycose.messages.sign1message as pycose

    genuine = pycose.Sign1Message.verify_signature

    def warns(message: Any) -> Any:
        warnings.warn("deprecated", DeprecationWarning, stacklevel=1)
        return genuine(message)

    def answers(message: Any) -> str:
        return "yes"

    monkeypatch.setattr(pycose.Sign1Message, "verify_signature", warns)
    second_opinion(DOCUMENT, verified())
    for defect in (answers, None):
        monkeypatch.setattr(pycose.Sign1Message, "verify_signature", defect)
        assert "signature" in disagreement(DOCUMENT, verified())


def test_without_pycose_there_is_no_opinion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycose.messages.sign1message", None)
    with pytest.raises(ModuleNotFoundError):
        second_opinion(DOCUMENT, verified())


def test_an_interruption_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: bytes) -> None:
        raise KeyboardInterrupt

    verdict = verified()
    monkeypatch.setattr(cbor2, "loads", interrupt)
    with pytest.raises(KeyboardInterrupt):
        second_opinion(DOCUMENT, verdict)
