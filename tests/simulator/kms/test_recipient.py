"""Decrypt with `Recipient`: everything that must not open a data key, then the one thing that does."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cbor2
import pytest
from botocore.exceptions import ClientError, ParamValidationError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from mypy_boto3_kms import KMSClient

from strongroom.simulator.document import signed
from strongroom.simulator.kms.blob import seal
from strongroom.simulator.nsm import wall_clock_ms
from strongroom.simulator.pki import LEAF_LIFETIME_S, SimulatedPKI
from tests.simulator.helpers import IMAGE, INSTANCE_ID, ROLE_ARN, booted_nsm, open_cms, spki
from tests.simulator.kms.conftest import OTHER_KEY_ID, OTHER_SECRET, ClientMaker, Served, floor_policy

CONTEXT = {"model": "m", "tenant": "t"}


@dataclass(frozen=True)
class Case:
    """A wrapped data key and the attestation that may open it."""

    enclave: KMSClient
    key_arn: str
    wrapped: bytes
    plaintext: bytes
    document: bytes

    def decrypt(self, **changes: Any) -> dict[str, Any]:
        request: dict[str, Any] = {
            "KeyId": self.key_arn,
            "CiphertextBlob": self.wrapped,
            "EncryptionContext": CONTEXT,
            "Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": self.document},
        }
        request = {name: value for name, value in (request | changes).items() if value is not None}
        return dict(self.enclave.decrypt(**request))

    def generated(self) -> bytes:
        answer = self.enclave.generate_data_key(
            KeyId=self.key_arn,
            KeySpec="AES_256",
            Recipient={"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": self.document},
        )
        return answer["CiphertextForRecipient"]

    def refusal(self, **changes: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as refused:
            self.decrypt(**changes)
        error = refused.value.response
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
        return error["Error"]["Code"], error["Error"]["Message"]


@pytest.fixture(scope="module")
def case(served: Served, operator: KMSClient, enclave: KMSClient, rsa_key: rsa.RSAPrivateKey) -> Case:
    arn = operator.create_key(Policy=floor_policy())["KeyMetadata"]["Arn"]
    data_key = operator.generate_data_key(KeyId=arn, KeySpec="AES_256", EncryptionContext=CONTEXT)
    document = booted_nsm(served.state_dir).attest(public_key=spki(rsa_key))
    return Case(enclave, arn, data_key["CiphertextBlob"], data_key["Plaintext"], document)


def test_no_document_is_denied_by_the_floor(case: Case) -> None:
    code, message = case.refusal(Recipient=None)
    assert code == "AccessDeniedException"
    assert message.endswith("with an explicit deny in a resource-based policy")


@pytest.mark.parametrize("at", [0, 5, 40, 400, 2000, -97, -1])
def test_an_altered_document_is_refused(case: Case, at: int) -> None:
    altered = bytearray(case.document)
    altered[at] ^= 1
    assert replace(case, document=bytes(altered)).refusal()[0] == "ValidationException"


@pytest.mark.parametrize("document", [b"\x00", b"\xd2\x84", bytes(40_000)])
def test_garbage_for_a_document_is_refused(case: Case, document: bytes) -> None:
    assert replace(case, document=document).refusal()[0] == "ValidationException"


def test_a_document_under_a_foreign_root_is_refused(case: Case, tmp_path: Path, rsa_key: rsa.RSAPrivateKey) -> None:
    foreign = booted_nsm(tmp_path).attest(public_key=spki(rsa_key))
    code, message = replace(case, document=foreign).refusal()
    assert code == "ValidationException"
    assert "trust-anchor" in message


def test_a_document_of_an_expired_leaf_is_refused(case: Case, served: Served, rsa_key: rsa.RSAPrivateKey) -> None:
    nsm = booted_nsm(served.state_dir, at_ms=wall_clock_ms() - LEAF_LIFETIME_S * 1000 - 2000)
    code, message = replace(case, document=nsm.attest(public_key=spki(rsa_key))).refusal()
    assert code == "ValidationException"
    assert "certificate-expired" in message


def test_a_document_from_the_future_is_refused(case: Case, served: Served, rsa_key: rsa.RSAPrivateKey) -> None:
    nsm = booted_nsm(served.state_dir, at_ms=wall_clock_ms() + 3_600_000)
    assert replace(case, document=nsm.attest(public_key=spki(rsa_key))).refusal()[0] == "ValidationException"


def test_another_image_is_denied(case: Case, served: Served, rsa_key: rsa.RSAPrivateKey) -> None:
    nsm = booted_nsm(served.state_dir, image_pcrs={**IMAGE, 0: b"\x99" * 48})
    code, message = replace(case, document=nsm.attest(public_key=spki(rsa_key))).refusal()
    assert code == "AccessDeniedException"
    assert "explicit deny" in message


def test_a_debug_enclave_is_denied(case: Case, served: Served, rsa_key: rsa.RSAPrivateKey) -> None:
    nsm = booted_nsm(served.state_dir, image_pcrs=dict.fromkeys(range(3), bytes(48)))
    assert replace(case, document=nsm.attest(public_key=spki(rsa_key))).refusal()[0] == "AccessDeniedException"


def test_a_context_that_the_policy_does_not_name_is_denied(case: Case) -> None:
    code, message = case.refusal(EncryptionContext={"model": "other", "tenant": "t"})
    assert code == "AccessDeniedException"
    assert "no resource-based policy allows the kms:Decrypt action" in message


@pytest.mark.parametrize(
    "context", [{"model": "m"}, {"model": "m", "tenant": "u"}, {"model": "m", "tenan": "tt"}, {"model": "m", "x": ""}]
)
def test_another_context_does_not_open_the_blob(case: Case, context: dict[str, str]) -> None:
    assert case.refusal(EncryptionContext=context) == ("InvalidCiphertextException", "")


def test_names_that_differ_in_case_only_are_refused(case: Case) -> None:
    assert case.refusal(EncryptionContext={"model": "m", "Model": "x"})[0] == "ValidationException"


@pytest.mark.parametrize(
    "blob", [b"\x00", b"garbage" * 20, bytes(6144), b"strongroom dev KMS 1\0", b"strongroom dev KMS 1\0\xff"]
)
def test_a_garbage_blob_is_invalid(case: Case, blob: bytes) -> None:
    assert case.refusal(CiphertextBlob=blob) == ("InvalidCiphertextException", "")


@pytest.mark.parametrize("named", [True, False], ids=["a named key", "no key named"])
@pytest.mark.parametrize("part", range(16))
def test_an_altered_blob_is_invalid(case: Case, part: int, named: bool) -> None:
    altered = bytearray(case.wrapped)
    altered[part * (len(altered) - 1) // 15] ^= 1
    key: dict[str, None] = {} if named else {"KeyId": None}
    assert case.refusal(CiphertextBlob=bytes(altered), **key)[0] == "InvalidCiphertextException"


def test_a_blob_cut_short_is_invalid(case: Case) -> None:
    for length in (30, 60, len(case.wrapped) - 10):
        assert case.refusal(CiphertextBlob=case.wrapped[:-length])[0] == "InvalidCiphertextException"


def test_a_blob_of_a_key_that_does_not_exist_is_denied(case: Case) -> None:
    gone = case.key_arn.rpartition("/")[0] + "/00000000-0000-0000-0000-000000000000"
    unknown = seal(b"x", key_arn=gone, material=bytes(32), context=CONTEXT)
    code, message = case.refusal(CiphertextBlob=unknown)
    assert (code, "does not exist" in message) == ("AccessDeniedException", True)


def test_a_blob_of_another_key_is_incorrect(case: Case, operator: KMSClient) -> None:
    other = operator.create_key(Policy=floor_policy())["KeyMetadata"]["Arn"]
    foreign = operator.generate_data_key(KeyId=other, KeySpec="AES_256", EncryptionContext=CONTEXT)["CiphertextBlob"]
    assert case.refusal(CiphertextBlob=foreign)[0] == "IncorrectKeyException"


@pytest.mark.parametrize("change", [("000000000000", "111111111111"), ("us-east-1", "eu-west-1"), ("key/", "key/0")])
def test_a_key_of_another_account_or_region_is_not_found(case: Case, change: tuple[str, str]) -> None:
    assert case.refusal(KeyId=case.key_arn.replace(*change))[0] == "NotFoundException"


def test_another_role_is_denied_with_a_genuine_document(case: Case, client: ClientMaker) -> None:
    thief = replace(case, enclave=client(OTHER_KEY_ID, OTHER_SECRET))
    code, message = thief.refusal()
    assert code == "AccessDeniedException"
    assert "arn:aws:iam::111111111111:role/Other" in message


def test_the_operator_is_denied_with_a_genuine_document(case: Case, operator: KMSClient) -> None:
    assert replace(case, enclave=operator).refusal()[0] == "AccessDeniedException"


def test_a_document_without_a_key_is_refused(case: Case, served: Served) -> None:
    assert replace(case, document=booted_nsm(served.state_dir).attest()).refusal()[0] == "ValidationException"


def test_a_document_with_a_key_that_is_not_rsa_is_refused(case: Case, served: Served) -> None:
    der = (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    unknown_algorithm = bytes.fromhex("300f300a06062a03040506073000030100")
    for public_key in (der, b"no key", unknown_algorithm):
        document = booted_nsm(served.state_dir).attest(public_key=public_key)
        assert replace(case, document=document).refusal()[0] == "ValidationException"


def test_a_document_with_a_bare_rsa_key_is_refused(case: Case, served: Served, rsa_key: rsa.RSAPrivateKey) -> None:
    """PKCS #1, where a SubjectPublicKeyInfo belongs."""
    bare = rsa_key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    document = booted_nsm(served.state_dir).attest(public_key=bare)
    code, message = replace(case, document=document).refusal()
    assert (code, "PKCS #1" in message) == ("ValidationException", True)


