"""Invariant of ``check_statement_binding``: Rejected, or ``user_data`` is exactly what these keys bind."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from attestation.bindings import check_statement_binding, kms_user_data, statement_user_data
from attestation.documents import AttestationDocument
from attestation.errors import Rejected, RejectionClass
from tests.attestation.mutation import bases
from tests.fuzz.targets import check

_KEYS = bytes(48), b"\x04" + bytes(64)


def seeds() -> list[bytes]:
    return [statement_user_data(*_KEYS), kms_user_data(), b""]


def one_input(data: bytes) -> None:
    try:
        check_statement_binding(replace(_document(), public_key=None, user_data=data), *_KEYS)
    except Rejected as rejected:
        check(rejected.code.rejection_class is RejectionClass.BINDING_MISMATCH, "the class of a binding")
        return
    check(data == statement_user_data(*_KEYS), "the binding of these keys")


@cache
def _document() -> AttestationDocument:
    return AttestationDocument.from_bytes(bases.forged()[0].data)
