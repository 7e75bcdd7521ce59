"""The files about receipts and checkpoints: docs/receipts.md."""

from __future__ import annotations

from tests.attestation.vectors import cbor
from tests.attestation.vectors.documents import MADE_MS
from tests.protocol.vectors import answers, tasks
from tests.protocol.vectors.exchange import client_document, evidence, point
from tests.protocol.vectors.receipts import (
    BOOT_ID,
    EMPTY_ROOT,
    HEAD,
    Claims,
    answer_receipt,
    claims,
    receipt,
    signature,
    signed,
)
from tests.protocol.vectors.seeds import AT_MS, derived
from tests.protocol.vectors.vector import Group, Vector
from tests.protocol.vectors.wire import canonical, flipped, sha256, sha384

_TWO_HOURS_MS = 7_200_000


def groups() -> list[Group]:
    """The files."""
    about = (
        "Receipts, held against `evidence` (archived, under `root.pem` of the conformance vectors), with the request's "
        "and the response's content and salts. Refusals have the codes and layers of docs/receipts.md."
    )
    shown = {
        "request": canonical(tasks.CHAT),
        "response": answers.content(answers.whole(b"")),
        "salts": answers.salts(),
    }
    given = {"evidence": evidence(client_document())} | shown
    vectors = [*_accepted(), *_envelopes(), *_claims(), *_bindings(), *_commitments()]
    return [Group("receipts", about, "Receipts", given, vectors), _checkpoints()]


def _accepted() -> list[Vector]:
    failed = receipt(outcome="failed", sent=0, generated=0)
    later = receipt(sequence=5, checkpoint=[5, derived("a root", 32)])
    guarded = receipt(verdicts=[["guard-1", "passed"]])
    kinds = {
        "complete": ("of the whole and the streamed answer", answer_receipt()),
        "failed": ("a failure before anything was sent", failed),
        "sixth": ("the sixth receipt of a boot", later),
        "verdict": ("a guardrail's verdict", guarded),
        "first-instant": ("admitted when the document was made", _at(MADE_MS)),
        "last-instant": ("admitted two hours later", _at(MADE_MS + _TWO_HOURS_MS)),
    }
    return [Vector(slug, title, data) for slug, (title, data) in kinds.items()]