def nitrotpm_document(served: Served, public_key: bytes) -> bytes:
    """A document of a NitroTPM under the same root, its registers those of the image."""
    module_id, at_ms = f"{INSTANCE_ID}-tpm0123456789abcdef", wall_clock_ms()
    signer = SimulatedPKI.open(served.state_dir).signer(module_id, at_ms=at_ms)
    members = {"module_id": module_id, "digest": "SHA384", "timestamp": at_ms, "nitrotpm_pcrs": IMAGE}
    chain = {"certificate": signer.certificate, "cabundle": list(signer.cabundle)}
    return signed(
        cbor2.dumps({**members, **chain, "public_key": public_key, "user_data": None, "nonce": None}), signer.key
    )


def test_a_nitrotpm_satisfies_no_condition_on_an_enclave(
    case: Case, served: Served, operator: KMSClient, rsa_key: rsa.RSAPrivateKey
) -> None:
    thief = replace(case, document=nitrotpm_document(served, spki(rsa_key)))
    assert thief.refusal()[0] == "AccessDeniedException"
    for name in ("ImageSha384", "PCR0", "PCR1"):
        names_enclave = {f"kms:RecipientAttestation:{name}": IMAGE[int(name == "PCR1")].hex()}
        with pytest.raises(ClientError, match="AccessDenied"):
            replace(thief, key_arn=key_allowing(operator, names_enclave)).generated()
    names_tpm = key_allowing(operator, {"kms:RecipientAttestation:NitroTPMPCR0": IMAGE[0].hex()})
    assert len(open_cms(replace(thief, key_arn=names_tpm).generated(), rsa_key)) == 32
    with pytest.raises(ClientError, match="AccessDenied"):
        replace(case, key_arn=names_tpm).generated()


