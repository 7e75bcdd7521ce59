"""Answers and the evidence that their heads name: docs/protocol.md, what a client must check, line 13."""

from __future__ import annotations

from tests.protocol.vectors.boots import LEAF_EXPIRED_MS, OUTSIDE_POLICY, POLICY, SOUND, UNBOUND, Boot
from tests.protocol.vectors.key_lists import X25519, KeyList, configuration
from tests.protocol.vectors.responses import asker, streamed
from tests.protocol.vectors.seeds import AT_MS, derived
from tests.protocol.vectors.vector import ACCEPTED, Group, Vector

NONCE = derived("a client's nonce", 32)
SEALED_TO = Boot(nonce=NONCE)
"""The boot as the client attested it: its document for one nonce, not the cached one."""
_REFUSED = "receipt-refused"


def group() -> Group:
    """The file."""
    about = (
        "Answers to `request`, sealed to a key of `sealed_to`, which was made for `nonce`. `evidence` is what the "
        "gateway has under the digest in an answer's head; it is judged at `at_ms` (recent), under `policy` and "
        "`root.pem` of the conformance vectors. Outcomes: a rejection code of docs/attestation.md, or the code of the "
        "client's error."
    )
    terms = {"sealed_to": SEALED_TO.evidence, "nonce": NONCE, "policy": POLICY, "at_ms": AT_MS}
    vectors = [*_accepted(), *_others(), *_refused(), *_receipts()]
    return Group("witnesses", about, "What a client must check", asker(stream=True) | terms, vectors)


def _answer(named: Boot, receipt: bytes) -> bytes:
    return streamed(receipt, named.digest).to_bytes()


def _vector(slug: str, title: str, boot: Boot, outcome: str, layer: str | None, at_ms: int = AT_MS) -> Vector:
    """All is as that boot would make it."""
    more = {"evidence": boot.evidence, "at_ms": at_ms}
    return Vector(slug, title, _answer(boot, boot.receipt()), outcome, layer, more)


def _accepted() -> list[Vector]:
    return [
        _vector("cached", "the cached document of the boot that was sealed to", SOUND, ACCEPTED, None),
        _vector("same-document", "the document that was sealed to", SEALED_TO, ACCEPTED, None),
    ]


def _others() -> list[Vector]:
    """Genuine, and acceptable to the policy."""
    alone = KeyList(configurations=(configuration(X25519),)).to_bytes()
    return [
        _vector("other-boot", "another boot: its own receipt key", Boot(label="other"), _REFUSED, "boot"),
        _vector("other-key-list", "another key list under the same receipt key", Boot(keys=alone), _REFUSED, "boot"),
        _not_named(),
    ]


def _not_named() -> Vector:
    title = "evidence and receipt of a document that the head does not name"
    more = {"evidence": SEALED_TO.evidence, "at_ms": AT_MS}
    return Vector("other-document", title, _answer(SOUND, SEALED_TO.receipt()), _REFUSED, "boot", more)


def _refused() -> list[Vector]:
    outside = [
        _vector(slug, f"a boot {title}, with the same keys", boot, "measurement", "document")
        for slug, (title, boot) in OUTSIDE_POLICY.items()
    ]
    return [
        *outside,
        _vector("expired", "judged after its leaf expired", SOUND, "certificate-expired", "document", LEAF_EXPIRED_MS),
        _vector("unbound", "a document that binds another receipt key", UNBOUND, "binding-digest", "binding"),
    ]


def _receipts() -> list[Vector]:
    """Sound, as an auditor sees them, and not of this answer."""
    said: dict[str, tuple[str, dict[str, object]]] = {
        "request-id": ("a receipt of another request id", {"cti": derived("another request id", 16)}),
        "model": ("a receipt of another model", {"model": "smollm2-360m"}),
        "outcome": ("a receipt of an answer that failed", {"outcome": "failed"}),
        "chunks": ("a receipt of fewer chunks than came", {"generated": 3, "sent": 3}),
    }
    more = {"evidence": SOUND.evidence, "at_ms": AT_MS}
    return [
        Vector(f"receipt-{slug}", title, _answer(SOUND, SOUND.receipt(**changes)), _REFUSED, "receipt", more)
        for slug, (title, changes) in said.items()
    ]