def _at(time_ms: int) -> bytes:
    return receipt(time=time_ms, iat=(time_ms + 1500) // 1000)


def _refused(slug: str, title: str, data: bytes, code: str, layer: str) -> Vector:
    return Vector(slug, title, data, code, layer)


def _envelopes() -> list[Vector]:
    payload = cbor.encode(claims())
    sound, mark = signed(payload), signature(payload)
    body, end = cbor.encode(payload), cbor.encode(mark)
    es384, key_id = HEAD[:2] + b"\x44\xa1\x01\x38\x22\xa0", HEAD[:-1] + b"\xa1\x04\x41k"
    other_form, mark_form = signed(payload, high_s=True), "receipt-signature-encoding"
    form = {
        "empty": ("no bytes", b"", "receipt-size"),
        "too-large": ("4,097 bytes", sound + bytes(4097 - len(sound)), "receipt-size"),
        "untagged": ("no tag", sound[1:], "receipt-structure"),
        "tag-17": ("tag 17", b"\xd1" + sound[1:], "receipt-structure"),
        "array-of-3": ("an array of three", sound[:1] + b"\x83" + sound[2:], "receipt-structure"),
        "es384": ("ES384 in the protected header", es384 + body + end, "receipt-protected-header"),
        "unprotected": ("a key id in the unprotected header", key_id + body + end, "receipt-unprotected-header"),
        "detached": ("no payload", HEAD + b"\xf6" + end, "receipt-payload"),
        "signature-of-63": ("a signature of 63 bytes", HEAD + body + cbor.encode(mark[:-1]), mark_form),
        "signature-high-s": ("the other form of the signature", other_form, mark_form),
        "signature-zeros": ("r and s of zero", HEAD + body + cbor.encode(bytes(64)), mark_form),
        "cut": ("one byte short", sound[:-1], mark_form),
        "trailing": ("one byte too many", sound + b"\0", "receipt-trailing-bytes"),
    }
    return [
        *(_refused(slug, title, data, code, "form") for slug, (title, data, code) in form.items()),
        _refused("signature-bit", "one bit of r", flipped(sound, -64), "receipt-signature", "signature"),
        _refused("stranger", "signed by another key", signed(payload, label="other"), "receipt-signature", "signature"),
    ]


def _claims() -> list[Vector]:
    sound = claims()
    unordered = cbor.encode(dict(sorted(sound.items(), key=str, reverse=True)))
    checkpoint = "urn:strongroom:checkpoint:v1"
    wrong: dict[str, tuple[str, bytes, str]] = {
        "not-cbor": ("a payload that is no CBOR", signed(b"\xff"), "receipt-cbor"),
        "not-a-map": ("a list", signed(cbor.encode([1])), "receipt-cbor"),
        "unordered": ("claims in another order", signed(unordered), "receipt-cbor"),
        "long-head": ("a head in two bytes", signed(b"\xb8\x17" + cbor.encode(sound)[1:]), "receipt-cbor"),
        "profile": ("another profile", receipt(profile="urn:strongroom:receipt:v2"), "receipt-profile"),
        "checkpoint-profile": ("the profile of a checkpoint", receipt(profile=checkpoint), "receipt-profile"),
        "unknown": ("an unknown claim", signed(cbor.encode(sound | {-70017: 1})), "unknown-claim"),
        "missing": ("no outcome", signed(cbor.encode(_without(sound, -70013))), "missing-claim"),
        "outcome": ("an unknown outcome", receipt(outcome="delivered"), "claim-value"),
        "kms-leg": ("KMS leg 3", receipt(kms_leg=3), "claim-value"),
        "model": ("a model id that is none", receipt(model="SmolLM2"), "claim-value"),
        "digest-of-32": ("a digest of 32 bytes", receipt(manifest=bytes(32)), "claim-value"),
        "no-policy": ("no key policy", receipt(policies={}), "claim-value"),
        "bool-as-count": ("true as a count", receipt(sent=True), "claim-value"),
        "issued-later": ("signed a second later than it says", receipt(iat=(AT_MS + 2500) // 1000), "issued-at"),
        "own-checkpoint": ("a checkpoint of other leaves", receipt(checkpoint=[1, derived("r", 32)]), "own-checkpoint"),
        "empty-root": ("another root of no leaves", receipt(checkpoint=[0, derived("r", 32)]), "own-checkpoint"),
        "more-sent": ("more chunks sent than made", receipt(outcome="cancelled", sent=5), "chunks"),
        "complete-unsent": ("complete, and not all sent", receipt(sent=3), "chunks"),
    }
    return [_refused(f"claim-{slug}", title, data, code, "form") for slug, (title, data, code) in wrong.items()]


def _without(sound: Claims, key: int) -> Claims:
    return {each: value for each, value in sound.items() if each != key}


def _bindings() -> list[Vector]:
    other = sha384(b"another")
    stranger = signed(cbor.encode(claims(receipt_key=point("other"))), label="other")
    wrong = {
        "other-document": ("another document", receipt(document=other), "other-document", "document"),
        "own-key": ("a key that no document binds, and signed by it", stranger, "not-bound", "binding"),
        "other-keys": ("another key list", receipt(keys=other), "not-bound", "binding"),
        "other-boot": ("another boot", receipt(boot=derived("boot", 32)), "other-boot", "binding"),
        "other-catalogue": ("a catalogue that is not in PCR16", receipt(catalogue=other), "other-catalogue", "binding"),
        "before": ("admitted before the document was made", _at(MADE_MS - 1), "before-document", "time"),
        "after": ("admitted later than two hours", _at(MADE_MS + _TWO_HOURS_MS + 1), "after-document", "time"),
    }
    return [_refused(slug, title, data, code, layer) for slug, (title, data, code, layer) in wrong.items()]


def _commitments() -> list[Vector]:
    other = derived("a commitment", 32)
    unsalted = sha256(canonical(tasks.CHAT))
    return [
        _refused("other-request", "another request", receipt(request=other), "request-commitment", "request"),
        _refused(
            "unsalted", "the request without its salt", receipt(request=unsalted), "request-commitment", "request"
        ),
        _refused("other-response", "another response", receipt(response=other), "response-commitment", "response"),
    ]


def _checkpoint(*, label: str = "enclave", **changes: object) -> bytes:
    sound = {
        "profile": (265, "urn:strongroom:checkpoint:v1"),
        "time": (-70001, AT_MS),
        "boot": (-70011, BOOT_ID),
        "tree": (-70012, [5, derived("a root", 32)]),
    }
    said = {key: changes.get(name, value) for name, (key, value) in sound.items()}
    return signed(cbor.encode(said), label=label)


def _checkpoints() -> Group:
    form, boot, mark = "checkpoint-form", "checkpoint-boot", "checkpoint-signature"
    wrong = {
        "receipt": ("a receipt in the place of a checkpoint", answer_receipt(), form),
        "empty": ("no bytes", b"", form),
        "empty-root": ("another root of no leaves", _checkpoint(tree=[0, derived("a root", 32)]), form),
        "root-of-31": ("a root of 31 bytes", _checkpoint(tree=[5, bytes(31)]), form),
        "size-negative": ("a negative size", _checkpoint(tree=[-1, derived("a root", 32)]), form),
        "other-boot": ("another boot", _checkpoint(boot=derived("boot", 32)), boot),
        "stranger": ("signed by another key", _checkpoint(label="other"), mark),
        "signature-bit": ("one bit of r", flipped(_checkpoint(), -64), mark),
    }
    sound = [
        Vector("five", "of five leaves", _checkpoint()),
        Vector("empty-log", "of no leaf", _checkpoint(tree=[0, EMPTY_ROOT])),
    ]
    refused = [Vector(slug, title, data, code, "log") for slug, (title, data, code) in wrong.items()]
    about = "Checkpoints of the boot `boot_id`, under `receipt_key`. A refusal's outcome is a code of docs/receipts.md."
    given = {"boot_id": BOOT_ID, "receipt_key": point()}
    return Group("checkpoints", about, "Audit log", given, [*sound, *refused])
