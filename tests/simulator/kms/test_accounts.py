"""Two accounts on one dev KMS: keys live in their creator's, and reach across only by ARN and only for some calls."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from mypy_boto3_kms import KMSClient

from tests.simulator.kms.conftest import OTHER_ARN, OTHER_KEY_ID, OTHER_SECRET, ClientMaker
from tests.simulator.kms.test_operations import ROOT, code_of, policy, statement


@pytest.fixture
def other(client: ClientMaker) -> KMSClient:
    return client(OTHER_KEY_ID, OTHER_SECRET)


@pytest.fixture
def shared(operator: KMSClient) -> str:
    """A key of the first account that lets the second one's role do everything a key policy can."""
    both = {"AWS": [ROOT["AWS"], OTHER_ARN]}
    return operator.create_key(Policy=policy(statement(Principal=both)))["KeyMetadata"]["Arn"]


@pytest.mark.parametrize(
    "call",
    [
        lambda kms, key: kms.get_key_policy(KeyId=key),
        lambda kms, key: kms.put_key_policy(KeyId=key, Policy=policy(statement())),
        lambda kms, key: kms.disable_key(KeyId=key),
        lambda kms, key: kms.list_resource_tags(KeyId=key),
        lambda kms, key: kms.create_alias(AliasName="alias/stolen", TargetKeyId=key),
    ],
)
def test_what_has_no_use_across_accounts_is_denied(
    other: KMSClient, shared: str, call: Callable[[KMSClient, str], Any]
) -> None:
    assert code_of(lambda: call(other, shared)) == "AccessDeniedException"


def test_a_key_of_another_account_is_named_by_its_arn_only(other: KMSClient, operator: KMSClient, shared: str) -> None:
    operator.create_alias(AliasName="alias/shared", TargetKeyId=shared)
    try:
        assert code_of(lambda: other.describe_key(KeyId=shared.rpartition("/")[2])) == "NotFoundException"
        assert code_of(lambda: other.describe_key(KeyId="alias/shared")) == "NotFoundException"
        assert other.describe_key(KeyId=shared.replace(shared.rpartition(":")[2], "alias/shared"))
    finally:
        operator.delete_alias(AliasName="alias/shared")


def test_a_key_is_made_in_its_creators_account(other: KMSClient, operator: KMSClient) -> None:
    made = other.create_key()["KeyMetadata"]
    assert made["Arn"].startswith("arn:aws:kms:us-east-1:111111111111:key/")
    assert made["KeyId"] in {key["KeyId"] for key in other.list_keys()["Keys"]}
    assert made["KeyId"] not in {key["KeyId"] for key in operator.list_keys()["Keys"]}
    assert code_of(lambda: operator.describe_key(KeyId=made["Arn"])) == "AccessDeniedException"
    wrapped = other.encrypt(KeyId=made["KeyId"], Plaintext=b"theirs")["CiphertextBlob"]
    assert other.decrypt(CiphertextBlob=wrapped)["Plaintext"] == b"theirs"
    with pytest.raises(ClientError, match="AccessDenied"):
        operator.decrypt(CiphertextBlob=wrapped)


def test_an_account_can_substitute_neither_key_nor_blob(other: KMSClient, operator: KMSClient, shared: str) -> None:
    """The parent supplies the credentials, hence the account: the ARN of the configuration must still decide."""
    foreign = other.create_key()["KeyMetadata"]["Arn"]
    wrapped = other.encrypt(KeyId=foreign, Plaintext=b"planted")["CiphertextBlob"]
    assert code_of(lambda: other.decrypt(KeyId=shared, CiphertextBlob=wrapped)) == "IncorrectKeyException"
    own = operator.create_key()["KeyMetadata"]["Arn"]
    kept = operator.encrypt(KeyId=own, Plaintext=b"kept")["CiphertextBlob"]
    assert code_of(lambda: other.decrypt(KeyId=own, CiphertextBlob=kept)) == "AccessDeniedException"
    assert code_of(lambda: other.decrypt(CiphertextBlob=kept)) == "AccessDeniedException"


def test_a_policy_can_admit_another_accounts_role(other: KMSClient, operator: KMSClient, shared: str) -> None:
    wrapped = operator.encrypt(KeyId=shared, Plaintext=b"shared")["CiphertextBlob"]
    opened = other.decrypt(CiphertextBlob=wrapped)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"shared", shared)
    assert other.describe_key(KeyId=shared)["KeyMetadata"]["AWSAccountId"] == "000000000000"
    assert other.list_grants(KeyId=shared)["Grants"] == []
