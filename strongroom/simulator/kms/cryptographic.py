"""The operations that touch plaintext or its ciphertext, with `Recipient` where AWS has it."""

import os
from collections.abc import Callable

from moto.kms.models import Key

from strongroom.simulator.kms import blob as blobs
from strongroom.simulator.kms.authorization import authorize
from strongroom.simulator.kms.backend import Backend
from strongroom.simulator.kms.errors import KMSError, validation
from strongroom.simulator.kms.request import Answer, Request
from strongroom.simulator.kms.steps import (
    SYMMETRIC,
    base64,
    check_dry_run,
    check_usable,
    disclosed,
    key_for_sealing,
    sealed,
)

MAX_PLAINTEXT_BYTES = 4096
MAX_RANDOM_BYTES = 1024
_KEY_SPEC_BYTES = {"AES_128": 16, "AES_256": 32}


def decrypt(backend: Backend, request: Request) -> Answer:
    """API_Decrypt."""
    _check_algorithm(request, "EncryptionAlgorithm")
    context = request.encryption_context()
    blob = request.octets("CiphertextBlob", most=blobs.MAX_BLOB_BYTES)
    key = _key_of_blob(backend, blob)
    _check_expected_key(backend, request.optional_text("KeyId"), key)
    authorize(request, key, context=context)
    check_usable(key, spec=SYMMETRIC)
    plaintext = blobs.open_(blob, material=key.key_material, context=context)
    check_dry_run(request)
    return {"KeyId": key.arn, "EncryptionAlgorithm": SYMMETRIC, **disclosed(request, plaintext)}


def encrypt(backend: Backend, request: Request) -> Answer:
    """API_Encrypt."""
    _check_algorithm(request, "EncryptionAlgorithm")
    plaintext = request.octets("Plaintext", most=MAX_PLAINTEXT_BYTES)
    key = key_for_sealing(backend, request)
    check_dry_run(request)
    return {"KeyId": key.arn, "EncryptionAlgorithm": SYMMETRIC, "CiphertextBlob": sealed(key, plaintext, request)}


def generate_data_key(backend: Backend, request: Request) -> Answer:
    """API_GenerateDataKey."""
    length = _data_key_bytes(request)
    key = key_for_sealing(backend, request)
    check_dry_run(request)
    plaintext = os.urandom(length)
    return {
        "KeyId": key.arn,
        "CiphertextBlob": sealed(key, plaintext, request),
        **disclosed(request, plaintext),
    }


def generate_data_key_without_plaintext(backend: Backend, request: Request) -> Answer:
    """API_GenerateDataKeyWithoutPlaintext."""
    length = _data_key_bytes(request)
    key = key_for_sealing(backend, request)
    check_dry_run(request)
    return {"KeyId": key.arn, "CiphertextBlob": sealed(key, os.urandom(length), request)}


def generate_random(backend: Backend, request: Request) -> Answer:
    """API_GenerateRandom."""
    length = request.integer("NumberOfBytes", most=MAX_RANDOM_BYTES)
    if length is None:
        raise validation("NumberOfBytes is required.")
    return disclosed(request, os.urandom(length))


def re_encrypt(backend: Backend, request: Request) -> Answer:
    """API_ReEncrypt; judged twice, as kms:ReEncryptFrom on the old key and kms:ReEncryptTo on the new one."""
    _check_algorithm(request, "SourceEncryptionAlgorithm")
    _check_algorithm(request, "DestinationEncryptionAlgorithm")
    blob = request.octets("CiphertextBlob", most=blobs.MAX_BLOB_BYTES)
    source, source_context = _key_of_blob(backend, blob), request.encryption_context("SourceEncryptionContext")
    _check_expected_key(backend, request.optional_text("SourceKeyId"), source)
    target = backend.key(request.text("DestinationKeyId"))
    target_context = request.encryption_context("DestinationEncryptionContext")
    authorize(request, source, action="ReEncryptFrom", context=source_context)
    authorize(request, target, action="ReEncryptTo", context=target_context)
    check_usable(source, spec=SYMMETRIC)
    check_usable(target, spec=SYMMETRIC)
    plaintext = blobs.open_(blob, material=source.key_material, context=source_context)
    check_dry_run(request)
    moved = blobs.seal(plaintext, key_arn=target.arn, material=target.key_material, context=target_context)
    algorithms = {"SourceEncryptionAlgorithm": SYMMETRIC, "DestinationEncryptionAlgorithm": SYMMETRIC}
    return {"CiphertextBlob": base64(moved), "SourceKeyId": source.arn, "KeyId": target.arn, **algorithms}


OPERATIONS: dict[str, Callable[[Backend, Request], Answer]] = {
    "Decrypt": decrypt,
    "Encrypt": encrypt,
    "GenerateDataKey": generate_data_key,
    "GenerateDataKeyWithoutPlaintext": generate_data_key_without_plaintext,
    "GenerateRandom": generate_random,
    "ReEncrypt": re_encrypt,
}


def _key_of_blob(backend: Backend, blob: bytes) -> Key:
    arn = blobs.key_arn_of(blob)
    try:
        return backend.key(arn)
    except KMSError as error:
        raise KMSError(
            "AccessDeniedException",
            "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
            "or you are not allowed to access.",
        ) from error


def _check_expected_key(backend: Backend, name: str | None, actual: Key) -> None:
    if name is not None and backend.key(name).id != actual.id:
        raise KMSError(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )


def _check_algorithm(request: Request, name: str) -> None:
    if request.optional_text(name) not in (None, SYMMETRIC):
        raise KMSError("InvalidKeyUsageException", f"{name}: the simulator encrypts with {SYMMETRIC} only.")


def _data_key_bytes(request: Request) -> int:
    length = request.integer("NumberOfBytes", most=MAX_RANDOM_BYTES)
    spec = request.optional_text("KeySpec")
    if (length is None) == (spec is None):
        raise validation("Please specify either number of bytes or key spec.")
    if spec is not None and spec not in _KEY_SPEC_BYTES:
        raise validation(f"Value at 'keySpec': expected one of {sorted(_KEY_SPEC_BYTES)}")
    return length or _KEY_SPEC_BYTES[spec or ""]
