"""docs/protocol.md, "What a client must check": the client itself refuses what stands for each line, and says why."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import Any

import pytest

from attestation.anchors import AWS_NITRO_ROOT_G1, SimulatedTrustAnchor
from attestation.evidence import Evidence
from attestation.modes import Archived, Live, Mode, Recent
from attestation.policy import UnsafeAnyMeasurement
from attestation.policy_file import load_policy
from strongroom.client.errors import AnswerTruncated, AttestationRefused, ReceiptRefused, SealBroken
from strongroom.client.reading import WholeAnswer
from strongroom.client.receipts import prove
from strongroom.client.terms import JudgedEvidence, Terms
from tests.protocol import client_judging, judging
from tests.protocol.receipt_judging import verified_document
from tests.protocol.test_vectors import CHECKLIST, FILES, JUDGES, VECTORS
from tests.protocol.vectors import exchange, suite
from tests.protocol.vectors.vector import ACCEPTED

DOCUMENTS = sorted({name for line in CHECKLIST.values() for name in line.get("documents", ())})
LISTED = {each for line in CHECKLIST.values() for each in line.get("vectors", ())}
FOLDER = suite.FOLDER.parent
ANY = UnsafeAnyMeasurement()
WHOLE_CLIENT = ("replies", "witnesses", "kept-answers")


def listed(*files: str) -> list[Any]:
    chosen = [(file, vector) for file, vector in VECTORS if file in files and vector["id"] in LISTED]
    return [pytest.param(file, vector, id=vector["id"]) for file, vector in chosen]


def test_each_listed_vector_is_judged_here() -> None:
    judged = listed("evidence", "responses-whole", "responses-streamed", "receipts", *WHOLE_CLIENT)
    assert {parameter.id for parameter in judged} == LISTED


def demanded(arguments: list[str]) -> Namespace:
    """What `strongroom verify` is given for a conformance vector."""
    parser = ArgumentParser()
    for switch in ("archived", "live", "recent", "any-measurement", "allow-simulated"):
        parser.add_argument(f"--{switch}", action="store_true")
    for value in ("policy", "trust-anchor"):
        parser.add_argument(f"--{value}")
    parser.add_argument("--nonce", type=bytes.fromhex)
    parser.add_argument("--max-age", type=int)
    return parser.parse_args(arguments)


def mode_of(demand: Namespace) -> Mode:
    if demand.archived:
        return Archived()
    now_ms = time.time_ns() // 1_000_000
    return Live(demand.nonce, now_ms, demand.max_age) if demand.live else Recent(now_ms, demand.max_age)


def terms_of(demand: Namespace, name: str) -> Terms:
    root = demand.trust_anchor
    anchor = SimulatedTrustAnchor.from_pem((FOLDER / name / root).read_bytes()) if root else AWS_NITRO_ROOT_G1
    policy = load_policy((FOLDER / name / demand.policy).read_bytes()) if demand.policy else ANY
    return Terms(policy, anchor, demand.allow_simulated)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_refused_for_its_own_defect(name: str) -> None:
    manifest = json.loads((FOLDER / name / "manifest.json").read_text())
    demand = demanded(manifest["arguments"])
    evidence = exchange.evidence((FOLDER / name / "document.cbor").read_bytes())
    with pytest.raises(AttestationRefused) as caught:
        terms_of(demand, name).judge(evidence, mode_of(demand))
    assert caught.value.reason == manifest["code"]


@pytest.mark.parametrize(("file", "vector"), listed("evidence"))
def test_no_key_is_taken_from_evidence(file: str, vector: dict[str, Any]) -> None:
    assert judging.outcome(judging.evidence, {}, vector)[0] == vector["outcome"]


def sound(file: str) -> dict[str, Any]:
    """The first vector of a file that is accepted."""
    return next(vector for name, vector in VECTORS if name == file and vector["outcome"] == ACCEPTED)


def read(file: str, vector: dict[str, Any]) -> WholeAnswer:
    return client_judging.read(client_judging.asked(FILES[file]["given"]), bytes.fromhex(vector["message"]))


@pytest.mark.parametrize(("file", "vector"), listed("responses-whole", "responses-streamed"))
def test_an_answer_is_not_whole(file: str, vector: dict[str, Any]) -> None:
    read(file, sound(file))
    with pytest.raises((SealBroken, AnswerTruncated, ReceiptRefused)):
        read(file, vector)


def proven(vector: dict[str, Any]) -> None:
    """The sound streamed answer, with this receipt at its end."""
    evidence = Evidence.from_bytes(bytes.fromhex(FILES["receipts"]["given"]["evidence"]))
    made_by = JudgedEvidence(evidence, verified_document(evidence.document))
    answer = replace(read("responses-streamed", sound("responses-streamed")), receipt=bytes.fromhex(vector["message"]))
    prove(client_judging.asked(FILES["responses-streamed"]["given"]), answer, made_by, ANY)


@pytest.mark.parametrize(("file", "vector"), listed("receipts"))
def test_a_receipt_proves_nothing(file: str, vector: dict[str, Any]) -> None:
    proven(sound(file))
    with pytest.raises(ReceiptRefused) as caught:
        proven(vector)
    assert caught.value.reason == vector["outcome"]


@pytest.mark.parametrize(("file", "vector"), listed(*WHOLE_CLIENT))
def test_the_whole_client_refuses(file: str, vector: dict[str, Any]) -> None:
    judge, given = JUDGES[file], FILES[file]["given"]
    judge(given, sound(file))
    assert judging.outcome(judge, given, vector) == (vector["outcome"], {})
