"""The enclave's own KMS client: boto3 through the proxy, every answer held against the measured configuration."""

import os
from pathlib import Path
from typing import Any, Final

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialResolver
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError, SSLError

from enclave.errors import EnclaveError, KMSRefused, KMSUnreachable
from enclave.evidence import Evidence
from enclave.keys import BootKeys
from enclave.kms.credentials import PushedCredentialProvider
from enclave.kms.egress import attach, https_session
from enclave.kms.envelope import open_for_recipient
from strongroom.protocol.configuration import KeyEntry, KMSSettings
from strongroom.transport.addresses import Address

AMAZON_ROOTS: Final = Path(__file__).with_name("amazon-trust-roots.pem")
_DATA_KEY_BYTES: Final = 32
# KMS's own faults, which its documentation tells callers to retry; every other error code is an answer.
_TRANSIENT: Final = frozenset(
    {"KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException", "ThrottlingException"}
)


def _isolated_session(provider: PushedCredentialProvider, region: str) -> boto3.Session:
    """A session that takes nothing from the environment, from files or from the instance metadata service."""
    known = botocore.session.Session.SESSION_VARIABLES
    # (name in files, name in the environment, default, conversion): the first two go.
    bare = {name: (None, None, default, convert) for name, (_, _, default, convert) in known.items()}
    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    core = botocore.session.Session(session_vars={**bare, **files})
    core.set_config_variable("ignore_configured_endpoint_urls", True)
    core.register_component("credential_provider", CredentialResolver([provider]))
    return boto3.Session(botocore_session=core, region_name=region)


class KMSClient:
    """Calls KMS for one region. Methods block: call them from a thread.

    Every method raises KMSUnreachable when there was no answer and KMSRefused when the answer was not the expected.
    """

    def __init__(
        self,
        proxy: Address,
        settings: KMSSettings,
        ca_file: str,
        region: str,
        provider: PushedCredentialProvider,
        *,
        evidence: Evidence,
        keys: BootKeys,
    ) -> None:
        config = Config(
            use_fips_endpoint=settings.fips,
            connect_timeout=5,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 3},
        )
        self._client = _isolated_session(provider, region).client("kms", config=config)
        attach(self._client, https_session(proxy, ca_file))
        self._evidence, self._keys = evidence, keys

    def describe_key(self, arn: str) -> tuple[dict[str, Any], str, list[dict[str, Any]]]:
        """DescribeKey's metadata, the default key policy as the text KMS holds, and every grant."""
        metadata = self._call("describe_key", KeyId=arn)["KeyMetadata"]
        if metadata.get("Arn") != arn:
            raise KMSRefused("kms-wrong-key", "DescribeKey: expected the configured key, got another")
        policy = self._call("get_key_policy", KeyId=arn, PolicyName="default")["Policy"]
        listed = self._call("list_grants", KeyId=arn)
        grants = listed["Grants"]
        if listed.get("Truncated") and not grants:
            raise KMSRefused("kms-bad-answer", "ListGrants: expected all grants or the first of them, got neither")
        return metadata, policy, grants

    def unwrap(self, entry: KeyEntry, context: dict[str, str], wrapped: bytes) -> bytes:
        """Decrypt a 32-byte data key with this enclave as the only possible recipient."""
        answer = self._call(
            "decrypt",
            KeyId=entry.arn,
            CiphertextBlob=wrapped,
            EncryptionContext=context,
            EncryptionAlgorithm="SYMMETRIC_DEFAULT",
            Recipient={
                "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
                "AttestationDocument": self._evidence.for_kms(),
            },
        )
        if answer.get("KeyId") != entry.arn:
            raise KMSRefused("kms-wrong-key", "Decrypt: expected the configured key, got another")
        if answer.get("Plaintext"):
            raise KMSRefused("kms-plaintext", "Decrypt: expected a ciphertext for this enclave, got a plaintext")
        data_key = open_for_recipient(answer.get("CiphertextForRecipient", b""), self._keys.recipient)
        if len(data_key) != _DATA_KEY_BYTES:
            raise KMSRefused("kms-bad-data-key", f"Decrypt: expected a key of {_DATA_KEY_BYTES} bytes")
        return data_key

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
        except ClientError as error:
            raise _refusal(operation, error) from None
        except SSLError:
            raise KMSUnreachable(f"{operation}: expected KMS's certificate, TLS was not verified") from None
        except (ConnectionError, HTTPClientError, OSError):
            raise KMSUnreachable(f"{operation}: expected an answer through the proxy, got none") from None
        except BotoCoreError:
            raise KMSRefused("kms-bad-answer", f"{operation}: expected an answer of KMS, got another") from None
        return answer


def _refusal(operation: str, error: ClientError) -> EnclaveError:
    code = error.response.get("Error", {}).get("Code", "")
    if code in _TRANSIENT:
        return KMSUnreachable(f"{operation}: KMS is busy or failing; try again")
    if code == "AccessDeniedException":
        return KMSRefused("kms-access-denied", f"{operation}: denied; compare the key policy with this measurement")
    return KMSRefused("kms-error", f"{operation}: KMS answered with an error")