def test_another_wrapping_algorithm_is_refused(case: Case) -> None:
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_1", "AttestationDocument": case.document}
    assert case.refusal(Recipient=recipient)[0] == "ValidationException"


def test_a_disabled_key_is_disabled(case: Case, operator: KMSClient) -> None:
    operator.disable_key(KeyId=case.key_arn)
    try:
        assert case.refusal()[0] == "DisabledException"
    finally:
        operator.enable_key(KeyId=case.key_arn)


def test_a_new_policy_takes_effect_at_once(case: Case, operator: KMSClient) -> None:
    operator.put_key_policy(KeyId=case.key_arn, PolicyName="default", Policy=floor_policy(pcr0=b"\x77" * 48))
    try:
        assert case.refusal()[0] == "AccessDeniedException"
    finally:
        operator.put_key_policy(KeyId=case.key_arn, PolicyName="default", Policy=floor_policy())


def test_a_dry_run_gives_nothing(case: Case) -> None:
    assert case.refusal(DryRun=True)[0] == "DryRunOperationException"


def test_encrypt_takes_no_recipient(case: Case, operator: KMSClient) -> None:
    with pytest.raises(ParamValidationError):
        operator.encrypt(KeyId=case.key_arn, Plaintext=b"x", Recipient={})  # type: ignore[call-arg] # wrong on purpose


