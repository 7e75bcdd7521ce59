"""The enclave's own KMS client: boto3 through the proxy, every answer held against the measured configuration."""

from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from enclave.errors import EnclaveError, KMSRefused, KMSUnreachable
from enclave.evidence import Evidence
from enclave.keys import BootKeys
from enclave.kms.answers import bad_answer, member, refusal, require_key
from enclave.kms.credentials import PushedCredentialProvider
from enclave.kms.envelope import open_data_key
from enclave.kms.https import ATTEMPT_S, RETRY_S, ProxiedHTTPS
from enclave.kms.isolation import isolated_client, kms_host
from enclave.kms.tls import KMSTLS
from strongroom.protocol.configuration import KeyEntry, KMSSettings
from strongroom.transport.addresses import Address

MAX_WRAPPED_BYTES: Final = 6144
"""What KMS takes as a CiphertextBlob (AWS KMS API reference, Decrypt)."""
_ALGORITHM: Final = "SYMMETRIC_DEFAULT"


class KMSClient:
    """Calls KMS for one region. Methods block: call them from a thread. A call makes at most 3 attempts of `attempt_s`.

    Every method raises KMSUnreachable when there was no answer and KMSRefused when the answer was not the expected.
    """

    def __init__(
        self,
        proxy: Address,
        settings: KMSSettings,
        region: str,
        provider: PushedCredentialProvider,
        *,
        evidence: Evidence,
        keys: BootKeys,
        attempt_s: float = ATTEMPT_S,
        retry_s: float = RETRY_S,
    ) -> None:
        """Raises BootRefused when TLS would offer what the settings do not allow."""
        tls, host = KMSTLS.open(settings.ca_pem, classical=settings.classical), kms_host(region, fips=settings.fips)
        self.leg = tls.leg
        self._client = isolated_client(provider, region, host)
        self._https = ProxiedHTTPS(proxy, host, tls.context, attempt_s, retry_s)
        self._https.attach(self._client)
        self._evidence, self._keys = evidence, keys

    def close(self) -> None:
        """Close the connections that are kept for the next call."""
        self._https.close()

    def describe_key(self, arn: str) -> tuple[dict[str, Any], str, list[dict[str, Any]]]:
        """DescribeKey's metadata, the default key policy as the text KMS holds, and every grant."""
        metadata = member(self._call("describe_key", KeyId=arn), "KeyMetadata", dict, "describe_key")
        require_key(metadata, "Arn", arn, "describe_key")
        answer = self._call("get_key_policy", KeyId=arn, PolicyName="default")
        policy = member(answer, "Policy", str, "get_key_policy")
        listed = self._call("list_grants", KeyId=arn)
        grants = member(listed, "Grants", list, "list_grants")
        if listed.get("Truncated") and not grants:
            raise KMSRefused("kms-bad-answer", "list_grants: expected all grants or the first of them, got neither")
        return metadata, policy, grants

    def unwrap(self, entry: KeyEntry, context: dict[str, str], wrapped: bytes) -> bytes:
        """Decrypt a 32-byte data key with this enclave as the only possible recipient.

        `context` is the EncryptionContext, which must hold what the entry fixes; `wrapped` has at most 6,144 bytes.
        """
        if not entry.fixed_context.items() <= context.items():
            raise KMSRefused(
                "kms-wrong-context", f"key {entry.id}: expected its purpose, tenant and pairs in a context"
            )
        if not 1 <= len(wrapped) <= MAX_WRAPPED_BYTES:
            raise KMSRefused("kms-bad-wrapped-key", f"wrapped data key: expected 1 to {MAX_WRAPPED_BYTES} bytes")
        answer = self._call(
            "decrypt",
            KeyId=entry.arn,
            CiphertextBlob=wrapped,
            EncryptionContext=context,
            EncryptionAlgorithm=_ALGORITHM,
            Recipient={
                "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
                "AttestationDocument": self._evidence.for_kms(),
            },
        )
        require_key(answer, "KeyId", entry.arn, "decrypt")
        if answer.get("Plaintext"):
            raise KMSRefused("kms-plaintext", "decrypt: expected a ciphertext for this enclave, got a plaintext")
        if answer.get("EncryptionAlgorithm", _ALGORITHM) != _ALGORITHM:
            raise bad_answer("decrypt")
        return open_data_key(member(answer, "CiphertextForRecipient", bytes, "decrypt"), self._keys.recipient)

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
        except EnclaveError:
            raise
        except ClientError as error:
            raise refusal(operation, error) from None
        except (ConnectionError, HTTPClientError):
            raise KMSUnreachable(f"{operation}: expected an answer through the proxy, got none") from None
        except (BotoCoreError, AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RuntimeError):
            # What botocore's parser raises for an answer that is JSON, but not of KMS.
            raise bad_answer(operation) from None
        return answer
