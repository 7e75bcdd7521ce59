"""The AWS account: three roles, one key that decrypts for one measured enclave alone, a plain boto3 for any role."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

import boto3

from attestation.compiler import compile_key_policy
from attestation.policy import Measurements
from benchmarks.release.parts import Parts
from strongroom.protocol.configuration import KeyEntry
from strongroom.simulator.kms.credentials import RoleCredentials, register
from strongroom.simulator.operator import KEY_ADMINISTRATOR, MODEL_OWNER, PARENT_ROLE, REGION


@dataclass(frozen=True)
class AccessKey:
    """What a role signs with."""

    id: str
    secret: str
    token: str


@dataclass(frozen=True)
class WrappedKey:
    """A data key of 32 bytes, and what KMS wrapped it in."""

    data_key: bytes
    wrapped: bytes


class Account:
    """Creates the key in the dev KMS of ``parts``."""

    def __init__(self, parts: Parts, measurements: Measurements) -> None:
        self._parts = parts
        self.parent = self._access_key(PARENT_ROLE)
        self._sealer = self.plain(self._access_key(MODEL_OWNER))
        administrator = self.plain(self._access_key(KEY_ADMINISTRATOR))
        arn = administrator.create_key()["KeyMetadata"]["Arn"]
        policy = compile_key_policy(
            key_arn=arn,
            runtime_role_arn=PARENT_ROLE,
            measurements=[measurements],
            administrator_arns=[KEY_ADMINISTRATOR],
            sealer_arns=[MODEL_OWNER],
            purposes=["request"],
        )
        administrator.put_key_policy(KeyId=arn, PolicyName="default", Policy=json.dumps(policy))
        self.entry = KeyEntry(id="requests", purpose="request", tenant="demo", arn=arn)

    def new_data_key(self) -> WrappedKey:
        """GenerateDataKey under the entry's encryption context."""
        answer = self._sealer.generate_data_key(
            KeyId=self.entry.arn, KeySpec="AES_256", EncryptionContext=self.entry.fixed_context
        )
        return WrappedKey(answer["Plaintext"], answer["CiphertextBlob"])

    def plain(self, key: AccessKey) -> Any:
        """A boto3 client as boto3 makes it, straight to the dev KMS."""
        return boto3.client(
            "kms",
            region_name=REGION,
            endpoint_url=self._parts.kms_url,
            verify=str(self._parts.ca),
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            aws_session_token=key.token,
        )

    def _access_key(self, role_arn: str) -> AccessKey:
        key = AccessKey(f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20), secrets.token_hex(32))
        register(self._parts.state, key.id, RoleCredentials(role_arn, key.secret, key.token))
        return key
