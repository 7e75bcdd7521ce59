"""The payload's fields (rules 9 to 19, rows 22 to 39 and 60 of the bad documents); everything here is well signed."""

from __future__ import annotations

import cbor2
import pytest

from attestation.documents import AttestationDocument
from attestation.errors import RejectionCode
from tests.attestation import forge
from tests.attestation.judge import accept, reject

LEFT_OUT: object = ...
LARGE_PCRS = {index: forge.pcr(index) for index in range(33)}


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        *(
            pytest.param(field, value, RejectionCode.MISSING_FIELD, id=f"{field} {label}")
            for field in ("module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle")
            for value, label in ((LEFT_OUT, "missing"), (None, "null"))
        ),
        pytest.param("extra", 1, RejectionCode.UNKNOWN_FIELD, id="unknown field"),
        pytest.param("module_id", "", RejectionCode.MODULE_ID, id="empty module id"),
        pytest.param("module_id", forge.MODULE_ID.encode(), RejectionCode.MODULE_ID, id="module id as bytes"),
        pytest.param("module_id", forge.MODULE_ID + "\n", RejectionCode.MODULE_ID, id="module id, newline"),
        pytest.param("module_id", forge.MODULE_ID.upper(), RejectionCode.MODULE_ID, id="module id, capitals"),
        pytest.param("module_id", "i-0-enc" + "0" * 250, RejectionCode.MODULE_ID, id="module id of 257"),
        pytest.param("module_id", forge.TPM_MODULE_ID, RejectionCode.MODULE_ID, id="TPM's module id"),
        pytest.param("digest", "SHA256", RejectionCode.DIGEST, id="SHA256"),
        pytest.param("digest", "SHA512", RejectionCode.DIGEST, id="SHA512"),
        pytest.param("digest", "sha384", RejectionCode.DIGEST, id="lower case"),
        pytest.param("digest", b"SHA384", RejectionCode.DIGEST, id="digest as bytes"),
        pytest.param("timestamp", 0, RejectionCode.TIMESTAMP, id="timestamp 0"),
        pytest.param("timestamp", -1, RejectionCode.TIMESTAMP, id="timestamp negative"),
        pytest.param("timestamp", True, RejectionCode.TIMESTAMP, id="timestamp true"),
        pytest.param("timestamp", 1 << 63, RejectionCode.TIMESTAMP, id="timestamp 2^63"),
        pytest.param("timestamp", str(forge.NOW_MS), RejectionCode.TIMESTAMP, id="timestamp as text"),
        pytest.param("timestamp", float(forge.NOW_MS), RejectionCode.PAYLOAD_CBOR, id="timestamp as float"),
        pytest.param("timestamp", 1 << 64, RejectionCode.PAYLOAD_CBOR, id="timestamp as bignum"),
        pytest.param("timestamp", cbor2.undefined, RejectionCode.PAYLOAD_CBOR, id="undefined"),
        pytest.param("nonce", cbor2.CBORTag(24, forge.NONCE), RejectionCode.PAYLOAD_CBOR, id="tagged nonce"),
        pytest.param("nitrotpm_pcrs", forge.PCRS, RejectionCode.BOTH_KINDS, id="both kinds of PCRs"),
        pytest.param("nitrotpm_pcrs", None, RejectionCode.BOTH_KINDS, id="both kinds, one null"),
        pytest.param("pcrs", {}, RejectionCode.PCRS, id="no PCRs"),
        pytest.param("pcrs", [], RejectionCode.PCRS, id="PCRs as array"),
        pytest.param("pcrs", LARGE_PCRS, RejectionCode.PCRS, id="33 PCRs"),
        pytest.param("pcrs", {32: forge.pcr(0)}, RejectionCode.PCRS, id="PCR32"),
        pytest.param("pcrs", {-1: forge.pcr(0)}, RejectionCode.PCRS, id="PCR-1"),
        pytest.param("pcrs", {"0": forge.pcr(0)}, RejectionCode.PCRS, id="PCR index as text"),
        pytest.param("pcrs", {True: forge.pcr(0)}, RejectionCode.PCRS, id="PCR index true"),
        *(
            pytest.param("pcrs", {0: bytes([1]) * n}, RejectionCode.PCRS, id=f"PCR of {n} bytes")
            for n in (0, 32, 47, 49, 64)
        ),
        pytest.param("pcrs", {0: "a" * 48}, RejectionCode.PCRS, id="PCR as text"),
        pytest.param("certificate", b"", RejectionCode.CERTIFICATE, id="empty certificate"),
        pytest.param("certificate", bytes(1025), RejectionCode.CERTIFICATE, id="large certificate"),
        pytest.param("certificate", "text", RejectionCode.CERTIFICATE, id="certificate as text"),
        pytest.param("cabundle", [], RejectionCode.CABUNDLE, id="empty bundle"),
        pytest.param("cabundle", {}, RejectionCode.CABUNDLE, id="bundle as map"),
        pytest.param("cabundle", b"x", RejectionCode.CABUNDLE, id="bundle as bytes"),
        pytest.param("cabundle", [b""], RejectionCode.CABUNDLE, id="empty entry"),
        pytest.param("cabundle", [bytes(1025)], RejectionCode.CABUNDLE, id="large entry"),
        pytest.param("cabundle", [b"x"] * 9, RejectionCode.CABUNDLE, id="9 entries"),
        *(
            pytest.param(field, value, RejectionCode.OPTIONAL_FIELD, id=f"{field} {label}")
            for field in ("public_key", "user_data", "nonce")
            for value, label in ((bytes(1025), "of 1025"), ("text", "as text"), (1, "as integer"))
        ),
    ],
)
def test_refuses_field(field: str, value: object, code: RejectionCode) -> None:
    reject(code, forge.document(**{field: value}))


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        pytest.param(cbor2.dumps([1]), RejectionCode.PAYLOAD_NOT_A_MAP, id="array"),
        pytest.param(cbor2.dumps("text"), RejectionCode.PAYLOAD_NOT_A_MAP, id="text"),
        pytest.param(cbor2.dumps(forge.fields()) + b"\0", RejectionCode.PAYLOAD_TRAILING_BYTES, id="trailing"),
        pytest.param(forge.indefinite(forge.fields()) + b"\0", RejectionCode.PAYLOAD_TRAILING_BYTES, id="after break"),
        pytest.param(forge.indefinite(forge.fields())[:-1], RejectionCode.PAYLOAD_CBOR, id="no break"),
        *(
            pytest.param(
                forge.indefinite(forge.fields())[:-1] + cbor2.dumps(field) + cbor2.dumps(value) + b"\xff",
                RejectionCode.DUPLICATE_KEY,
                id=f"{field} twice",
            )
            for field, value in forge.fields().items()
        ),
    ],
)
def test_refuses_payload(payload: bytes, code: RejectionCode) -> None:
    reject(code, forge.envelope(payload))


