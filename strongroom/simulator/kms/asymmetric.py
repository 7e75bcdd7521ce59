"""The operations that make or use key pairs, with `Recipient`: GenerateDataKeyPair and DeriveSharedSecret."""

from collections.abc import Callable
from functools import partial

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from strongroom.simulator.kms.authorization import authorize
from strongroom.simulator.kms.backend import Backend
from strongroom.simulator.kms.errors import KMSError, validation
from strongroom.simulator.kms.request import Answer, Request
from strongroom.simulator.kms.steps import base64, check_dry_run, check_usable, disclosed, key_for_sealing, sealed
from strongroom.simulator.public_keys import load_public_key

MAX_PUBLIC_KEY_BYTES = 8192

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_KEY_PAIRS: dict[str, Callable[[], PrivateKey]] = {
    "RSA_2048": partial(rsa.generate_private_key, 65537, 2048),
    "RSA_3072": partial(rsa.generate_private_key, 65537, 3072),
    "RSA_4096": partial(rsa.generate_private_key, 65537, 4096),
    "ECC_NIST_P256": partial(ec.generate_private_key, ec.SECP256R1()),
    "ECC_NIST_P384": partial(ec.generate_private_key, ec.SECP384R1()),
    "ECC_NIST_P521": partial(ec.generate_private_key, ec.SECP521R1()),
    "ECC_SECG_P256K1": partial(ec.generate_private_key, ec.SECP256K1()),
    "ECC_NIST_EDWARDS25519": ed25519.Ed25519PrivateKey.generate,
}


def generate_data_key_pair(backend: Backend, request: Request) -> Answer:
    """API_GenerateDataKeyPair: the private key as PKCS #8, the public key as SubjectPublicKeyInfo, both DER."""
    pair, private_key = _new_pair(backend, request)
    return pair | disclosed(request, private_key, member="PrivateKeyPlaintext")


def generate_data_key_pair_without_plaintext(backend: Backend, request: Request) -> Answer:
    """API_GenerateDataKeyPairWithoutPlaintext."""
    return _new_pair(backend, request)[0]


def derive_shared_secret(backend: Backend, request: Request) -> Answer:
    """API_DeriveSharedSecret: ECDH between a KMS key for key agreement and somebody's public key (SPKI DER)."""
    if request.text("KeyAgreementAlgorithm") != "ECDH":
        raise validation("Value at 'keyAgreementAlgorithm': expected ECDH")
    peer = _public_key(request.octets("PublicKey", most=MAX_PUBLIC_KEY_BYTES))
    key = backend.key(request.text("KeyId"))
    authorize(request, key)
    check_usable(key, usage="KEY_AGREEMENT")
    private_key = getattr(key.private_key, "private_key", None)
    if not isinstance(private_key, ec.EllipticCurvePrivateKey) or private_key.curve.name != peer.curve.name:
        raise validation(f"Value at 'publicKey': expected a key on the curve of {key.key_spec}")
    check_dry_run(request)
    secret = private_key.exchange(ec.ECDH(), peer)
    known = {"KeyId": key.arn, "KeyAgreementAlgorithm": "ECDH", "KeyOrigin": key.origin}
    return known | disclosed(request, secret, member="SharedSecret")


OPERATIONS: dict[str, Callable[[Backend, Request], Answer]] = {
    "DeriveSharedSecret": derive_shared_secret,
    "GenerateDataKeyPair": generate_data_key_pair,
    "GenerateDataKeyPairWithoutPlaintext": generate_data_key_pair_without_plaintext,
}


def _new_pair(backend: Backend, request: Request) -> tuple[Answer, bytes]:
    spec = request.text("KeyPairSpec")
    if spec not in _KEY_PAIRS:
        raise KMSError("UnsupportedOperationException", f"KeyPairSpec: the simulator makes {sorted(_KEY_PAIRS)}")
    key = key_for_sealing(backend, request)
    check_dry_run(request)
    made = _KEY_PAIRS[spec]()
    private_key = made.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public_key = made.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    answer: Answer = {
        "KeyId": key.arn,
        "KeyPairSpec": spec,
        "PublicKey": base64(public_key),
        "PrivateKeyCiphertextBlob": sealed(key, private_key, request),
    }
    return answer, private_key


def _public_key(der: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = load_public_key(der)
    except ValueError as error:
        raise validation("Value at 'publicKey': expected a SubjectPublicKeyInfo in DER") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise validation(f"Value at 'publicKey': expected an elliptic curve key, got {type(key).__name__}")
    return key
