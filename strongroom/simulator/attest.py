"""An attestation document on demand, without an enclave: for trying out key policies, KMS calls and verifiers."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha384

from attestation.measurements import parent_instance_pcr4, parent_role_pcr3
from enclave.nsm.interface import PCR_BYTES, PCR_COUNT
from strongroom.simulator.document import (
    MAX_NONCE_BYTES,
    MAX_PUBLIC_KEY_BYTES,
    MAX_USER_DATA_BYTES,
    attestation_document,
)
from strongroom.simulator.pki import SimulatedPKI
from strongroom.simulator.public_keys import load_public_key

SAMPLE_ROLE = "arn:aws:iam::000000000000:role/strongroom-parent"
SAMPLE_INSTANCE = "i-0123456789abcdef0"
SAMPLE_MODULE = f"{SAMPLE_INSTANCE}-enc0123456789abcdef"
SAMPLE_IMAGE = {index: sha384(b"strongroom simulator sample PCR%d" % index).digest() for index in range(3)}
"""PCR0 to PCR2 where nobody gives any: fixed, and no image's."""

_LOCKED_AT_BOOT = range(16)


class AttestRefused(ValueError):
    """What was asked for cannot be in a document of a real module."""

    code = "attest"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class AttestRequest:
    """What the document shall say; `pcrs` (index → 48 bytes) replace the samples, from 16 on they add to them."""

    public_key: bytes
    nonce: bytes | None
    user_data: bytes | None
    pcrs: Mapping[int, bytes]

    def __post_init__(self) -> None:
        _check_public_key(self.public_key)
        _check_size("public key", self.public_key, MAX_PUBLIC_KEY_BYTES)
        _check_size("nonce", self.nonce, MAX_NONCE_BYTES)
        _check_size("user data", self.user_data, MAX_USER_DATA_BYTES)
        for index, value in self.pcrs.items():
            if not 0 <= index < PCR_COUNT or len(value) != PCR_BYTES:
                raise AttestRefused(
                    f"PCR{index}: expected an index below {PCR_COUNT} and {PCR_BYTES} bytes, got {len(value)} bytes"
                )

    def all_pcrs(self) -> dict[int, bytes]:
        """PCR0 to PCR15, as a module locks them at boot, and those from 16 on that were given."""
        at_boot = dict.fromkeys(_LOCKED_AT_BOOT, bytes(PCR_BYTES))
        host = {3: parent_role_pcr3(SAMPLE_ROLE), 4: parent_instance_pcr4(SAMPLE_INSTANCE)}
        return dict(sorted({**at_boot, **SAMPLE_IMAGE, **host, **self.pcrs}.items()))


def attest(pki: SimulatedPKI, request: AttestRequest, *, at_ms: int) -> bytes:
    """A document that says `request`, of a module that booted at `at_ms`, under the root of `pki`."""
    return attestation_document(
        pki.signer(SAMPLE_MODULE, at_ms=at_ms),
        SAMPLE_MODULE,
        at_ms,
        request.all_pcrs(),
        public_key=request.public_key,
        user_data=request.user_data,
        nonce=request.nonce,
    )


def _check_size(name: str, field: bytes | None, most: int) -> None:
    if field is not None and len(field) > most:
        raise AttestRefused(f"{name}: expected at most {most} bytes, got {len(field)}")


def _check_public_key(der: bytes) -> None:
    try:
        load_public_key(der)
    except ValueError as error:
        advice = "openssl pkey -in KEY.pem -pubout -outform DER -out FILE makes one"
        raise AttestRefused(
            f"public key: expected a SubjectPublicKeyInfo in DER, got something else; {advice}"
        ) from error