@pytest.mark.parametrize(
    ("again", "code"), [(b"\x00", RejectionCode.DUPLICATE_KEY), (b"\x18\x00", RejectionCode.PAYLOAD_CBOR)]
)
def test_refuses_a_pcr_twice(again: bytes, code: RejectionCode) -> None:
    pcrs = b"\xa2\x00" + cbor2.dumps(forge.pcr(0)) + again + cbor2.dumps(forge.pcr(1))
    others = forge.indefinite(forge.fields(pcrs=...))[:-1]
    reject(code, forge.envelope(others + cbor2.dumps("pcrs") + pcrs + b"\xff"))


def test_refuses_the_other_kind() -> None:
    chain = forge.pki(forge.TPM_MODULE_ID)
    pcrs = {index: forge.pcr(index) for index in range(24)}
    tpm = forge.document(chain, module_id=forge.TPM_MODULE_ID, pcrs=..., nitrotpm_pcrs=pcrs)
    reject(RejectionCode.WRONG_KIND, tpm, chain=chain)
    reject(RejectionCode.WRONG_KIND, forge.document(), kind="nitrotpm")
    reject(RejectionCode.WRONG_KIND, forge.document(), kind="anything")
    assert accept(tpm, chain=chain, kind="nitrotpm").document.kind == "nitrotpm"


def test_refuses_a_tpm_pcr_beyond_23() -> None:
    document = forge.document(module_id=forge.TPM_MODULE_ID, pcrs=..., nitrotpm_pcrs={24: forge.pcr(24)})
    reject(RejectionCode.PCRS, document, kind="nitrotpm")


def test_accepts_definite_and_indefinite_maps() -> None:
    payload = forge.indefinite(forge.fields())
    assert accept(forge.envelope(payload)).document.pcrs == accept(forge.document()).document.pcrs


@pytest.mark.parametrize("field", ["public_key", "user_data", "nonce"])
@pytest.mark.parametrize(
    ("value", "expected"), [(None, None), (LEFT_OUT, None), (b"", b""), (bytes(1024), bytes(1024))]
)
def test_accepts_optional(field: str, value: object, expected: bytes | None) -> None:
    verified = accept(forge.document(**{field: value}))
    assert getattr(verified.document, field) == expected


@pytest.mark.parametrize("count", [3, 16, 17, 24, 32])
def test_accepts_this_many_pcrs(count: int) -> None:
    pcrs = {index: forge.pcr(index) for index in range(count)}
    assert accept(forge.document(pcrs=pcrs)).document.pcrs == pcrs


def test_reads_every_field() -> None:
    document = AttestationDocument.from_bytes(forge.document(public_key=b"k", user_data=b"u"))
    assert (document.module_id, document.instance_id) == (forge.MODULE_ID, forge.INSTANCE_ID)
    assert (document.digest, document.timestamp_ms, document.kind) == ("SHA384", forge.NOW_MS, "enclave")
    assert (document.public_key, document.user_data, document.nonce) == (b"k", b"u", forge.NONCE)
    assert (*document.cabundle, document.certificate) == forge.pki().certificates
    with pytest.raises(TypeError):
        document.pcrs[0] = b""  # type: ignore[index]  # must fail