def test_the_attested_enclave_opens_its_data_key(case: Case, rsa_key: rsa.RSAPrivateKey) -> None:
    for name in (case.key_arn, case.key_arn.rpartition("/")[2], None):
        answer = case.decrypt(KeyId=name)
        assert "Plaintext" not in answer
        assert answer["KeyId"] == case.key_arn
        assert open_cms(answer["CiphertextForRecipient"], rsa_key) == case.plaintext


Asked = Callable[[KMSClient, str, Any], Any]


@pytest.mark.parametrize(
    "ask",
    [
        lambda kms, arn, recipient: kms.generate_data_key(KeyId=arn, NumberOfBytes=64, Recipient=recipient),
        lambda kms, arn, recipient: kms.generate_random(NumberOfBytes=64, Recipient=recipient),
    ],
)
def test_the_other_calls_seal_to_the_enclave_too(case: Case, ask: Asked, rsa_key: rsa.RSAPrivateKey) -> None:
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": case.document}
    answer = ask(case.enclave, case.key_arn, recipient)
    assert "Plaintext" not in answer
    assert len(open_cms(answer["CiphertextForRecipient"], rsa_key)) == 64


def test_every_locked_pcr_is_a_condition_key(
    case: Case, served: Served, operator: KMSClient, rsa_key: rsa.RSAPrivateKey
) -> None:
    nsm = booted_nsm(served.state_dir)
    document = nsm.attest(public_key=spki(rsa_key))
    names = {f"PCR{index}": nsm.describe_pcr(index).value.hex() for index in (0, 1, 2, 3, 4, 16, 17)}
    names["ImageSha384"] = names["PCR0"]
    for name, value in names.items():
        right, wrong = ({f"kms:RecipientAttestation:{name}": v} for v in (value, "00" * 48))
        opened = replace(case, document=document, key_arn=key_allowing(operator, right)).generated()
        assert len(open_cms(opened, rsa_key)) == 32
        with pytest.raises(ClientError, match="AccessDenied"):
            replace(case, document=document, key_arn=key_allowing(operator, wrong)).generated()


def key_allowing(operator: KMSClient, equals: dict[str, str]) -> str:
    policy = json.loads(floor_policy())
    policy["Statement"] = [
        {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "kms:PutKeyPolicy", "Resource": "*"},
        {
            "Effect": "Allow",
            "Principal": {"AWS": ROLE_ARN},
            "Action": "kms:GenerateDataKey",
            "Resource": "*",
            "Condition": {"StringEquals": equals},
        },
    ]
    return operator.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
