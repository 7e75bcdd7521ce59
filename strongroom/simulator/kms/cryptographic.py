"""The operations that touch plaintext or its ciphertext, with `Recipient` where AWS has it."""

import os
from base64 import b64encode
from collections.abc import Callable

from moto.kms.models import Key

from strongroom.simulator.kms import blob as blobs
from strongroom.simulator.kms.authorization import authorize
from strongroom.simulator.kms.backend import Backend
from strongroom.simulator.kms.errors import KMSError, validation
from strongroom.simulator.kms.request import Answer, Request

MAX_PLAINTEXT_BYTES = 4096
MAX_RANDOM_BYTES = 1024
ALGORITHM = "SYMMETRIC_DEFAULT"
RECIPIENT_OPERATIONS = frozenset({"Decrypt", "GenerateDataKey", "GenerateRandom"})
"""KMS has two more, GenerateDataKeyPair and DeriveSharedSecret; this one does not offer them."""

_KEY_SPEC_BYTES = {"AES_128": 16, "AES_256": 32}


def decrypt(backend: Backend, request: Request) -> Answer:
    """API_Decrypt."""
    context = request.encryption_context()
    blob = request.octets("CiphertextBlob", most=blobs.MAX_BLOB_BYTES)
    key = _key_of_blob(backend, blob)
    _check_expected_key(backend, request.optional_text("KeyId"), key)
    authorize(request, key, context=context)
    check_usable(key, ALGORITHM)
    plaintext = blobs.open_(blob, material=key.key_material, context=context)
    _check_dry_run(request)
    return {"KeyId": key.arn, "EncryptionAlgorithm": ALGORITHM, **_disclosed(request, plaintext)}


def encrypt(backend: Backend, request: Request) -> Answer:
    """API_Encrypt."""
    plaintext = request.octets("Plaintext", most=MAX_PLAINTEXT_BYTES)
    key = _key_for_sealing(backend, request)
    _check_dry_run(request)
    return {"KeyId": key.arn, "EncryptionAlgorithm": ALGORITHM, "CiphertextBlob": _sealed(key, plaintext, request)}


def generate_data_key(backend: Backend, request: Request) -> Answer:
    """API_GenerateDataKey."""
    length = _data_key_bytes(request)
    key = _key_for_sealing(backend, request)
    _check_dry_run(request)
    plaintext = os.urandom(length)
    return {
        "KeyId": key.arn,
        "CiphertextBlob": _sealed(key, plaintext, request),
        **_disclosed(request, plaintext),
    }


def generate_data_key_without_plaintext(backend: Backend, request: Request) -> Answer:
    """API_GenerateDataKeyWithoutPlaintext."""
    length = _data_key_bytes(request)
    key = _key_for_sealing(backend, request)
    _check_dry_run(request)
    return {"KeyId": key.arn, "CiphertextBlob": _sealed(key, os.urandom(length), request)}


def generate_random(backend: Backend, request: Request) -> Answer:
    """API_GenerateRandom."""
    length = request.integer("NumberOfBytes", most=MAX_RANDOM_BYTES)
    if length is None:
        raise validation("NumberOfBytes is required.")
    return _disclosed(request, os.urandom(length))


def re_encrypt(backend: Backend, request: Request) -> Answer:
    """API_ReEncrypt; judged twice, as kms:ReEncryptFrom on the old key and kms:ReEncryptTo on the new one."""
    blob = request.octets("CiphertextBlob", most=blobs.MAX_BLOB_BYTES)
    source, source_context = _key_of_blob(backend, blob), request.encryption_context("SourceEncryptionContext")
    _check_expected_key(backend, request.optional_text("SourceKeyId"), source)
    target = backend.key(request.text("DestinationKeyId"))
    target_context = request.encryption_context("DestinationEncryptionContext")
    authorize(request, source, action="ReEncryptFrom", context=source_context)
    authorize(request, target, action="ReEncryptTo", context=target_context)
    check_usable(source, ALGORITHM)
    check_usable(target, ALGORITHM)
    plaintext = blobs.open_(blob, material=source.key_material, context=source_context)
    _check_dry_run(request)
    sealed = blobs.seal(plaintext, key_id=target.id, material=target.key_material, context=target_context)
    return {"CiphertextBlob": _base64(sealed), "SourceKeyId": source.arn, "KeyId": target.arn}


OPERATIONS: dict[str, Callable[[Backend, Request], Answer]] = {
    "Decrypt": decrypt,
    "Encrypt": encrypt,
    "GenerateDataKey": generate_data_key,
    "GenerateDataKeyWithoutPlaintext": generate_data_key_without_plaintext,
    "GenerateRandom": generate_random,
    "ReEncrypt": re_encrypt,
}


def check_usable(key: Key, key_spec: str | None = None) -> None:
    """Refuse a key that is disabled, waits for deletion, or has another spec than `key_spec`. Raises `KMSError`."""
    if key.key_state == "Disabled":
        raise KMSError("DisabledException", f"{key.arn} is disabled.")
    if key.key_state != "Enabled":
        raise KMSError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    if key_spec is not None and key.key_spec != key_spec:
        raise KMSError("InvalidKeyUsageException", f"{key.arn} key usage or spec is not valid for this operation.")


def _key_for_sealing(backend: Backend, request: Request) -> Key:
    key = backend.key(request.text("KeyId"))
    authorize(request, key, context=request.encryption_context())
    check_usable(key, ALGORITHM)
    return key


def _key_of_blob(backend: Backend, blob: bytes) -> Key:
    key = backend.key_by_id(blobs.key_id_of(blob))
    if key is None:
        raise KMSError(
            "AccessDeniedException",
            "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
            "or you are not allowed to access.",
        )
    return key


def _check_expected_key(backend: Backend, name: str | None, actual: Key) -> None:
    if name is not None and backend.key(name).id != actual.id:
        raise KMSError(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )


def _check_dry_run(request: Request) -> None:
    if request.flag("DryRun"):
        raise KMSError("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


def _data_key_bytes(request: Request) -> int:
    length = request.integer("NumberOfBytes", most=MAX_RANDOM_BYTES)
    spec = request.optional_text("KeySpec")
    if (length is None) == (spec is None):
        raise validation("Please specify either number of bytes or key spec.")
    if spec is not None and spec not in _KEY_SPEC_BYTES:
        raise validation(f"Value at 'keySpec': expected one of {sorted(_KEY_SPEC_BYTES)}")
    return length or _KEY_SPEC_BYTES[spec or ""]


def _sealed(key: Key, plaintext: bytes, request: Request) -> str:
    context = request.encryption_context()
    return _base64(blobs.seal(plaintext, key_id=key.id, material=key.key_material, context=context))


def _disclosed(request: Request, plaintext: bytes) -> Answer:
    if request.recipient is not None:
        return {"CiphertextForRecipient": request.recipient.seal(plaintext)}
    return {"Plaintext": _base64(plaintext)}


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode()
