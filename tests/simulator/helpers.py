"""An enclave's side of the conversation, as the tests need it."""

from pathlib import Path

from asn1crypto import cms
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from enclave.nsm.interface import PCR_BYTES
from strongroom.simulator.nsm import SoftwareNSM, wall_clock_ms
from strongroom.simulator.pki import SimulatedPKI

AT_MS = 1_780_000_000_000
SEED = bytes(range(32))
ROLE_ARN = "arn:aws:iam::000000000000:role/Parent"
INSTANCE_ID = "i-0123456789abcdef0"
MODULE_ID = f"{INSTANCE_ID}-enc0123456789abcdef"
IMAGE = {0: b"\x10" * PCR_BYTES, 1: b"\x11" * PCR_BYTES, 2: b"\x12" * PCR_BYTES}


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, at_ms: int = AT_MS) -> None:
        self.at_ms = at_ms

    def __call__(self) -> int:
        return self.at_ms


def software_nsm(pki: SimulatedPKI | None = None, *, clock: Clock | None = None) -> SoftwareNSM:
    return SoftwareNSM(
        pki or SimulatedPKI(SEED),
        image_pcrs=IMAGE,
        parent_role_arn=ROLE_ARN,
        parent_instance_id=INSTANCE_ID,
        module_id=MODULE_ID,
        clock=clock or Clock(),
    )


def booted_nsm(state_dir: Path, *, image_pcrs: dict[int, bytes] = IMAGE, at_ms: int | None = None) -> SoftwareNSM:
    """An NSM under the PKI of `state_dir` with PCR16 and PCR17 extended and locked, as after a boot."""
    nsm = SoftwareNSM(
        SimulatedPKI.open(state_dir),
        image_pcrs=image_pcrs,
        parent_role_arn=ROLE_ARN,
        parent_instance_id=INSTANCE_ID,
        clock=wall_clock_ms if at_ms is None else Clock(at_ms),
    )
    for index in (16, 17):
        nsm.extend_pcr(index, b"configured")
        nsm.lock_pcr(index)
    return nsm


def spki(key: RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def open_cms(sealed: bytes, key: RSAPrivateKey) -> bytes:
    """Open a CiphertextForRecipient with a parser that is not the product's."""
    enveloped = cms.ContentInfo.load(sealed, strict=True)["content"]
    recipient = enveloped["recipient_infos"][0].chosen
    oaep = OAEP(MGF1(hashes.SHA256()), hashes.SHA256(), label=None)
    content_key = key.decrypt(recipient["encrypted_key"].native, oaep)
    content = enveloped["encrypted_content_info"]
    iv = content["content_encryption_algorithm"]["parameters"].native
    decryptor = Cipher(algorithms.AES256(content_key), modes.CBC(iv)).decryptor()
    padded = decryptor.update(content["encrypted_content"].native) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(padded) + unpadder.finalize()
