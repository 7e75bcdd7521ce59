"""Attestation documents as the Nitro hypervisor encodes them since 2025, built with pycose, within its limits."""

from collections.abc import Mapping

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from pycose.algorithms import Es384
from pycose.headers import Algorithm
from pycose.messages.sign1message import Sign1Message

from enclave.nsm.interface import MAX_RESPONSE_BYTES, NSMErrorCode, NSMRefused, NSMTruncated
from strongroom.simulator.pki import Signer

MAX_USER_DATA_BYTES = 512
MAX_NONCE_BYTES = 512
MAX_PUBLIC_KEY_BYTES = 1024
_COORDINATE_BYTES = 48


def attestation_document(
    signer: Signer,
    module_id: str,
    at_ms: int,
    pcrs: Mapping[int, bytes],
    *,
    public_key: bytes | None,
    user_data: bytes | None,
    nonce: bytes | None,
) -> bytes:
    """An untagged COSE_Sign1 whose payload has AWS's nine keys in AWS's order, null where nothing was given.

    Raises `NSMRefused` for a field that is too large, `NSMTruncated` where the driver would cut the answer at 12 KiB.
    Source: aws-nitro-enclaves-nsm-api, docs/attestation_process.md, and the documents in the wild.
    """
    _check_size(user_data, MAX_USER_DATA_BYTES)
    _check_size(nonce, MAX_NONCE_BYTES)
    _check_size(public_key, MAX_PUBLIC_KEY_BYTES)
    members = {
        "module_id": module_id,
        "digest": "SHA384",
        "timestamp": at_ms,
        "pcrs": dict(pcrs),
        "certificate": signer.certificate,
        "cabundle": list(signer.cabundle),
        "public_key": public_key,
        "user_data": user_data,
        "nonce": nonce,
    }
    document = signed(_indefinite_map(members), signer.key)
    if len(cbor2.dumps({"Attestation": {"document": document}})) > MAX_RESPONSE_BYTES:
        raise NSMTruncated(f"expected an answer of at most {MAX_RESPONSE_BYTES} bytes, got a longer one")
    return document


def signed(payload: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """`payload` as an untagged COSE_Sign1 under ES384 (RFC 9053: raw r ‖ s, 96 bytes), deterministic (RFC 6979)."""
    message = Sign1Message(phdr={Algorithm: Es384}, payload=payload)
    # pycose would sign with python-ecdsa: its timing leaks the key (Minerva), and it is ten times slower.
    signature = key.sign(message._create_sig_structure(), ec.ECDSA(hashes.SHA384(), deterministic_signing=True))
    message.signature = b"".join(part.to_bytes(_COORDINATE_BYTES) for part in decode_dss_signature(signature))
    return bytes(message.encode(tag=False, sign=False))


def _check_size(field: bytes | None, most: int) -> None:
    if field is not None and len(field) > most:
        raise NSMRefused(NSMErrorCode.INPUT_TOO_LARGE)


def _indefinite_map(members: Mapping[str, object]) -> bytes:
    # cbor2's own switch would make the nested containers indefinite as well; in AWS's only the outermost is.
    return b"\xbf" + b"".join(cbor2.dumps(name) + cbor2.dumps(value) for name, value in members.items()) + b"\xff"
