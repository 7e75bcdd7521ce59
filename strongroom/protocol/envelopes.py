"""KMS envelopes: requests that need no live enclave to be sealed, and may rest anywhere before they are answered (R8).

The sealer has a data key and its wrapped form from kms:GenerateDataKey under a key entry of the configuration; the
enclave has it unwrapped by KMS. The body is salt ‖ length ‖ wrapped data key ‖ ciphertext, AES-256-GCM under

    key ‖ nonce = HKDF-SHA256(data key, salt, label ‖ SHA-256(context))
    context     = prefixed("POST", path, media type, head, entry, wrapped data key);   AAD = context

The fresh salt lets one data key serve many requests. The entry in the context is what the enclave asks KMS for: data
keys of another key, tenant or purpose open nothing, whatever KMS says (R7).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.protocol import canonical, padding
from strongroom.protocol.canonical_pieces import pieces_of
from strongroom.protocol.constants import (
    DATA_KEY_BYTES,
    LABEL_ENVELOPE,
    LABEL_KEY_ENTRY,
    MAX_REST_MS,
    SALT_BYTES,
)
from strongroom.protocol.errors import Malformed, OpenFailed
from strongroom.protocol.framing import Reader
from strongroom.protocol.messages import MAX_WRAPPED_KEY_BYTES, SealedRequestHead
from strongroom.protocol.payloads import Request
from strongroom.protocol.request_bodies import bound_context, check_size, decode_body
from strongroom.protocol.ways import WayIn

_NONCE_BYTES = 12


def entry_id(arn: str, context: Mapping[str, str]) -> bytes:
    """The key id of a key entry, 32 bytes: `context` is `KeyEntry.fixed_context`, of an entry of purpose `request`."""
    return sha256(LABEL_KEY_ENTRY + _entry(arn, context)).digest()


def seal_envelope(
    request: Request,
    *,
    data_key: bytes,
    wrapped: bytes,
    arn: str,
    context: Mapping[str, str],
    request_id: bytes,
    at_ms: int,
    model: str,
) -> bytes:
    """Seal a request under a data key of the key entry (arn, context); `wrapped` is KMS's CiphertextBlob of it.

    `request_id` is 16 fresh random bytes and `request.secret` 32; the data key may seal many requests. Raises TooLarge,
    and Malformed for a key of another length or a `rest` that is absent or beyond MAX_REST_MS.
    """
    _check_rest(request, at_ms)
    _check_wrapped(len(wrapped))
    head = SealedRequestHead(WayIn.KMS_ENVELOPE, entry_id(arn, context), request_id, at_ms, model).to_bytes()
    salt = secrets.token_bytes(SALT_BYTES)
    bound = bound_context(head, _entry(arn, context), wrapped)
    aead, nonce = _schedule(data_key, salt, bound)
    ciphertext = aead.encrypt(nonce, padding.pad(*pieces_of(request)), bound)
    return check_size(b"".join((head, salt, len(wrapped).to_bytes(2, "big"), wrapped, ciphertext)))


@dataclass(frozen=True)
class EnvelopeRequest:
    """The clear parts of an envelope: what the enclave needs to have its data key unwrapped."""

    head: SealedRequestHead
    salt: bytes
    wrapped: bytes
    """The wrapped data key, 1 to 6,144 bytes; KMS judges it."""
    ciphertext: bytes = field(repr=False)

    def open(self, data_key: bytes, arn: str, context: Mapping[str, str]) -> Request:
        """Open it with the unwrapped data key of the key entry (arn, context); `rest` is present.

        Raises OpenFailed when it was altered or sealed under another data key or entry, Malformed for what was inside.
        Whether `rest.not_after_ms` has passed is for the enclave's clock to say.
        """
        if self.head.key_id != entry_id(arn, context):
            raise OpenFailed
        bound = bound_context(self.head.to_bytes(), _entry(arn, context), self.wrapped)
        aead, nonce = _schedule(data_key, self.salt, bound)
        try:
            plaintext = aead.decrypt(nonce, self.ciphertext, bound)
        except InvalidTag:
            raise OpenFailed from None
        request = decode_body(padding.unpad(plaintext))
        _check_rest(request, self.head.timestamp_ms)
        return request


def read_envelope(message: bytes) -> EnvelopeRequest:
    """Read the clear parts of a sealed request of the way in `KMS_ENVELOPE`.

    Raises TooLarge, Unsupported for an unknown suite, Malformed for any other form or another way in.
    """
    head, size = SealedRequestHead.read(check_size(message))
    if head.suite is not WayIn.KMS_ENVELOPE:
        raise Malformed(f"KMS envelope: expected suite {WayIn.KMS_ENVELOPE}, got {head.suite}")
    reader = Reader(message, "KMS envelope")
    reader.take(size)
    salt, wrapped_bytes = reader.take(SALT_BYTES), reader.integer(2)
    _check_wrapped(wrapped_bytes)
    wrapped = reader.take(wrapped_bytes)
    return EnvelopeRequest(head, salt, wrapped, message[reader.position :])


def _entry(arn: str, context: Mapping[str, str]) -> bytes:
    return canonical.encode([arn, dict(context)])


def _schedule(data_key: bytes, salt: bytes, bound: bytes) -> tuple[AESGCM, bytes]:
    if len(data_key) != DATA_KEY_BYTES:
        raise Malformed(f"data key: expected {DATA_KEY_BYTES} bytes, got {len(data_key)}")
    info = LABEL_ENVELOPE + sha256(bound).digest()
    material = HKDF(SHA256(), DATA_KEY_BYTES + _NONCE_BYTES, salt=salt, info=info).derive(data_key)
    return AESGCM(material[:DATA_KEY_BYTES]), material[DATA_KEY_BYTES:]


def _check_wrapped(size: int) -> None:
    if not 1 <= size <= MAX_WRAPPED_KEY_BYTES:
        raise Malformed(f"KMS envelope: expected a wrapped key of 1..{MAX_WRAPPED_KEY_BYTES} bytes, got {size}")


def _check_rest(request: Request, sealed_at_ms: int) -> None:
    if request.rest is None:
        raise Malformed("request: expected rest in a KMS envelope, got none")
    if not 0 < request.rest.not_after_ms - sealed_at_ms <= MAX_REST_MS:
        raise Malformed("request: expected not_after_ms after the head's timestamp, by 400 days at most")
