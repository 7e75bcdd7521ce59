"""Documents as AWS Nitro makes them, sound unless told otherwise: payload, signature, envelope (RFC 9052)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.hashes import SHA384, HashAlgorithm

from tests.attestation.vectors import cbor
from tests.attestation.vectors.chains import MADE, MODULE_ID, SOUND, TPM_MODULE_ID, Chain, chain_for, issue
from tests.attestation.vectors.keys import Key, derived

MADE_MS = int(MADE.timestamp()) * 1000
ES384 = bytes.fromhex("a1013822")  # {1: -35}
NONCE = derived("a nonce", 32)
PUBLIC_KEY = derived("a public key", 294)
USER_DATA = derived("user data", 64)


def pcr(index: int, release: str = "N") -> bytes:
    """A measured value."""
    return derived(f"PCR{index} of release {release}", 48)


ROLE = "arn:aws:iam::111122223333:role/strongroom-vectors"
ROLE_PCR3 = hashlib.sha384(bytes(48) + ROLE.encode()).digest()
PCRS: dict[object, object] = {
    **dict.fromkeys(range(16), bytes(48)),
    0: pcr(0),
    1: pcr(1),
    2: pcr(2),
    3: ROLE_PCR3,
    4: pcr(4),
}
TPM_PCRS: dict[object, object] = {index: pcr(index, "of the TPM") for index in range(24)}
LEFT_OUT = object()

Fields = dict[str, object]


def fields(chain: Chain = SOUND, /, **changes: object) -> Fields:
    """The nine fields in the order of genuine ones, with ``changes``; LEFT_OUT leaves one out."""
    *bundle, leaf = issue(chain).certificates
    sound: Fields = {
        "module_id": MODULE_ID,
        "digest": "SHA384",
        "timestamp": MADE_MS,
        "pcrs": PCRS,
        "certificate": leaf,
        "cabundle": list(bundle),
        "public_key": None,
        "user_data": None,
        "nonce": None,
    }
    return {key: value for key, value in (sound | changes).items() if value is not LEFT_OUT}


@dataclass(frozen=True)
class Envelope:
    """The parts of a COSE_Sign1 as they stand in the bytes, each an encoded item."""

    payload: bytes
    signature: bytes
    protected: bytes = cbor.encode(ES384)
    unprotected: bytes = cbor.EMPTY_MAP
    start: bytes = b"\x84"
    end: bytes = b""

    def to_bytes(self) -> bytes:
        """The document."""
        return b"".join((self.start, self.protected, self.unprotected, self.payload, self.signature, self.end))

    def but(self, **parts: bytes) -> bytes:
        """The document with other parts."""
        return replace(self, **parts).to_bytes()


def signature(
    payload: bytes,
    key: Key,
    *,
    protected: bytes = ES384,
    context: str = "Signature1",
    external: bytes = b"",
    algorithm: type[HashAlgorithm] = SHA384,
) -> tuple[int, int]:
    """r and s over the Sig_structure (RFC 9052 section 4.4)."""
    return key.sign(cbor.encode([context, protected, external, payload]), algorithm)


def raw(r: int, s: int, width: int = 48) -> bytes:
    """Two numbers of ``width`` bytes each."""
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")


def sealed(payload: bytes, signed: tuple[int, int]) -> Envelope:
    """The sound envelope around ``payload`` and the signature's two numbers."""
    return Envelope(cbor.encode(payload), cbor.encode(raw(*signed)))


def of_payload(payload: bytes, chain: Chain = SOUND) -> bytes:
    """A document that the leaf of ``chain`` signed, whatever the payload is."""
    return sealed(payload, signature(payload, issue(chain).key)).to_bytes()


def of_pairs(pairs: Iterable[tuple[object, object]], chain: Chain = SOUND) -> bytes:
    """A signed document whose payload is an indefinite map of these pairs."""
    return of_payload(cbor.indefinite_map(pairs), chain)


def document(chain: Chain = SOUND, /, **changes: object) -> bytes:
    """A signed document under ``chain``, sound but for ``changes`` of its fields."""
    return of_pairs(fields(chain, **changes).items(), chain)


def sound() -> Envelope:
    """The document that most cases depart from, in its parts."""
    payload = cbor.indefinite_map(fields().items())
    return sealed(payload, signature(payload, issue(SOUND).key))


_OF_TPM = chain_for(TPM_MODULE_ID)


def tpm_document(chain: Chain = _OF_TPM, /, **changes: object) -> bytes:
    """A NitroTPM's document: 24 PCRs under another name."""
    of_tpm = {"module_id": TPM_MODULE_ID, "pcrs": TPM_PCRS} | changes
    pairs = fields(chain, **of_tpm).items()
    return of_pairs((("nitrotpm_pcrs" if key == "pcrs" else key, value) for key, value in pairs), chain)
