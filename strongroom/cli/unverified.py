"""What the bytes of a document say, in JSON's types; nothing is verified, and the first key says so."""

import hashlib
import warnings
from collections.abc import Mapping

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1

from attestation.documents import AttestationDocument
from attestation.errors import Rejected
from attestation.report import document_fields
from strongroom.cli.readable import instant, milliseconds

WARNING = "UNVERIFIED: anybody can write such a document; `strongroom verify` judges it"

_TAG_18 = b"\xd2"
_INDEFINITE_MAP = b"\xbf"
_NAMES = ("subject", "issuer", "not_before", "not_after")


def unverified(data: bytes) -> dict[str, object]:
    """What a document says; of one that does not parse, `code` and its reasons, and null for all the rest.

    `document` is as in the JSON of `strongroom verify`, and its timestamp in words besides. Certificates come in the
    order of the chain, root first and the document's own last; one that cannot be read has its digest alone.
    """
    try:
        document = AttestationDocument.from_bytes(data)
    except Rejected as rejected:
        reasons = {"code": str(rejected.code), "expected": rejected.expected, "actual": rejected.actual}
        return _marked({**reasons, **dict.fromkeys(("kind", "document", "certificates", "envelope"))})
    return _marked(
        {
            **dict.fromkeys(("code", "expected", "actual")),
            "kind": document.kind,
            "document": {**document_fields(document), "time": instant(document.timestamp_ms)},
            "certificates": [_certificate(der) for der in (*document.cabundle, document.certificate)],
            "envelope": _envelope(document, tagged=data.startswith(_TAG_18)),
        }
    )


def _marked(said: Mapping[str, object]) -> dict[str, object]:
    return {"verified": False, "warning": WARNING, **said}


def _certificate(der: bytes) -> dict[str, object]:
    """Names as RFC 4514 writes them, instants in milliseconds; read leniently, for it is to be looked at."""
    try:
        with warnings.catch_warnings(action="ignore"):
            read = x509.load_der_x509_certificate(der)
            subject, issuer = read.subject.rfc4514_string(), read.issuer.rfc4514_string()
            window = milliseconds(read.not_valid_before_utc), milliseconds(read.not_valid_after_utc)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        said = dict.fromkeys(_NAMES)
    else:
        said = dict(zip(_NAMES, (subject, issuer, *window), strict=True))
    return {**said, "sha256": hashlib.sha256(der).hexdigest()}


def _envelope(document: AttestationDocument, tagged: bool) -> dict[str, object]:
    """The forms that genuine documents vary in: the tag, the payload's map, and s in the upper half (malleable)."""
    signature = document.envelope.signature
    s = int.from_bytes(signature[len(signature) // 2 :], "big")
    return {
        "tagged": tagged,
        "payload_map": "indefinite" if document.envelope.payload.startswith(_INDEFINITE_MAP) else "definite",
        "payload_sha384": document.payload_digest.hex(),
        "high_s": s > SECP384R1().group_order // 2,
    }
