"""What must be true of every verdict, whatever the bytes.

Nothing is printed. Rejected, with a typed error; or accepted, and then

1. the accepted payload is, byte for byte, the one that the leaf's key signed;
2. a plain CBOR decoder reads from it what the verified document says;
3. it answers the question: kind, anchor, names, nonce, age, measurements, debug mode, what it binds;
4. the second opinion, an independent stack, accepts it too: unless an extension that rule 25 lets pass unread is one
   that the library cannot read, for it reads them all.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

import cbor2
from cryptography import x509

from attestation.chain import ChainCache
from attestation.documents import AttestationDocument
from attestation.errors import Rejected
from attestation.modes import Archived, Live, Mode, Recent
from attestation.policy import UnsafeAnyMeasurement
from attestation.second_opinion import second_opinion
from attestation.verifier import VerifiedDocument, verify
from tests.attestation.mutation.questions import PINNED, WINDOW, WINDOW_MS, Case, Question

ACCEPTED = "accepted"

_COMMON_NAME = rb"\x06\x03\x55\x04\x03[\x0c\x13](?:[\0-\x7f]|\x81.|\x82..)"  # DER up to the text itself


class Finding(Exception):
    """A verdict that must never be: the message says what is wrong."""


def verdict(case: Case, cache: ChainCache) -> str:
    """``accepted`` or the rejection code. Raises Finding."""
    with warnings.catch_warnings(record=True) as heard:
        judgement = _judgement(case, cache)
    if heard:
        raise Finding(f"expected a verdict that no filter of warnings decides, got the warning {heard[0].message}")
    if isinstance(judgement, Rejected):
        return judgement.code
    check_acceptance(case, judgement)
    return ACCEPTED


def check_acceptance(case: Case, verified: VerifiedDocument) -> None:
    """The four rules above. Raises Finding."""
    document = verified.document
    if document.envelope.payload != case.signed_payload:
        raise Finding("expected the signed payload, got another one accepted")
    plain = _plain(case.data)
    if lies := [name for name, value in _told(document).items() if _exact(plain.get(name)) != _exact(value)]:
        raise Finding(f"expected what a plain decoder reads, got another {', '.join(lies)}")
    _check_answer(case.question, plain)
    if not _extensions_are_readable(document):
        return
    try:
        second_opinion(case.data, verified)
    except Rejected as rejected:
        raise Finding(f"expected a second opinion that agrees, got: {rejected}") from rejected


def _judgement(case: Case, cache: ChainCache) -> VerifiedDocument | Rejected:
    question = case.question
    try:
        return verify(
            case.data,
            policy=question.policy,
            mode=question.mode,
            anchor=question.anchor,
            allow_simulated=question.allow_simulated,
            allow_debug=question.allow_debug,
            kind=question.kind,
            expect_public_key=question.expect_public_key,
            expect_user_data=question.expect_user_data,
            cache=cache,
        )
    except Rejected as rejected:
        return rejected
    except Exception as error:
        raise Finding(f"expected a verdict, got {error!r}") from error


def _extensions_are_readable(document: AttestationDocument) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):
            for der in (*document.cabundle, document.certificate):
                _ = x509.load_der_x509_certificate(der).extensions
    except x509.DuplicateExtension:
        return True  # which the second opinion refuses
    except ValueError:
        return False
    return True


def _plain(data: bytes) -> dict[str, Any]:
    """The payload by a decoder that is neither strict nor ours."""
    outer = cbor2.loads(data)
    payload: dict[str, Any] = cbor2.loads((outer.value if isinstance(outer, cbor2.CBORTag) else outer)[2])
    return payload


def _told(document: AttestationDocument) -> dict[str, object]:
    pcrs = "pcrs" if document.kind == "enclave" else "nitrotpm_pcrs"
    return {
        "module_id": document.module_id,
        "digest": document.digest,
        "timestamp": document.timestamp_ms,
        pcrs: dict(document.pcrs),
        "certificate": document.certificate,
        "cabundle": list(document.cabundle),
        "public_key": document.public_key,
        "user_data": document.user_data,
        "nonce": document.nonce,
    }


def _exact(value: object) -> object:
    """``value`` with its types, so that True and 1 differ."""
    if isinstance(value, dict):
        return {(type(key), key): _exact(inner) for key, inner in value.items()}
    return type(value), value


def _check_answer(question: Question, plain: dict[str, Any]) -> None:
    """Every demand of the question, judged here by the plain reading alone."""
    mode, pcrs = question.mode, plain.get("pcrs", {})
    module_id = plain["module_id"]
    instance_id, _, _ = module_id.rpartition("-")
    any_measurement = isinstance(question.policy, UnsafeAnyMeasurement)
    holds = {
        "kind": ("pcrs" in plain) == (question.kind == "enclave"),
        "anchor": question.allow_simulated or not question.anchor.simulated,
        "nonce": not isinstance(mode, Live) or plain.get("nonce") == mode.nonce,
        "age": isinstance(mode, Archived) or _in_age(mode, plain["timestamp"]),
        "measurements": any_measurement or PINNED.items() <= pcrs.items(),
        "window": question.policy is not WINDOW or _instant_ms(mode, plain) in WINDOW_MS,
        "common name": _is_named(plain["certificate"], module_id) and _is_named(plain["cabundle"][-1], instance_id),
        "debug mode": question.allow_debug or "pcrs" not in plain or _is_measured(pcrs),
        "public key": question.expect_public_key in (None, plain.get("public_key")),
        "user data": question.expect_user_data in (None, plain.get("user_data")),
    }
    if wrong := [demand for demand, held in holds.items() if not held]:
        raise Finding(f"expected what was asked for, got another {', '.join(wrong)}")


def _instant_ms(mode: Mode, plain: dict[str, Any]) -> int:
    at_ms: int | None = mode.at_ms
    return plain["timestamp"] if at_ms is None else at_ms


def _is_named(certificate: bytes, identifier: str) -> bool:
    """Some common name in these bytes is ``identifier``, a dot, and more."""
    return re.search(_COMMON_NAME + re.escape(f"{identifier}.".encode()), certificate, re.DOTALL) is not None


def _is_measured(pcrs: dict[int, bytes]) -> bool:
    shown = [pcrs[index] for index in range(3) if index in pcrs]
    return bool(shown) and all(map(any, shown))


def _in_age(mode: Live | Recent, timestamp_ms: int) -> bool:
    return -mode.skew_s * 1000 <= mode.at_ms - timestamp_ms <= mode.max_age_s * 1000
