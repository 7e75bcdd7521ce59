"""The other operations, through an unmodified boto3: refusals named as KMS names them, then what works."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from botocore.exceptions import ClientError
from mypy_boto3_kms import KMSClient
from mypy_boto3_kms.type_defs import GrantConstraintsTypeDef

from strongroom.simulator.kms.app import OPERATIONS
from tests.simulator.helpers import ROLE_ARN
from tests.simulator.kms.conftest import OTHER_ARN, OTHER_KEY_ID, OTHER_SECRET, ClientMaker, floor_policy

ROOT = {"AWS": "arn:aws:iam::000000000000:root"}


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"]


def statement(**members: object) -> dict[str, object]:
    return {"Effect": "Allow", "Principal": ROOT, "Action": "kms:*", "Resource": "*"} | members


def policy(*statements: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements]})


WRONG_CONSTRAINTS: list[GrantConstraintsTypeDef] = [
    {"EncryptionContextEquals": {}},
    {"EncryptionContextSubset": {"tenant": "u"}},
]
ADMINISTERED = statement(NotAction=["kms:Decrypt", "kms:Encrypt"])
del ADMINISTERED["Action"]


@pytest.fixture
def key(operator: KMSClient) -> str:
    return operator.create_key()["KeyMetadata"]["Arn"]


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{}",
        "[]",
        policy(statement(Principal="x")),
        policy(statement(Condition={"ArnLike": {"a": "b"}})),
    ],
)
def test_a_policy_that_cannot_be_read_is_refused(operator: KMSClient, key: str, document: str) -> None:
    if document:
        assert code_of(lambda: operator.create_key(Policy=document)) == "MalformedPolicyDocumentException"
    put = code_of(lambda: operator.put_key_policy(KeyId=key, Policy=document or " "))
    assert put == "MalformedPolicyDocumentException"


def test_a_policy_beyond_32_kib_exceeds_the_limit(operator: KMSClient, key: str) -> None:
    def of_size(size: int) -> str:
        document = policy(statement(Sid=""))
        return document.replace('"Sid": ""', '"Sid": "' + "s" * (size - len(document)) + '"')

    operator.put_key_policy(KeyId=key, Policy=of_size(32_768))
    assert code_of(lambda: operator.put_key_policy(KeyId=key, Policy=of_size(32_769))) == "LimitExceededException"
    assert code_of(lambda: operator.create_key(Policy=of_size(32_769))) == "LimitExceededException"


def test_a_policy_that_locks_its_author_out_is_refused(operator: KMSClient, key: str) -> None:
    lockout = policy(statement(Action="kms:DescribeKey"))
    assert code_of(lambda: operator.put_key_policy(KeyId=key, Policy=lockout)) == "MalformedPolicyDocumentException"
    operator.put_key_policy(KeyId=key, Policy=lockout, BypassPolicyLockoutSafetyCheck=True)
    assert code_of(lambda: operator.put_key_policy(KeyId=key, Policy=policy(statement()))) == "AccessDeniedException"


@pytest.mark.parametrize(
    "call",
    [
        lambda kms, key: kms.describe_key(KeyId=key),
        lambda kms, key: kms.get_key_policy(KeyId=key),
        lambda kms, key: kms.put_key_policy(KeyId=key, Policy=policy(statement())),
        lambda kms, key: kms.list_grants(KeyId=key),
        lambda kms, key: kms.create_grant(KeyId=key, GranteePrincipal=OTHER_ARN, Operations=["Decrypt"]),
        lambda kms, key: kms.disable_key(KeyId=key),
        lambda kms, key: kms.schedule_key_deletion(KeyId=key),
        lambda kms, key: kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}]),
        lambda kms, key: kms.create_alias(AliasName="alias/stolen", TargetKeyId=key),
        lambda kms, key: kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1"),
        lambda kms, key: kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda kms, key: kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256"),
    ],
)
def test_a_stranger_is_denied_everything(client: ClientMaker, key: str, call: Callable[[KMSClient, str], Any]) -> None:
    assert code_of(lambda: call(client(OTHER_KEY_ID, OTHER_SECRET), key)) == "AccessDeniedException"


@pytest.mark.parametrize(
    "name", ["nonsense", "alias/none", "00000000-0000-0000-0000-000000000000", "arn:aws:kms:x:y:key/z"]
)
def test_a_key_that_is_not_there_is_not_found(operator: KMSClient, name: str) -> None:
    assert code_of(lambda: operator.describe_key(KeyId=name)) == "NotFoundException"
    assert code_of(lambda: operator.generate_data_key(KeyId=name, KeySpec="AES_256")) == "NotFoundException"


@pytest.mark.parametrize(
    "arguments", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}, {"KeySpec": "AES_512"}, {"NumberOfBytes": 1025}]
)
def test_a_data_key_needs_one_sound_size(operator: KMSClient, key: str, arguments: dict[str, Any]) -> None:
    assert code_of(lambda: operator.generate_data_key(KeyId=key, **arguments)) == "ValidationException"


def test_operations_that_are_not_offered_say_so(operator: KMSClient, key: str) -> None:
    assert code_of(operator.describe_custom_key_stores) == "UnsupportedOperationException"
    ask = code_of(lambda: operator.update_primary_region(KeyId=key, PrimaryRegion="eu-west-1"))
    assert ask == "UnsupportedOperationException"


def test_every_operation_that_boto3_knows_is_known(operator: KMSClient) -> None:
    assert set(operator.meta.service_model.operation_names) == set(OPERATIONS)


def test_signing_keys_do_not_encrypt(operator: KMSClient) -> None:
    made = operator.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]
    assert code_of(lambda: operator.encrypt(KeyId=made["Arn"], Plaintext=b"x")) == "InvalidKeyUsageException"
    signed = operator.sign(KeyId=made["Arn"], Message=b"m", SigningAlgorithm="ECDSA_SHA_256")
    verified = operator.verify(
        KeyId=made["KeyId"], Message=b"m", Signature=signed["Signature"], SigningAlgorithm="ECDSA_SHA_256"
    )
    assert verified["SignatureValid"]
    operator.disable_key(KeyId=made["Arn"])
    refused = code_of(lambda: operator.sign(KeyId=made["Arn"], Message=b"m", SigningAlgorithm="ECDSA_SHA_256"))
    assert refused == "DisabledException"


def test_keys_that_are_one_secret_have_no_public_key(operator: KMSClient, key: str) -> None:
    mac = operator.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")["KeyMetadata"]["Arn"]
    assert code_of(lambda: operator.get_public_key(KeyId=key)) == "UnsupportedOperationException"
    assert code_of(lambda: operator.get_public_key(KeyId=mac)) == "UnsupportedOperationException"


def test_what_a_key_did_is_answered_with_its_arn(operator: KMSClient) -> None:
    pair = operator.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]
    assert operator.get_public_key(KeyId=pair["KeyId"])["KeyId"] == pair["Arn"]
    mac = operator.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")["KeyMetadata"]
    assert operator.generate_mac(KeyId=mac["KeyId"], Message=b"m", MacAlgorithm="HMAC_SHA_256")["KeyId"] == mac["Arn"]


def test_the_old_name_of_the_key_spec_is_known(operator: KMSClient) -> None:
    made = operator.create_key(CustomerMasterKeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    assert (made["KeySpec"], made["KeyUsage"]) == ("RSA_2048", "SIGN_VERIFY")


def test_an_algorithm_that_is_not_the_keys_is_refused(operator: KMSClient, key: str) -> None:
    rsa: Literal["RSAES_OAEP_SHA_256"] = "RSAES_OAEP_SHA_256"
    sealed = operator.encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm="SYMMETRIC_DEFAULT")["CiphertextBlob"]
    calls: list[Callable[[], object]] = [
        lambda: operator.encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm=rsa),
        lambda: operator.decrypt(CiphertextBlob=sealed, EncryptionAlgorithm=rsa),
        lambda: operator.re_encrypt(CiphertextBlob=sealed, DestinationKeyId=key, SourceEncryptionAlgorithm=rsa),
        lambda: operator.re_encrypt(CiphertextBlob=sealed, DestinationKeyId=key, DestinationEncryptionAlgorithm=rsa),
    ]
    assert {code_of(call) for call in calls} == {"InvalidKeyUsageException"}


def test_kms_is_always_reached_securely(operator: KMSClient) -> None:
    insecure = statement(Effect="Deny", Condition={"BoolIfExists": {"aws:SecureTransport": "false"}})
    secure = statement(Condition={"Bool": {"aws:SecureTransport": "true"}})
    made = operator.create_key(Policy=policy(secure, insecure))["KeyMetadata"]["Arn"]
    assert operator.encrypt(KeyId=made, Plaintext=b"x")["KeyId"] == made


def test_a_statement_for_another_key_allows_nothing_on_this_one(operator: KMSClient, key: str) -> None:
    own, foreign = (statement(Resource=resource, Action="kms:Encrypt") for resource in (key, key[:-12] + "0" * 12))
    for allowed, here in ((own, True), (foreign, False)):
        operator.put_key_policy(KeyId=key, Policy=policy(ADMINISTERED, allowed))
        if here:
            operator.encrypt(KeyId=key, Plaintext=b"x")
        else:
            assert code_of(lambda: operator.encrypt(KeyId=key, Plaintext=b"x")) == "AccessDeniedException"


def test_a_key_on_its_way_out_is_in_an_invalid_state(operator: KMSClient, key: str) -> None:
    operator.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert code_of(lambda: operator.encrypt(KeyId=key, Plaintext=b"x")) == "KMSInvalidStateException"
    assert operator.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_a_conditional_deny_of_describe_is_evaluated(operator: KMSClient, enclave: KMSClient) -> None:
    deny_role = statement(
        Effect="Deny", Action="kms:DescribeKey", Condition={"StringEquals": {"aws:PrincipalArn": ROLE_ARN}}
    )
    made = operator.create_key(Policy=policy(statement(), deny_role))["KeyMetadata"]["Arn"]
    assert operator.describe_key(KeyId=made)["KeyMetadata"]["Arn"] == made
    assert code_of(lambda: enclave.describe_key(KeyId=made)) == "AccessDeniedException"


def test_re_encryption_is_judged_on_both_keys(operator: KMSClient, key: str) -> None:
    guarded = operator.create_key(Policy=floor_policy())["KeyMetadata"]["Arn"]
    wrapped = operator.generate_data_key_without_plaintext(KeyId=guarded, KeySpec="AES_256")["CiphertextBlob"]
    assert code_of(lambda: operator.re_encrypt(CiphertextBlob=wrapped, DestinationKeyId=key)) == "AccessDeniedException"
    plain = operator.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
    moved = operator.re_encrypt(
        CiphertextBlob=plain,
        SourceEncryptionContext={"a": "b"},
        DestinationKeyId=guarded,
        DestinationEncryptionContext={"model": "m"},
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key, guarded)
    assert {moved["SourceEncryptionAlgorithm"], moved["DestinationEncryptionAlgorithm"]} == {"SYMMETRIC_DEFAULT"}
    assert code_of(lambda: operator.decrypt(CiphertextBlob=moved["CiphertextBlob"])) == "AccessDeniedException"


def test_a_grant_opens_what_no_statement_allows(operator: KMSClient, enclave: KMSClient) -> None:
    made = operator.create_key(Policy=policy(ADMINISTERED, statement(Action="kms:Encrypt")))["KeyMetadata"]["Arn"]
    context = {"tenant": "t"}
    wrapped = operator.encrypt(KeyId=made, Plaintext=b"secret", EncryptionContext=context)["CiphertextBlob"]

    def opened() -> bytes:
        return enclave.decrypt(CiphertextBlob=wrapped, EncryptionContext=context)["Plaintext"]

    assert code_of(opened) == "AccessDeniedException"
    for constraints in WRONG_CONSTRAINTS:
        operator.create_grant(KeyId=made, GranteePrincipal=ROLE_ARN, Operations=["Decrypt"], Constraints=constraints)
    operator.create_grant(KeyId=made, GranteePrincipal=ROLE_ARN, Operations=["Encrypt"])
    operator.create_grant(KeyId=made, GranteePrincipal=OTHER_ARN, Operations=["Decrypt"])
    assert code_of(opened) == "AccessDeniedException"
    grant = operator.create_grant(
        KeyId=made,
        GranteePrincipal=ROLE_ARN,
        Operations=["Decrypt"],
        Constraints={"EncryptionContextSubset": {"tenant": "t"}},
    )
    assert opened() == b"secret"
    assert len(operator.list_grants(KeyId=made)["Grants"]) == 5
    operator.revoke_grant(KeyId=made, GrantId=grant["GrantId"])
    assert code_of(opened) == "AccessDeniedException"


def test_who_may_retire_a_grant(operator: KMSClient, client: ClientMaker, key: str) -> None:
    stranger = client(OTHER_KEY_ID, OTHER_SECRET)
    kept = operator.create_grant(KeyId=key, GranteePrincipal=OTHER_ARN, Operations=["Decrypt"])
    assert code_of(lambda: stranger.retire_grant(GrantToken=kept["GrantToken"])) == "AccessDeniedException"
    retirable = operator.create_grant(KeyId=key, GranteePrincipal=OTHER_ARN, Operations=["Decrypt", "RetireGrant"])
    named = operator.create_grant(
        KeyId=key, GranteePrincipal=ROLE_ARN, RetiringPrincipal=OTHER_ARN, Operations=["Decrypt"]
    )
    stranger.retire_grant(GrantToken=retirable["GrantToken"])
    stranger.retire_grant(KeyId=key, GrantId=named["GrantId"])
    assert [grant["GrantId"] for grant in operator.list_grants(KeyId=key)["Grants"]] == [kept["GrantId"]]
    operator.retire_grant(KeyId=key, GrantId=kept["GrantId"])
    assert operator.list_grants(KeyId=key)["Grants"] == []
    assert code_of(lambda: operator.retire_grant(GrantToken=kept["GrantToken"])) == "NotFoundException"
    assert code_of(lambda: operator.retire_grant(KeyId=key, GrantId=kept["GrantId"])) == "NotFoundException"


def test_a_grant_does_not_beat_a_deny(operator: KMSClient, enclave: KMSClient) -> None:
    made = operator.create_key(Policy=floor_policy())["KeyMetadata"]["Arn"]
    wrapped = operator.generate_data_key_without_plaintext(KeyId=made, KeySpec="AES_256")["CiphertextBlob"]
    operator.create_grant(KeyId=made, GranteePrincipal=ROLE_ARN, Operations=["Decrypt"])
    assert code_of(lambda: enclave.decrypt(CiphertextBlob=wrapped)) == "AccessDeniedException"


def test_the_default_policy_opens_the_key_to_the_whole_account(
    operator: KMSClient, enclave: KMSClient, key: str
) -> None:
    """What makes an attested policy necessary: any role of the account decrypts, without any document."""
    wrapped = operator.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert enclave.decrypt(CiphertextBlob=wrapped["CiphertextBlob"])["Plaintext"] == wrapped["Plaintext"]


def test_context_keys_can_be_closed(operator: KMSClient) -> None:
    closed = statement(
        Condition={
            "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["model", "tenant"]},
            "Null": {"kms:EncryptionContext:model": "false"},
        },
        Action="kms:Encrypt",
    )
    made = operator.create_key(Policy=policy(ADMINISTERED, closed))["KeyMetadata"]["Arn"]
    operator.encrypt(KeyId=made, Plaintext=b"x", EncryptionContext={"model": "m", "tenant": "t"})
    for context in ({"model": "m", "x": "y"}, {"tenant": "t"}, {"MODEL": "m"}):
        with pytest.raises(ClientError, match="AccessDeniedException"):
            operator.encrypt(KeyId=made, Plaintext=b"x", EncryptionContext=context)


@pytest.mark.parametrize(("offset_s", "allowed"), [(-60, False), (3600, True)])
def test_a_statement_can_end(operator: KMSClient, offset_s: int, allowed: bool) -> None:
    end = (datetime.now(UTC) + timedelta(seconds=offset_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    until = statement(Action="kms:Encrypt", Condition={"DateLessThanEquals": {"aws:CurrentTime": end}})
    made = operator.create_key(Policy=policy(ADMINISTERED, until))["KeyMetadata"]["Arn"]
    if allowed:
        assert operator.encrypt(KeyId=made, Plaintext=b"x")["KeyId"] == made
    else:
        assert code_of(lambda: operator.encrypt(KeyId=made, Plaintext=b"x")) == "AccessDeniedException"


def test_keys_are_described_as_kms_does(operator: KMSClient, key: str) -> None:
    described = operator.describe_key(KeyId=key)["KeyMetadata"]
    wanted = {
        "AWSAccountId": "000000000000",
        "Arn": key,
        "Enabled": True,
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": False,
        "Origin": "AWS_KMS",
    }
    assert {name: value for name, value in described.items() if name in wanted} == wanted
    assert "SigningAlgorithms" not in described


def test_multi_region_keys_work_and_say_what_they_are(operator: KMSClient) -> None:
    made = operator.create_key(MultiRegion=True)["KeyMetadata"]
    assert made["KeyId"].startswith("mrk-")
    assert operator.describe_key(KeyId=made["Arn"])["KeyMetadata"]["MultiRegion"]
    sealed = operator.encrypt(KeyId=made["Arn"], Plaintext=b"x")["CiphertextBlob"]
    assert operator.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"


def test_aliases_name_keys(operator: KMSClient, key: str) -> None:
    operator.create_alias(AliasName="alias/models", TargetKeyId=key)
    for name in ("alias/models", "arn:aws:kms:us-east-1:000000000000:alias/models"):
        assert operator.encrypt(KeyId=name, Plaintext=b"x")["KeyId"] == key
    listed = {item["AliasName"]: item.get("TargetKeyId") for item in operator.list_aliases()["Aliases"]}
    assert listed["alias/models"] == key.rpartition("/")[2]
    operator.delete_alias(AliasName="alias/models")
    assert code_of(lambda: operator.describe_key(KeyId="alias/models")) == "NotFoundException"


def test_administration_passes_through(operator: KMSClient, key: str) -> None:
    operator.put_key_policy(KeyId=key, Policy=floor_policy())
    assert operator.get_key_policy(KeyId=key)["Policy"] == floor_policy()
    assert operator.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
    operator.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
    assert operator.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "a", "TagValue": "b"}]
    operator.disable_key(KeyId=key)
    assert not operator.describe_key(KeyId=key)["KeyMetadata"]["Enabled"]
    operator.enable_key(KeyId=key)
    assert key.rpartition("/")[2] in {item["KeyId"] for item in operator.list_keys()["Keys"]}


def test_random_bytes(operator: KMSClient) -> None:
    assert len(operator.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024
    assert code_of(lambda: operator.generate_random()) == "ValidationException"
