"""A second opinion: what the verifier accepted is verified again, from the raw bytes, by an independent stack.

- signature: pycose, whose ECDSA is the pure-Python ``ecdsa`` package;
- chain: pyca's own path validation (``attestation.path_validation``);
- content: a plain cbor2 decode says the same, field by field.

Independent are the COSE reading, the ECDSA of the document and all rules about paths. Shared are cbor2, pyca's parser
of certificates and its ECDSA for them: a defect there would mislead both. What is strictness of our own, or the
caller's policy (rules 1 to 7, 9 to 19, the algorithms of 22, 28 to 32), is not judged again. pyca reads every
extension, also those that rule 25 lets pass unread.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from attestation.errors import Disagreement
from attestation.path_validation import validate_path
from attestation.verifier import VerifiedDocument

_COSE_SIGN1 = 18
_P384_BYTES = 48
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def second_opinion(data: bytes, verified: VerifiedDocument) -> None:
    """``data``, the bytes that were verified, hold by the second stack as well, and say what ``verified`` says.

    The chain is validated at the document's timestamp and at the instant judged. A clock that the mode forgave for
    being slow is set to the first instant of the chain: no other path validation knows forgiveness. Raises Disagreement
    for whatever the second stack raises, and ModuleNotFoundError without pycose. Not for several threads at a time: it
    silences warnings of the libraries meanwhile, which Python does for the whole process.
    """
    with warnings.catch_warnings(action="ignore"):
        with _refusal_of("content"):
            reading = _Reading.from_bytes(data)
        with _refusal_of("signature"):
            _check_signature(reading)
        with _refusal_of("chain"):
            for instant in {_instant(reading.payload["timestamp"]), _instant_judged(reading, verified)}:
                validate_path(reading.leaf, reading.authorities, verified.anchor.der, instant)
        with _refusal_of("content"):
            _check_content(reading, verified)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The document as read by libraries alone; of no declared type, since nothing here has been checked."""

    envelope: list[Any]
    payload: dict[str, Any]
    leaf: x509.Certificate
    authorities: list[x509.Certificate]

    @classmethod
    def from_bytes(cls, data: bytes) -> _Reading:
        decoded = cbor2.loads(data)
        if isinstance(decoded, cbor2.CBORTag):
            if decoded.tag != _COSE_SIGN1:
                raise ValueError("another tag")
            decoded = decoded.value
        protected, unprotected, signed, signature = decoded
        envelope = [protected, dict(unprotected), signed, signature]  # below a tag, cbor2 makes maps immutable
        payload = dict(cbor2.loads(signed))
        authorities = [x509.load_der_x509_certificate(der) for der in payload["cabundle"]]
        return cls(envelope, payload, x509.load_der_x509_certificate(payload["certificate"]), authorities)


@contextmanager
def _refusal_of(half: str) -> Iterator[None]:
    """Any exception is a refusal; its text is dropped, since it can quote the document."""
    try:
        yield
    except (Disagreement, ModuleNotFoundError):
        raise
    except Exception:
        raise Disagreement(f"a {half} that the second verifier refuses") from None


def _check_signature(reading: _Reading) -> None:
    from pycose.algorithms import Es384
    from pycose.headers import Algorithm
    from pycose.keys.curves import P384
    from pycose.keys.ec2 import EC2Key
    from pycose.messages.sign1message import Sign1Message

    key = reading.leaf.public_key()
    if not isinstance(key, EllipticCurvePublicKey):
        raise TypeError("no elliptic curve")
    point = key.public_numbers()
    message = Sign1Message.from_cose_obj(list(reading.envelope), allow_unknown_attributes=False)
    message.key = EC2Key(crv=P384, x=point.x.to_bytes(_P384_BYTES, "big"), y=point.y.to_bytes(_P384_BYTES, "big"))
    if message.phdr.get(Algorithm) is not Es384 or message.verify_signature() is not True:
        raise ValueError("no ES384 signature")


def _instant(at_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at_ms)


def _instant_judged(reading: _Reading, verified: VerifiedDocument) -> datetime:
    instant = _instant(verified.mode.instant_ms(verified.document))
    start = max(each.not_valid_before_utc for each in (reading.leaf, *reading.authorities))
    return start if instant < start <= instant + timedelta(seconds=verified.mode.skew_s) else instant


def _check_content(reading: _Reading, verified: VerifiedDocument) -> None:
    payload, document = reading.payload, verified.document
    pcrs = {"enclave": "pcrs", "nitrotpm": "nitrotpm_pcrs"}[document.kind]
    pairs = {
        "module_id": (payload["module_id"], document.module_id),
        "digest": (payload["digest"], document.digest),
        "timestamp": (payload["timestamp"], document.timestamp_ms),
        pcrs: (payload[pcrs], dict(document.pcrs)),
        "certificate": (payload["certificate"], document.certificate),
        "cabundle": (tuple(payload["cabundle"]), document.cabundle),
        "public_key": (payload.get("public_key"), document.public_key),
        "user_data": (payload.get("user_data"), document.user_data),
        "nonce": (payload.get("nonce"), document.nonce),
        "payload": (reading.envelope[2], document.envelope.payload),
    }
    if different := [name for name, (theirs, ours) in pairs.items() if theirs != ours]:
        raise Disagreement(f"a content that differs in {', '.join(different)}")
