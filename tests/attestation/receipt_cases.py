"""Receipts with one defect each, signed around it, and the code that must refuse them; and sound ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2

from attestation import receipt_claims as claim
from attestation.bindings import kms_user_data, statement_user_data
from attestation.evidence import boot_id
from attestation.merkle import EMPTY_ROOT
from attestation.proof_errors import ProofCode as Code
from attestation.proofs.openings import LogProof, Opening
from attestation.receipt_claims import Outcome
from attestation.receipts import ReceiptSalts, leaf_data
from attestation.signing import P256_ORDER, signed
from attestation.verifier import VerifiedDocument
from tests.attestation import forge
from tests.attestation.issuing import REQUEST, RESPONSE, Enclave, derived, receipt_private_key
from tests.attestation.judge import accept

HOUR_MS = 3_600_000
INDEX = 5
NO_MODEL = {
    "model_version": claim.NO_MODEL_VERSION,
    "manifest_sha384": claim.NO_MANIFEST,
    "outcome": Outcome.FAILED,
}


@dataclass(frozen=True)
class Case:
    """``code`` is None for a sound one."""

    name: str
    code: Code | None
    receipt: bytes
    document: VerifiedDocument
    shown: dict[str, Any] = field(default_factory=dict)


def scene() -> tuple[Enclave, ReceiptSalts]:
    """Enclave A with five leaves in its log, and the salts of the sixth."""
    enclave = Enclave("A")
    enclave.fill(INDEX)
    return enclave, ReceiptSalts.derive(derived("a secret"), derived("a salt"))


ENCLAVE, SALTS = scene()
DOCUMENT = ENCLAVE.verified()
CLAIMS = ENCLAVE.claims(SALTS)
PAYLOAD = CLAIMS.to_payload()
RECEIPT = signed(PAYLOAD, ENCLAVE.key)
SHOWN = {"request": Opening(SALTS.request, REQUEST), "response": Opening(SALTS.response, RESPONSE)}


def cases() -> list[Case]:
    """All of them, each name once."""
    made = [*_sound(), *_envelopes(), *_maps(), *_values(), *_contradictions(), *_documents(), *_times(), *_shown()]
    made += _logs()
    assert len({case.name for case in made}) == len(made)
    return made


def claims(name: str, code: Code | None, /, **changes: Any) -> Case:
    """Sound claims but for ``changes``."""
    return payload(name, code, replace(CLAIMS, **changes).to_payload())


def payload(name: str, code: Code | None, data: bytes) -> Case:
    """Any payload, signed by A."""
    return Case(name, code, signed(data, ENCLAVE.key), DOCUMENT)


def said(name: str, code: Code, /, **changes: Any) -> Case:
    """The map of claims with values by the names of their keys; ``...`` leaves one out."""
    return payload(name, code, cbor2.dumps(said_map(**changes)))


def said_map(**changes: Any) -> dict[Any, Any]:
    keyed = {getattr(claim, name): value for name, value in changes.items()}
    return {key: value for key, value in (cbor2.loads(PAYLOAD) | keyed).items() if value is not ...}


def _sound() -> Iterator[Case]:
    yield Case("sound", None, RECEIPT, DOCUMENT)
    yield Case("sound, contents shown", None, RECEIPT, DOCUMENT, SHOWN)
    yield Case("sound, in its evidence", None, RECEIPT, DOCUMENT, {"evidence": ENCLAVE.evidence})
    yield Case("sound, in the log", None, RECEIPT, DOCUMENT, {"log": log_proof()})
    yield claims("sound, failed", None, outcome=Outcome.FAILED, generated_chunks=0, sent_chunks=0)
    yield claims("sound, cancelled", None, outcome=Outcome.CANCELLED, sent_chunks=1)
    yield claims("sound, a guardrail", None, verdicts=(("pii", "passed"), ("tone", "flagged")))
    yield claims("sound, classical", None, kms_leg=1)
    yield claims("sound, at the document's instant", None, time_ms=forge.NOW_MS)
    yield claims("sound, no such model", None, **NO_MODEL, key_policies={})
    yield claims("sound, no such model, cancelled", None, **NO_MODEL | {"outcome": Outcome.CANCELLED})
    yield claims("sound, first of its log", None, leaf_index=0, root_before=EMPTY_ROOT)


def _envelope(head: str = "d28443a10126a0", data: bytes | None = None, signature: bytes | None = None) -> bytes:
    body = cbor2.dumps(PAYLOAD) if data is None else data
    return bytes.fromhex(head) + body + cbor2.dumps(RECEIPT[-64:] if signature is None else signature)


def _envelopes() -> Iterator[Case]:
    r, s = RECEIPT[-64:-32], int.from_bytes(RECEIPT[-32:], "big")
    order = P256_ORDER.to_bytes(32, "big")
    for name, code, data in [
        ("empty", Code.SIZE, b""),
        ("4,097 bytes", Code.SIZE, RECEIPT.ljust(4097, b"\0")),
        ("untagged", Code.STRUCTURE, RECEIPT[1:]),
        ("tag 17", Code.STRUCTURE, b"\xd1" + RECEIPT[1:]),
        ("array of 5", Code.STRUCTURE, b"\xd2\x85" + RECEIPT[2:]),
        ("tag 18 twice", Code.STRUCTURE, b"\xd2" + RECEIPT),
        ("Ed25519", Code.PROTECTED_HEADER, _envelope("d28443a10127a0")),
        ("ES384", Code.PROTECTED_HEADER, _envelope("d28444a1013822a0")),
        ("no algorithm", Code.PROTECTED_HEADER, _envelope("d28441a0a0")),
        ("content type", Code.PROTECTED_HEADER, _envelope("d28446a2012603183da0")),
        ("kid", Code.UNPROTECTED_HEADER, _envelope("d28443a10126a104416b")),
        ("detached", Code.PAYLOAD, _envelope(data=b"\xf6")),
        ("no payload", Code.PAYLOAD, _envelope(data=b"\x40")),
        ("payload in chunks", Code.PAYLOAD, _envelope(data=b"\x5f" + cbor2.dumps(PAYLOAD) + b"\xff")),
        ("payload of 4 GiB", Code.PAYLOAD, _envelope(data=b"\x5a\xff\xff\xff\xff")),
        ("signature of 63", Code.SIGNATURE_ENCODING, _envelope(signature=RECEIPT[-63:])),
        ("signature in DER", Code.SIGNATURE_ENCODING, _envelope(signature=b"\x30" * 70)),
        ("r is 0", Code.SIGNATURE_ENCODING, _envelope(signature=bytes(32) + RECEIPT[-32:])),
        ("r is n", Code.SIGNATURE_ENCODING, _envelope(signature=order + RECEIPT[-32:])),
        ("s is 0", Code.SIGNATURE_ENCODING, _envelope(signature=r + bytes(32))),
        ("high-s twin", Code.SIGNATURE_ENCODING, _envelope(signature=r + (P256_ORDER - s).to_bytes(32, "big"))),
        ("trailing byte", Code.TRAILING_BYTES, RECEIPT + b"\0"),
        ("two receipts", Code.TRAILING_BYTES, RECEIPT + RECEIPT),
    ]:
        yield Case(name, code, data, DOCUMENT)


def _maps() -> Iterator[Case]:
    pairs = [cbor2.dumps(key) + cbor2.dumps(value) for key, value in cbor2.loads(PAYLOAD).items()]
    head = bytes([0xA0 + len(pairs)])
    for name, code, data in [
        ("claims in a list", Code.CBOR, b"\x80"),
        ("claims in no CBOR", Code.CBOR, b"\xff"),
        ("claims and more", Code.CBOR, PAYLOAD + b"\0"),
        ("claims in an indefinite map", Code.CBOR, b"\xbf" + b"".join(pairs) + b"\xff"),
        ("claims in another order", Code.CBOR, head + b"".join(reversed(pairs))),
        ("a claim twice", Code.CBOR, bytes([head[0] + 1]) + b"".join(pairs) + pairs[0]),
        ("a long head", Code.CBOR, PAYLOAD.replace(b"\x03", b"\x18\x03", 1)),
        ("profile of checkpoints", Code.PROFILE, cose_payload(ENCLAVE.checkpoint())),
        ("an unknown claim", Code.UNKNOWN_CLAIM, cbor2.dumps(said_map() | {-70017: 1})),
        ("an issuer", Code.UNKNOWN_CLAIM, cbor2.dumps({1: "me"} | said_map())),
        ("a claim by name", Code.UNKNOWN_CLAIM, cbor2.dumps(said_map() | {"model": "m"})),
        ("a claim by true", Code.UNKNOWN_CLAIM, cbor2.dumps(said_map() | {True: "me"})),
    ]:
        yield payload(name, code, data)
    yield said("profile absent", Code.PROFILE, PROFILE=...)
    yield said("profile of another version", Code.PROFILE, PROFILE="urn:strongroom:receipt:v2")
    for key in cbor2.loads(PAYLOAD).keys() - {claim.PROFILE}:
        missing = {name: value for name, value in said_map().items() if name != key}
        yield payload(f"no claim {key}", Code.MISSING_CLAIM, cbor2.dumps(missing))


def cose_payload(data: bytes) -> bytes:
    """The payload of a tagged envelope of any algorithm."""
    payload = cbor2.loads(data).value[2]
    assert isinstance(payload, bytes)
    return payload


def _values() -> Iterator[Case]:
    digest, long = bytes(48), "a" * 65
    values: dict[str, list[Any]] = {
        "ISSUED_AT": [-1, True, "1", None],
        "RECEIPT_ID": [bytes(15), bytes(17), "a" * 16],
        "MODEL_ID": ["", "Model", "a b", long, b"model", "модель", "a\n"],
        "MODEL_VERSION": ["", "../1", 1],
        "SEQUENCE_NUMBER": [-1, True, 1 << 49, "5"],
        "EXECUTION_TIME_MS": [-1, 1 << 32, False],
        "TIME_MS": [0, -1, True, 1 << 63],
        "MANIFEST_SHA384": [bytes(32), bytes(49), "00" * 24],
        "CATALOGUE_SHA384": [bytes(47)],
        "DOCUMENT_SHA384": [bytes(32), None],
        "KEYS_SHA384": [bytes(47)],
        "RECEIPT_KEY": [bytes(65), b"\x02" + bytes(32), b"\x04" + bytes(63), b"\x04" + bytes(65)],
        "KEY_POLICIES": [{}, [], {"m": bytes(47)}, {"M": digest}, {1: digest}, {f"k{n}": digest for n in range(17)}],
        "KMS_LEG": [0, 3, True, "hybrid"],
        "REQUEST_COMMITMENT": [bytes(31), bytes(33), "0" * 32],
        "RESPONSE_COMMITMENT": [bytes(48)],
        "BOOT_ID": [bytes(31)],
        "CHECKPOINT": [[], [5], [5, bytes(31)], [5, bytes(32), 0], [-1, bytes(32)], {0: 5, 1: bytes(32)}, 5],
        "OUTCOME": ["done", "Complete", 1, None, b"complete"],
        "GENERATED_CHUNKS": [-1, 1 << 32, True],
        "SENT_CHUNKS": [-1, "3"],
        "VERDICTS": [{}, None, [["pii"]], [["pii", "passed", "x"]], ["pii"], [["pii", "P"]], [["pii", "ok"]] * 17],
    }
    for name, wrong in values.items():
        for number, value in enumerate(wrong):
            yield said(f"{name} {number}", Code.CLAIM_VALUE, **{name: value})


def _contradictions() -> Iterator[Case]:
    issued_at, root = CLAIMS.issued_at_s, CLAIMS.root_before
    yield said("issued a second later", Code.ISSUED_AT, ISSUED_AT=issued_at + 1)
    yield said("issued in milliseconds", Code.ISSUED_AT, ISSUED_AT=min(CLAIMS.time_ms, (1 << 32) - 1))
    yield said("checkpoint after itself", Code.OWN_CHECKPOINT, CHECKPOINT=[INDEX + 1, root])
    yield said("checkpoint before that", Code.OWN_CHECKPOINT, CHECKPOINT=[INDEX - 1, root])
    yield said("sequence of its own", Code.OWN_CHECKPOINT, SEQUENCE_NUMBER=INDEX + 1)
    yield claims("root of nothing", Code.OWN_CHECKPOINT, root_before=EMPTY_ROOT)
    yield claims("nothing with a root", Code.OWN_CHECKPOINT, leaf_index=0)
    yield claims("more sent than made", Code.CHUNKS, outcome=Outcome.CANCELLED, sent_chunks=4)
    yield claims("complete, not all sent", Code.CHUNKS, sent_chunks=2)
    yield claims("complete, nothing made", Code.CHUNKS, generated_chunks=0, sent_chunks=0)
    yield claims("no such model, complete", Code.CLAIM_VALUE, **NO_MODEL | {"outcome": Outcome.COMPLETE})
    yield claims("no such model, of a version", Code.CLAIM_VALUE, **NO_MODEL | {"model_version": "1"})
    yield claims("a model without the policy of its key", Code.CLAIM_VALUE, key_policies={})
    yield claims("a model that failed, without it", Code.CLAIM_VALUE, outcome=Outcome.FAILED, key_policies={})


def _documents() -> Iterator[Case]:
    other = Enclave("B")
    later = Enclave("A", {"timestamp": forge.NOW_MS + 1000})
    yield Case("A's receipt, A's later document", Code.OTHER_DOCUMENT, RECEIPT, later.verified())
    yield Case("A's receipt, B's document", Code.OTHER_DOCUMENT, RECEIPT, other.verified())
    foreign = replace(CLAIMS, document_sha384=other.parsed.payload_digest)
    yield Case("A's receipt names B", Code.NOT_BOUND, signed(foreign.to_payload(), ENCLAVE.key), other.verified())
    yield _tpm()
    unbound: list[tuple[str, dict[str, Any]]] = [
        ("document for KMS", {"public_key": b"rsa", "user_data": ENCLAVE.parsed.user_data}),
        ("document of another purpose", {"user_data": kms_user_data()}),
        ("document that binds nothing", {"user_data": None}),
        ("document with B's key", {"user_data": other.parsed.user_data}),
    ]
    for name, changes in unbound:
        yield _under(name, Code.NOT_BOUND, changes)
    yield claims("other key list", Code.NOT_BOUND, keys_sha384=bytes(48))
    yield claims("B's receipt key", Code.NOT_BOUND, receipt_key=other.point)
    evidence = replace(ENCLAVE.evidence, key_list=b"another list")
    yield Case("evidence with another list", Code.NOT_BOUND, RECEIPT, DOCUMENT, {"evidence": evidence})
    yield claims("boot id of B", Code.OTHER_BOOT, boot_id=other.boot_id)
    yield _under("boot of another module", Code.OTHER_BOOT, {}, module="i-0123456789abcdef0-encffffffffffffffff")
    yield claims("other catalogue", Code.OTHER_CATALOGUE, catalogue_sha384=bytes(48))
    yield _under("no PCR16", Code.OTHER_CATALOGUE, {"pcrs": {index: forge.PCRS[index] for index in range(16)}})
    yield Case("signed by B", Code.SIGNATURE, signed(PAYLOAD, other.key), DOCUMENT)
    yield Case("changed after signing", Code.SIGNATURE, RECEIPT.replace(b"smollm2", b"smollm3"), DOCUMENT)
    yield _off_the_curve()


def _under(name: str, code: Code, changes: dict[str, Any], module: str | None = None) -> Case:
    """A's receipt for a document with ``changes``, which it names."""
    chain = forge.with_leaf(forge.pki(), replace(forge.specs()[-1], name=f"{module}.us-east-1.aws")) if module else None
    fields = {"user_data": ENCLAVE.parsed.user_data, "pcrs": ENCLAVE.parsed.pcrs, "nonce": None, **changes}
    fields |= {"module_id": module} if module else {}
    fields["pcrs"] = dict(fields["pcrs"])
    document = accept(forge.document(chain, **fields), chain=chain)
    named = replace(CLAIMS, document_sha384=document.document.payload_digest)
    return Case(name, code, signed(named.to_payload(), ENCLAVE.key), document)


