"""From evidence to a key: what the client refuses before anything is sealed (review R5, R15, R16, R18)."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha384
from typing import Any

import pytest

from attestation.anchors import AWS_NITRO_ROOT_G1, SimulatedTrustAnchor
from attestation.bindings import kms_user_data, statement_user_data
from attestation.errors import RejectionCode
from attestation.evidence import Evidence
from attestation.policy import Measurements, UnsafeAnyMeasurement
from strongroom.client.attested import AttestedKey
from strongroom.client.errors import AttestationRefused
from strongroom.client.terms import Terms
from strongroom.protocol.keys import KeyConfiguration, KeyList
from strongroom.protocol.kms_leg import KMSLeg
from strongroom.protocol.suites import Suite
from strongroom.simulator.pki import SimulatedPKI
from tests.client.fake_enclave import KEY_POLICIES, Clock, FakeEnclave

NONCE = bytes(range(32))


@dataclass(frozen=True)
class Case:
    """An honest enclave's evidence, what a client demands, and what a parent may do with either."""

    terms: Terms
    enclave: FakeEnclave
    pki: SimulatedPKI
    clock: Clock

    def attest(
        self,
        *,
        document: bytes | None = None,
        keys: bytes | None = None,
        receipt_key: bytes | None = None,
        after_ms: int = 0,
        **terms: Any,
    ) -> AttestedKey:
        evidence = Evidence(
            self.enclave.document(NONCE) if document is None else document,
            self.enclave.keys if keys is None else keys,
            self.enclave.point if receipt_key is None else receipt_key,
        )
        demanded = replace(self.terms, **terms)
        return demanded.attest(evidence.to_bytes(), nonce=NONCE, at_ms=self.clock.now_ms + after_ms)

    def pinned(self, **values: bytes) -> Measurements:
        return Measurements({**self.enclave.policy().pcrs, **{int(name[3:]): value for name, value in values.items()}})

    def document_after(self, span_ms: int) -> bytes:
        self.clock.now_ms += span_ms
        return self.enclave.document(NONCE)

    def another(self, **overrides: Any) -> FakeEnclave:
        return FakeEnclave(self.pki, clock=self.clock, **overrides)


@pytest.fixture
def case(enclave: FakeEnclave, pki: SimulatedPKI, clock: Clock, anchor: SimulatedTrustAnchor) -> Case:
    return Case(Terms(enclave.policy(), anchor, allow_simulated=True), enclave, pki, clock)


def test_the_honest_case(case: Case) -> None:
    key = case.attest()
    assert key.configuration.suite is Suite.XWING
    assert (key.key_list.configurations, key.key_list.to_bytes()) == ((key.configuration,), case.enclave.keys)
    assert key.attested_at_ms == case.clock.now_ms
    assert key.verified.anchor == case.terms.anchor


def bound(keys: bytes, enclave: FakeEnclave) -> bytes:
    return statement_user_data(sha384(keys).digest(), enclave.point)


