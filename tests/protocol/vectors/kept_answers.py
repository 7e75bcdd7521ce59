"""Kept answers: docs/protocol.md, files at rest."""

from __future__ import annotations

from tests.attestation.vectors.documents import MADE_MS
from tests.protocol.vectors import answers
from tests.protocol.vectors.boots import OUTSIDE_POLICY, POLICY, SOUND, UNBOUND, Boot
from tests.protocol.vectors.responses import HEAD_BYTES, Response
from tests.protocol.vectors.tickets import ENVELOPE, NOT_AFTER_MS, ticket
from tests.protocol.vectors.vector import Group, Vector
from tests.protocol.vectors.wire import LAST, MEDIA_STREAM, MEDIA_WHOLE, canonical, padded, prefixed


def group() -> Group:
    """The file."""
    about = (
        "Kept answers to the KMS envelope of `ticket`; the document is judged at the receipt's time (archived) under "
        "`policy` and `root.pem` of the conformance vectors. Outcomes: a rejection code of docs/attestation.md or "
        "docs/receipts.md, or the code of the client's error."
    )
    vectors = [*_accepted(), *_forms(), *_documents(), *_receipts()]
    return Group("kept-answers", about, "Files at rest", {"ticket": ticket(), "policy": POLICY}, vectors)


def response(named: Boot, receipt: bytes) -> bytes:
    """A whole answer to the envelope, from that boot."""
    plaintext = padded(canonical(answers.whole(receipt)), LAST)
    return Response([plaintext], suite=3, request=ENVELOPE, document_digest=named.digest).to_bytes()


def _receipt(boot: Boot, **changes: object) -> bytes:
    return boot.receipt(**{"generated": 1, "sent": 1} | changes)


def _at(time_ms: int) -> bytes:
    return _receipt(SOUND, time=time_ms, iat=(time_ms + 1500) // 1000)


def _kept(response: bytes, evidence: bytes, media_type: bytes = MEDIA_WHOLE, magic: bytes = b"SRA\1") -> bytes:
    return magic + prefixed(media_type, response, evidence)


def _from(boot: Boot, receipt: bytes | None = None) -> bytes:
    return _kept(response(boot, receipt or _receipt(boot)), boot.evidence)


def _accepted() -> list[Vector]:
    nonce_bound = Boot(nonce=bytes(32))
    return [
        Vector("sound", "with the evidence that its head names", _from(SOUND)),
        Vector("other-boot", "from another boot under the policy", _from(Boot(label="other"))),
        Vector("at-not-after", "admitted at the last instant", _from(SOUND, _at(NOT_AFTER_MS))),
        Vector("nonce", "a document that was made for some nonce", _from(nonce_bound)),
    ]


def _forms() -> list[Vector]:
    sealed, evidence = response(SOUND, _receipt(SOUND)), SOUND.evidence
    whole = _kept(sealed, evidence)
    wrong = {
        "empty": ("no bytes", b""),
        "magic": ("another magic", _kept(sealed, evidence, magic=b"SRX\1")),
        "version": ("version 2", _kept(sealed, evidence, magic=b"SRA\2")),
        "streamed": ("the media type of a streamed answer", _kept(sealed, evidence, MEDIA_STREAM)),
        "trailing": ("one byte too many", whole + b"\0"),
        "length-2-32": ("a media type of 2^32 - 1 bytes", whole[:4] + b"\xff" * 4 + whole[8:]),
    }
    return [
        *(Vector(slug, title, data, "seal-broken", "form") for slug, (title, data) in wrong.items()),
        Vector("cut", "a response that ends early", _kept(sealed[:-1], evidence), "answer-truncated", "end"),
        Vector(
            "head-alone", "a response without a chunk", _kept(sealed[:HEAD_BYTES], evidence), "answer-truncated", "end"
        ),
    ]


def _documents() -> list[Vector]:
    outside = [
        Vector(slug, f"from a boot {title}", _from(boot), "measurement", "document")
        for slug, (title, boot) in OUTSIDE_POLICY.items()
    ]
    early = _at(MADE_MS - 1)
    return [
        *outside,
        Vector("before", "admitted before its document was made", _from(SOUND, early), "from-the-future", "document"),
        Vector("unbound", "a document that binds another receipt key", _from(UNBOUND), "binding-digest", "binding"),
    ]


def _receipts() -> list[Vector]:
    named, beside = SOUND, Boot(nonce=bytes(32))
    other_document = _kept(response(named, _receipt(beside)), beside.evidence)
    late, stranger = _from(SOUND, _at(NOT_AFTER_MS + 1)), _from(Boot(signer="other"))
    title = "evidence and receipt of a document that the head does not name"
    return [
        Vector("other-document", title, other_document, "receipt-refused", "receipt"),
        Vector("late", "admitted after the ticket's not_after_ms", late, "receipt-refused", "receipt"),
        Vector("stranger", "a receipt that another key signed", stranger, "receipt-signature", "receipt"),
    ]