def _tpm() -> Case:
    chain = forge.pki(forge.TPM_MODULE_ID)
    pcrs = {index: ENCLAVE.parsed.pcrs[index] for index in range(18)}
    data = forge.document(
        chain, module_id=forge.TPM_MODULE_ID, pcrs=..., nitrotpm_pcrs=pcrs, user_data=ENCLAVE.parsed.user_data
    )
    document = accept(data, chain=chain, kind="nitrotpm")
    named = replace(CLAIMS, document_sha384=document.document.payload_digest)
    return Case("an instance's document", Code.DOCUMENT_KIND, signed(named.to_payload(), ENCLAVE.key), document)


def _off_the_curve() -> Case:
    point = b"\x04" + bytes(63) + b"\x01"
    user_data = statement_user_data(CLAIMS.keys_sha384, point)
    case = _under("", Code.SIGNATURE, {"user_data": user_data})
    off = replace(
        CLAIMS,
        receipt_key=point,
        boot_id=boot_id(forge.MODULE_ID, point),
        document_sha384=case.document.document.payload_digest,
    )
    return replace(case, name="a key off the curve", receipt=signed(off.to_payload(), ENCLAVE.key))


def _times() -> Iterator[Case]:
    yield claims("a millisecond early", Code.BEFORE_DOCUMENT, time_ms=forge.NOW_MS - 1)
    yield claims("4 h later", Code.AFTER_DOCUMENT, time_ms=forge.NOW_MS + 4 * HOUR_MS)
    yield claims("in the year 9999", Code.CLAIM_VALUE, time_ms=253_402_300_800_000)
    yield _made("made early, two hours", None, forge.NOW_MS - HOUR_MS // 2, 2 * HOUR_MS)
    yield _made("made early, a millisecond more", Code.AFTER_DOCUMENT, forge.NOW_MS - HOUR_MS // 2, 2 * HOUR_MS + 1)
    yield _made("made late, until its leaf ends", None, forge.NOW_MS + HOUR_MS, HOUR_MS)
    yield _made("made late, past its leaf", Code.AFTER_DOCUMENT, forge.NOW_MS + HOUR_MS, HOUR_MS + 1)


def _made(name: str, code: Code | None, document_ms: int, later_ms: int) -> Case:
    case = _under(name, Code.SIGNATURE, {"timestamp": document_ms})
    timed = replace(CLAIMS, document_sha384=case.document.document.payload_digest, time_ms=document_ms + later_ms)
    return replace(case, code=code, receipt=signed(timed.to_payload(), ENCLAVE.key))


def _shown() -> Iterator[Case]:
    swapped = {"request": Opening(SALTS.response, REQUEST)}
    yield Case("another request", Code.REQUEST, RECEIPT, DOCUMENT, {"request": Opening(SALTS.request, b"another")})
    yield Case("another salt", Code.REQUEST, RECEIPT, DOCUMENT, swapped)
    yield Case("another response", Code.RESPONSE, RECEIPT, DOCUMENT, {"response": Opening(SALTS.response, b"")})
    moved = {"request": Opening(SALTS.request + REQUEST[:1], REQUEST[1:])}
    yield Case("salt and content cut elsewhere", Code.REQUEST, RECEIPT, DOCUMENT, moved)


def log_proof(**changes: Any) -> LogProof:
    """The place of A's sixth leaf in a log that goes on for three more."""
    enclave, _ = scene()
    enclave.leaves.append(leaf_data(SALTS.leaf, PAYLOAD))
    enclave.frontier.append(enclave.leaves[-1])
    enclave.fill(3)
    inclusion = enclave.inclusion(INDEX)
    return LogProof(SALTS.leaf, replace(inclusion, **changes))


def _logs() -> Iterator[Case]:
    sound = log_proof()
    path, checkpoint = sound.inclusion.path, sound.inclusion.checkpoint
    stranger = Enclave("B")
    stranger.fill(9)

    def shown(name: str, code: Code, **changes: Any) -> Case:
        return Case(name, code, RECEIPT, DOCUMENT, {"log": log_proof(**changes)})

    yield shown("no checkpoint", Code.CHECKPOINT_FORM, checkpoint=b"")
    yield shown("a receipt for a checkpoint", Code.CHECKPOINT_FORM, checkpoint=RECEIPT)
    yield shown("B's checkpoint", Code.CHECKPOINT_BOOT, checkpoint=stranger.checkpoint())
    forged = signed(cose_payload(checkpoint), receipt_private_key("B"))
    yield shown("A's checkpoint by B", Code.CHECKPOINT_SIGNATURE, checkpoint=forged)
    yield shown("an earlier checkpoint", Code.INCLUSION_FORM, checkpoint=ENCLAVE.checkpoint())
    yield shown("a shorter path", Code.INCLUSION_FORM, path=path[:-1])
    yield shown("another path", Code.INCLUSION, path=(derived("x"), *path[1:]))
    yield Case("another leaf", Code.INCLUSION, RECEIPT, DOCUMENT, {"log": replace(sound, leaf_salt=SALTS.request)})
    yield _lying_prefix()


def _lying_prefix() -> Case:
    """An enclave with two memories: the receipt states another log before it than the one that goes on."""
    enclave, _ = scene()
    lying = replace(CLAIMS, root_before=derived("another log"))
    enclave.leaves.append(leaf_data(SALTS.leaf, lying.to_payload()))
    enclave.frontier.append(enclave.leaves[-1])
    log = {"log": LogProof(SALTS.leaf, enclave.inclusion(INDEX))}
    return Case("another log before it", Code.OTHER_PREFIX, signed(lying.to_payload(), ENCLAVE.key), DOCUMENT, log)
