"""Proof bundles: one encoding, bounded, and enough to verify a receipt from nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest

from attestation import bundles
from attestation.bundles import Bundle
from attestation.evidence import Evidence
from attestation.policy_file import MAX_POLICY_FILE_BYTES
from attestation.proof_errors import Layer, ProofCode, ProofRejected
from attestation.proofs.openings import Inclusion, Opening
from attestation.proofs.verifier import verify_receipt
from tests.attestation.issuing import REQUEST, RESPONSE, Enclave
from tests.attestation.judge import accept

ENCLAVE = Enclave("A")
ENCLAVE.fill(5)
ISSUED = ENCLAVE.issue()
ENCLAVE.fill(3)
WHOLE = ENCLAVE.bundle(ISSUED, policy="a policy", inclusion=ENCLAVE.inclusion(5))
DATA = WHOLE.to_bytes()
SAID: dict[Any, Any] = cbor2.loads(DATA)


def refused(data: bytes) -> bool:
    try:
        Bundle.from_bytes(data)
    except ProofRejected as rejected:
        return rejected.code is ProofCode.BUNDLE_FORM
    return False


def test_layout() -> None:
    assert {
        "profile": "urn:strongroom:proof:v1",
        "evidence": ENCLAVE.evidence.to_bytes(),
        "receipt": ISSUED.receipt,
        "policy": "a policy",
        "request": [ISSUED.salts.request, REQUEST],
        "response": [ISSUED.salts.response, RESPONSE],
        "leaf": ISSUED.salts.leaf,
        "log": [WHOLE.inclusion.checkpoint, list(WHOLE.inclusion.path)] if WHOLE.inclusion else None,
    } == SAID
    assert Bundle.from_bytes(DATA) == WHOLE


def test_it_needs_nothing_beside_it() -> None:
    bundle = Bundle.from_bytes(DATA)
    evidence = Evidence.from_bytes(bundle.evidence)
    verified = verify_receipt(
        bundle.receipt,
        accept(evidence.document),
        evidence=evidence,
        request=bundle.request,
        response=bundle.response,
        log=bundle.log,
    )
    assert verified.checked == tuple(Layer)


def test_parts_can_be_left_out_one_by_one() -> None:
    for less in (
        replace(WHOLE, policy=None),
        replace(WHOLE, request=None),
        replace(WHOLE, response=None),
        replace(WHOLE, inclusion=None),
    ):
        assert Bundle.from_bytes(less.to_bytes()) == less
    bare = Bundle(WHOLE.evidence, WHOLE.receipt)
    assert Bundle.from_bytes(bare.to_bytes()) == bare
    assert bare.log is None
    assert replace(WHOLE, inclusion=None).log is None


@pytest.mark.parametrize(
    "changes",
    [
        {"profile": "urn:strongroom:proof:v2"},
        {"profile": ...},
        {"evidence": ...},
        {"receipt": ...},
        {"receipt": "text"},
        {"evidence": [b""]},
        {"policy": b"bytes"},
        {"policy": "x" * (MAX_POLICY_FILE_BYTES + 1)},
        {"policy": None},
        {"request": [bytes(31), b""]},
        {"request": [bytes(32), "text"]},
        {"request": [bytes(32)]},
        {"request": bytes(32)},
        {"response": [bytes(33), b""]},
        {"response": {}},
        {"leaf": bytes(31)},
        {"leaf": ...},
        {"log": [b"c"]},
        {"log": [b"c", bytes(32)]},
        {"log": [b"c", [bytes(31)]]},
        {"log": [b"c", [bytes(32)] * 49]},
        {"log": [["c"], []]},
        {"another": 1},
        {1: 1},
    ],
)
def test_parts_of_another_form(changes: dict[Any, Any]) -> None:
    said = {key: value for key, value in (SAID | changes).items() if value is not ...}
    assert refused(cbor2.dumps(said, canonical=True))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(DATA[:-1], id="cut"),
        pytest.param(DATA + b"\0", id="trailing byte"),
        pytest.param(b"\x80", id="a list"),
        pytest.param(b"\xbf" + DATA[1:] + b"\xff", id="indefinite"),
        pytest.param(cbor2.dumps(dict(reversed(SAID.items()))), id="another order"),
        pytest.param(b"\xd9\xd9\xf7" + DATA, id="tagged"),
    ],
)
def test_bytes_of_another_form(data: bytes) -> None:
    assert refused(data)


def test_its_size_is_judged_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MAX_BUNDLE_BYTES", len(DATA) - 1)
    assert refused(DATA)


def test_contents_are_not_shown_by_accident() -> None:
    shown = repr(replace(WHOLE, request=Opening(ISSUED.salts.request, b"a secret prompt")))
    assert "a secret prompt" not in shown
    assert repr(ISSUED.salts.request) not in shown
    assert "checkpoint" not in repr(Inclusion(b"", ()))