Attack = Callable[[Case], object]
ATTACKS: dict[str, tuple[RejectionCode, Attack]] = {
    "aws root, simulated document": (
        RejectionCode.TRUST_ANCHOR,
        lambda case: case.attest(anchor=AWS_NITRO_ROOT_G1, allow_simulated=False),
    ),
    "simulator not allowed": (RejectionCode.SIMULATED_ANCHOR, lambda case: case.attest(allow_simulated=False)),
    "another image": (RejectionCode.MEASUREMENT, lambda case: case.attest(policy=case.pinned(pcr0=b"x" * 48))),
    "another parent role": (
        RejectionCode.MEASUREMENT,
        lambda case: case.attest(document=case.another(role="arn:aws:iam::999999999999:role/parent").document(NONCE)),
    ),
    "another catalogue": (RejectionCode.MEASUREMENT, lambda case: case.attest(policy=case.pinned(pcr16=b"x" * 48))),
    "another configuration": (RejectionCode.MEASUREMENT, lambda case: case.attest(policy=case.pinned(pcr17=b"x" * 48))),
    "a pinned PCR that was not locked": (
        RejectionCode.MEASUREMENT_ABSENT,
        lambda case: case.attest(policy=case.pinned(pcr18=b"x" * 48)),
    ),
    "debug mode": (
        RejectionCode.DEBUG_MODE,
        lambda case: case.attest(
            document=case.another(image={index: bytes(48) for index in range(3)}).document(NONCE),
            policy=UnsafeAnyMeasurement(),
        ),
    ),
    "no nonce": (RejectionCode.NONCE, lambda case: case.attest(document=case.enclave.document(None))),
    "another's nonce": (RejectionCode.NONCE, lambda case: case.attest(document=case.enclave.document(bytes(32)))),
    "an old document": (RejectionCode.TOO_OLD, lambda case: case.attest(after_ms=301_000)),
    "a document from the future": (
        RejectionCode.FROM_THE_FUTURE,
        lambda case: case.attest(document=case.document_after(400_000), after_ms=-350_000),
    ),
    "keys of another boot": (RejectionCode.BINDING_DIGEST, lambda case: case.attest(keys=case.another().keys)),
    "keys with one bit changed": (
        RejectionCode.BINDING_DIGEST,
        lambda case: case.attest(keys=case.enclave.keys[:-1] + bytes([case.enclave.keys[-1] ^ 1])),
    ),
    "the receipt key of another boot": (
        RejectionCode.BINDING_DIGEST,
        lambda case: case.attest(receipt_key=case.another().point),
    ),
    "a document made for kms": (
        RejectionCode.BINDING_PURPOSE,
        lambda case: case.attest(document=case.enclave.nsm.attest(user_data=kms_user_data(), nonce=NONCE)),
    ),
    "a document with a public key": (
        RejectionCode.PUBLIC_KEY_PRESENT,
        lambda case: case.attest(
            document=case.enclave.nsm.attest(
                user_data=bound(case.enclave.keys, case.enclave), nonce=NONCE, public_key=b"rsa"
            )
        ),
    ),
    "a document that binds nothing": (
        RejectionCode.BINDING_ABSENT,
        lambda case: case.attest(document=case.enclave.nsm.attest(nonce=NONCE)),
    ),
    "a document that is none": (RejectionCode.COSE_STRUCTURE, lambda case: case.attest(document=b"x")),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks(case: Case, name: str) -> None:
    code, attack = ATTACKS[name]
    with pytest.raises(AttestationRefused) as caught:
        attack(case)
    assert caught.value.rejection is not None
    assert caught.value.rejection.code is code


def test_every_byte_of_the_document_counts(case: Case) -> None:
    document = case.enclave.document(NONCE)
    for at in range(0, len(document), 97):
        altered = document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]
        with pytest.raises(AttestationRefused):
            case.attest(document=altered)


def listing(configuration: KeyConfiguration) -> bytes:
    return KeyList((configuration,), KMSLeg.HYBRID, KEY_POLICIES).to_bytes()


def test_x25519_only_when_asked(case: Case) -> None:
    weak = case.another(suites=[Suite.X25519])
    given: dict[str, Any] = {"document": weak.document(NONCE), "keys": weak.keys, "receipt_key": weak.point}
    with pytest.raises(AttestationRefused, match="XWING") as caught:
        case.attest(**given)
    assert caught.value.rejection is None
    assert case.attest(**given, suites=(Suite.XWING, Suite.X25519)).configuration.suite is Suite.X25519


@pytest.mark.parametrize("suite", Suite)
def test_the_clients_order_of_suites_decides(case: Case, suite: Suite) -> None:
    both = case.another(suites=[Suite.X25519, Suite.XWING])
    others = tuple(other for other in Suite if other is not suite)
    key = case.attest(document=both.document(NONCE), keys=both.keys, receipt_key=both.point, suites=(suite, *others))
    assert key.configuration.suite is suite


@pytest.mark.parametrize(
    "keys",
    [
        b"SRK\x01",
        b"SRK\x02",
        listing(KeyConfiguration(Suite.XWING, bytes(31))),
        listing(KeyConfiguration(Suite.XWING, b"\xff" * 1216)),
        listing(KeyConfiguration(Suite.X25519, bytes(32)))[:-1],
    ],
)
def test_unusable_keys_that_the_document_binds(case: Case, keys: bytes) -> None:
    document = case.enclave.nsm.attest(user_data=bound(keys, case.enclave), nonce=NONCE)
    with pytest.raises(AttestationRefused) as caught:
        case.attest(document=document, keys=keys)
    assert caught.value.rejection is None


def test_nobody_else_makes_an_attested_key(case: Case) -> None:
    key = case.attest()
    with pytest.raises(TypeError, match="from_verified"):
        AttestedKey(key.configuration, key.key_list, key.evidence, key.verified, object())
    with pytest.raises(TypeError, match="VerifiedDocument"):
        AttestedKey.from_verified(key.verified.document, key.evidence)  # type: ignore[arg-type]  # the point


def test_a_replaced_key_is_refused(case: Case) -> None:
    forged = KeyConfiguration(Suite.XWING, secrets.token_bytes(1216))
    with pytest.raises(TypeError, match="from_verified"):
        replace(case.attest(), configuration=forged, guard=object())


@pytest.mark.parametrize("evidence", [b"", b"SRE\x01", b"SRE\x02" + bytes(80), b"SRE\x01" + b"\xff" * 80])
def test_bytes_that_are_no_evidence(case: Case, evidence: bytes) -> None:
    with pytest.raises(AttestationRefused, match="evidence-form"):
        case.terms.attest(evidence, nonce=NONCE, at_ms=case.clock.now_ms)
