"""Our implementation's answer to a vector: what it gives, or the class or code of its refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attestation.evidence import Evidence
from attestation.proof_errors import ProofCode, ProofRejected
from attestation.receipts import ReceiptSalts, commitment
from strongroom.client.attested import AttestedKey
from strongroom.client.errors import AttestationRefused, StrongroomError
from strongroom.protocol import canonical
from strongroom.protocol.audit import AuditPage
from strongroom.protocol.contents import request_content, response_content, split_receipt
from strongroom.protocol.envelopes import entry_id, read_envelope
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.events import decode_events
from strongroom.protocol.keys import KeyConfiguration, KeyList
from strongroom.protocol.messages import SealedRequestHead, SealedResponseHead, SealedWeightsHead
from strongroom.protocol.payloads import Request
from strongroom.protocol.requests import RequestOpener
from strongroom.protocol.responses import ResponseOpener
from strongroom.protocol.suites import KEMKeyPair, Suite
from strongroom.protocol.weights import WeightsCipher
from tests.protocol.receipt_judging import verified_document
from tests.protocol.vectors import tasks
from tests.protocol.vectors.vector import ACCEPTED

Facts = dict[str, Any]
Judge = Callable[[Mapping[str, Any], Mapping[str, Any]], Facts]
"""Takes what the file gives and the vector, its JSON; returns what an accepted vector says under `gives`."""


def outcome(judge: Judge, given: Mapping[str, Any], vector: Mapping[str, Any]) -> tuple[str, Facts]:
    """`accepted` and what came out, or the name of the refusal."""
    try:
        return ACCEPTED, judge(given, vector)
    except ProtocolError as error:
        return type(error).__name__, {}
    except ProofRejected as rejected:
        return "Malformed" if rejected.code is ProofCode.EVIDENCE_FORM else str(rejected.code), {}
    except AttestationRefused as refused:
        return refused.reason or "Unsupported", {}
    except StrongroomError as error:
        return getattr(error, "reason", None) or error.code, {}


def _message(vector: Mapping[str, Any]) -> bytes:
    return bytes.fromhex(vector["message"])


def key_list(given: Mapping[str, Any], vector: Mapping[str, Any]) -> Facts:
    keys = KeyList.from_bytes(_message(vector))
    assert keys.to_bytes() == _message(vector)
    offered = [
        {"suite": each.suite, "public_key": each.public_key.hex(), "key_id": each.key_id.hex()}
        for each in keys.configurations
    ]
    policies = {name: digest.hex() for name, digest in keys.key_policies.items()}
    return {"configurations": offered, "kms_leg": keys.kms_leg.word, "policies": policies}


def evidence(given: Mapping[str, Any], vector: Mapping[str, Any]) -> Facts:
    """As the client takes a key from it."""
    parsed = Evidence.from_bytes(_message(vector))
    suites = [Suite(each) for each in vector.get("accepts", Suite)]
    AttestedKey.from_verified(verified_document(parsed.document), parsed, suites=suites)
    assert parsed.to_bytes() == _message(vector)
    return {}


def request(given: Mapping[str, Any], vector: Mapping[str, Any]) -> Facts:
    configuration = KeyConfiguration.from_bytes(bytes.fromhex(given["configuration"]))
    pair = KEMKeyPair.from_seed(configuration.suite, bytes.fromhex(given["seed"]))
    return _asked(*RequestOpener(pair).open(_message(vector)))


def envelope(given: Mapping[str, Any], vector: Mapping[str, Any]) -> Facts:
    arn, context = given["arn"], given["context"]
    assert entry_id(arn, context).hex() == given["entry_id"]
    read = read_envelope(_message(vector))
    facts = _asked(read.head, read.open(bytes.fromhex(given["data_key"]), arn, context))
    assert read.wrapped.hex() == given["wrapped"]
    return facts


def _asked(head: SealedRequestHead, opened: Request) -> Facts:
    names = {"key_id": head.key_id.hex(), "request_id": head.request_id.hex(), "model": head.model}
    said = {"suite": head.suite, **names, "timestamp_ms": head.timestamp_ms}
    return {"head": said, "body": canonical.encode(opened).hex()}


def response(given: Mapping[str, Any], vector: Mapping[str, Any]) -> Facts:
    bodies = list(released(given, vector))
    events = [event for body in bodies for event in decode_events(body)]
    split_receipt(events)
    head = SealedResponseHead.from_bytes(_message(vector)[: SealedResponseHead.SIZE_BYTES])
    salts = ReceiptSalts.derive(bytes.fromhex(given["secret"]), head.salt)
    asked = canonical.decode(canonical.encode(tasks.asked()), Request, "request")
    content, named = response_content(events), {"request_id": head.request_id.hex(), "salt": head.salt.hex()}
    return {
        "head": {"suite": head.suite, **named, "document_digest": head.document_digest.hex()},
        "bodies": [body.hex() for body in bodies],
        "content": content.hex(),
        "receipt_salts": {name: getattr(salts, name).hex() for name in ("request", "response", "leaf")},
        "commitments": {
            "request": commitment(salts.request, request_content(asked.task)).hex(),
            "response": commitment(salts.response, content).hex(),
        },
    }


def released(given: Mapping[str, Any], vector: Mapping[str, Any]) -> list[bytes]:
    """The bodies of an answer, fed byte by byte."""
    bodies: list[bytes] = []
    release(given, vector, bodies)
    return bodies


def release(given: Mapping[str, Any], vector: Mapping[str, Any], bodies: list[bytes]) -> None:
    """The same, into `bodies`, which keeps what left before a refusal."""
    opener = ResponseOpener(bytes.fromhex(given["secret"]), bytes.fromhex(given["request"]), given["media_type"])
    for byte in _message(vector):
        bodies += map(bytes, opener.feed(bytes([byte])))
    opener.finish()


def audit_page(given: Mapping[str, Any], vector: Mapping[str, Any]) -> Facts:
    page = AuditPage.from_bytes(_message(vector))
    assert page.to_bytes() == _message(vector)
    return {"first": page.first, "leaves": page.leaves.hex(), "checkpoint": page.checkpoint.hex()}


def weights(given: Mapping[str, Any], vector: Mapping[str, Any]) -> Facts:
    head = SealedWeightsHead.from_bytes(_message(vector))
    cipher = WeightsCipher(head, bytes.fromhex(given["data_key"]), given["arn"], given["context"])
    return {"body": cipher.open(vector["index"], bytes.fromhex(vector["chunk"])).hex(), "chunks": head.chunks}
