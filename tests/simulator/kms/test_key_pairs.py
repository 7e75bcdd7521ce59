"""GenerateDataKeyPair and DeriveSharedSecret, which moto has not: refusals first, then with and without an enclave."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from mypy_boto3_kms import KMSClient
from mypy_boto3_kms.literals import DataKeyPairSpecType
from mypy_boto3_kms.type_defs import RecipientInfoTypeDef

from tests.simulator.helpers import booted_nsm, open_cms, spki
from tests.simulator.kms.conftest import OTHER_KEY_ID, OTHER_SECRET, ClientMaker, Served, floor_policy
from tests.simulator.kms.test_operations import code_of

CONTEXT = {"model": "m"}
PEER = ec.generate_private_key(ec.SECP256R1())


def der(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def private(plaintext: bytes) -> PublicKeyTypes:
    return serialization.load_der_private_key(plaintext, None).public_key()


@pytest.fixture(scope="module")
def recipient(served: Served, rsa_key: rsa.RSAPrivateKey) -> RecipientInfoTypeDef:
    document = booted_nsm(served.state_dir).attest(public_key=spki(rsa_key))
    return {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": document}


@pytest.fixture
def key(operator: KMSClient) -> str:
    return operator.create_key()["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def agreement(operator: KMSClient) -> str:
    return operator.create_key(KeyUsage="KEY_AGREEMENT", KeySpec="ECC_NIST_P256")["KeyMetadata"]["Arn"]


def derive(kms: KMSClient, key: str, peer: bytes, **more: Any) -> dict[str, Any]:
    return dict(kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer, **more))


@pytest.mark.parametrize("spec", ["SM2", "ML_KEM_768"])
def test_a_pair_that_cannot_be_made_is_unsupported(operator: KMSClient, key: str, spec: DataKeyPairSpecType) -> None:
    refused = code_of(lambda: operator.generate_data_key_pair(KeyId=key, KeyPairSpec=spec))
    assert refused == "UnsupportedOperationException"


def test_a_pair_for_a_stranger_or_a_dry_run_is_not_made(operator: KMSClient, client: ClientMaker, key: str) -> None:
    def made(kms: KMSClient, **more: Any) -> object:
        return kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256", **more)

    assert code_of(lambda: made(client(OTHER_KEY_ID, OTHER_SECRET))) == "AccessDeniedException"
    assert code_of(lambda: made(operator, DryRun=True)) == "DryRunOperationException"


@pytest.mark.parametrize(
    "peer",
    [
        b"no key",
        der(ec.generate_private_key(ec.SECP384R1()).public_key()),
        der(ed25519.Ed25519PrivateKey.generate().public_key()),
    ],
    ids=["no key", "P-384", "Ed25519"],
)
def test_a_peer_on_another_curve_is_refused(operator: KMSClient, agreement: str, peer: bytes) -> None:
    assert code_of(lambda: derive(operator, agreement, peer)) == "ValidationException"


def test_a_key_that_does_not_agree_is_refused(
    operator: KMSClient, client: ClientMaker, key: str, agreement: str
) -> None:
    peer = der(PEER.public_key())
    assert code_of(lambda: derive(operator, key, peer)) == "InvalidKeyUsageException"
    assert code_of(lambda: derive(client(OTHER_KEY_ID, OTHER_SECRET), agreement, peer)) == "AccessDeniedException"
    assert code_of(lambda: operator.encrypt(KeyId=agreement, Plaintext=b"x")) == "InvalidKeyUsageException"
    assert code_of(lambda: derive(operator, agreement, peer, DryRun=True)) == "DryRunOperationException"


@pytest.mark.parametrize(
    "spec", ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"]
)
def test_a_pair_fits_and_its_blob_opens_to_it(operator: KMSClient, key: str, spec: DataKeyPairSpecType) -> None:
    pair = operator.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, EncryptionContext=CONTEXT)
    assert der(private(pair["PrivateKeyPlaintext"])) == pair["PublicKey"]
    assert (pair["KeyId"], pair["KeyPairSpec"]) == (key, spec)
    opened = operator.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == pair["PrivateKeyPlaintext"]


def test_a_pair_without_plaintext_has_none(operator: KMSClient, key: str) -> None:
    pair = operator.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    opened = operator.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"]
    assert "PrivateKeyPlaintext" not in pair
    assert der(private(opened)) == pair["PublicKey"]


def test_a_pair_is_sealed_to_the_enclave(
    operator: KMSClient, enclave: KMSClient, recipient: RecipientInfoTypeDef, key: str, rsa_key: rsa.RSAPrivateKey
) -> None:
    pair = enclave.generate_data_key_pair(KeyId=key, KeyPairSpec="RSA_2048", Recipient=recipient)
    assert "PrivateKeyPlaintext" not in pair
    assert der(private(open_cms(pair["CiphertextForRecipient"], rsa_key))) == pair["PublicKey"]


def test_both_sides_derive_one_secret(
    enclave: KMSClient, recipient: RecipientInfoTypeDef, agreement: str, rsa_key: rsa.RSAPrivateKey
) -> None:
    theirs = serialization.load_der_public_key(enclave.get_public_key(KeyId=agreement)["PublicKey"])
    assert isinstance(theirs, ec.EllipticCurvePublicKey)
    secret = PEER.exchange(ec.ECDH(), theirs)
    plain = derive(enclave, agreement, der(PEER.public_key()))
    sealed = derive(enclave, agreement, der(PEER.public_key()), Recipient=recipient)
    assert plain["SharedSecret"] == secret
    assert (plain["KeyId"], plain["KeyOrigin"]) == (agreement, "AWS_KMS")
    assert "SharedSecret" not in sealed
    assert open_cms(sealed["CiphertextForRecipient"], rsa_key) == secret


def test_a_key_for_agreement_says_so(operator: KMSClient, agreement: str) -> None:
    described = operator.describe_key(KeyId=agreement)["KeyMetadata"]
    assert described["KeyAgreementAlgorithms"] == ["ECDH"]
    assert not {"EncryptionAlgorithms", "SigningAlgorithms"} & set(described)


def test_a_policy_judges_pairs_as_it_judges_keys(enclave: KMSClient, operator: KMSClient) -> None:
    guarded = operator.create_key(Policy=floor_policy())["KeyMetadata"]["Arn"]
    pair = operator.generate_data_key_pair_without_plaintext(
        KeyId=guarded, KeyPairSpec="ECC_NIST_P256", EncryptionContext=CONTEXT
    )
    blob = pair["PrivateKeyCiphertextBlob"]
    for kms in (operator, enclave):
        with pytest.raises(ClientError, match="AccessDenied"):
            kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)
