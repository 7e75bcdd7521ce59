"""The client through the real proxy to the dev KMS: whose credentials work, and what happens when they are replaced."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from enclave.clock import Clock
from enclave.errors import KMSRefused, KMSUnreachable
from enclave.evidence import Evidence
from enclave.keys import BootKeys
from enclave.kms.client import KMSClient
from enclave.kms.credentials import PushedCredentialProvider, PushedCredentials
from strongroom.protocol.configuration import KeyEntry, KMSSettings
from strongroom.simulator.kms.credentials import RoleCredentials, register
from strongroom.simulator.nsm import SoftwareNSM
from strongroom.simulator.operator import PARENT_ROLE
from strongroom.simulator.part import Part
from strongroom.simulator.pki import SimulatedPKI
from strongroom.transport.addresses import UnixAddress
from tests.enclave.deployment import IMAGE

REGION = "us-east-1"
OTHER_ACCOUNT = PARENT_ROLE.replace("000000000000", "111111111111")
ROOT = "arn:aws:iam::000000000000:root"


@dataclass
class Deployed:
    """A running dev KMS with one key, for which one data key was made."""

    folder: Path
    entry: KeyEntry
    data_key: bytes
    wrapped: bytes

    def client(self, provider: PushedCredentialProvider) -> KMSClient:
        keys = BootKeys.generate()
        nsm = SoftwareNSM(
            SimulatedPKI.open(self.folder),
            image_pcrs=IMAGE,
            parent_role_arn=PARENT_ROLE,
            parent_instance_id="i-0123456789abcdef0",
        )
        ca_pem = (self.folder / "tls" / "ca.pem").read_text()
        return KMSClient(
            UnixAddress(self.folder / "proxy.sock"),
            KMSSettings(runtime_role=PARENT_ROLE, ca_pem=ca_pem, classical=True),
            REGION,
            provider,
            evidence=Evidence(nsm, keys, Clock(nsm.attest())),
            keys=keys,
        )


def policy() -> str:
    """The account's root manages the key, the parent's role decrypts from inside the image."""
    attested = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": IMAGE[0].hex()}}
    manage = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "NotAction": "kms:Decrypt", "Resource": "*"}
    unwrap = {"Effect": "Allow", "Principal": {"AWS": PARENT_ROLE}, "Action": "kms:Decrypt", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [manage, {**unwrap, "Condition": attested}]})


def make_key(folder: Path, port: int) -> Deployed:
    operator: Any = boto3.Session(aws_access_key_id="operator", aws_secret_access_key="any").client(
        "kms", region_name=REGION, endpoint_url=f"https://127.0.0.1:{port}", verify=str(folder / "tls" / "ca.pem")
    )
    arn = operator.create_key()["KeyMetadata"]["Arn"]
    operator.put_key_policy(KeyId=arn, PolicyName="default", Policy=policy())
    entry = KeyEntry("requests", "request", "demo", arn)
    made = operator.generate_data_key(KeyId=arn, KeySpec="AES_256", EncryptionContext=entry.fixed_context)
    operator.close()
    return Deployed(folder, entry, made["Plaintext"], made["CiphertextBlob"])


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("kms")
    kms = Part("kms", "strongroom", ["simulator", "kms", "--state=.", "--tls"], folder=folder)
    port = kms.wait_announced(20)["port"]
    rule = f"--allow=kms.{REGION}.amazonaws.com:443=127.0.0.1:{port}"
    proxy = Part("proxy", "proxy", ["--listen=unix:proxy.sock", rule], folder=folder)
    proxy.wait_announced(20)
    yield make_key(folder, port)
    proxy.stop()
    kms.stop()


def push(
    deployed: Deployed, provider: PushedCredentialProvider, key_id: str, role: str, secret: str = "secret"
) -> None:
    register(deployed.folder, key_id, RoleCredentials(role, "secret", "token"))
    provider.push(PushedCredentials(key_id, secret, "token", 1 << 52))


@pytest.fixture
def provider() -> PushedCredentialProvider:
    return PushedCredentialProvider(lambda: 0)


@pytest.fixture
def client(deployed: Deployed, provider: PushedCredentialProvider) -> Iterator[KMSClient]:
    made = deployed.client(provider)
    yield made
    made.close()


def unwrap(client: KMSClient, deployed: Deployed, **more: str) -> bytes:
    return client.unwrap(deployed.entry, deployed.entry.fixed_context | more, deployed.wrapped)


def test_the_parents_role_gets_the_key_and_so_does_its_next_push(
    deployed: Deployed, provider: PushedCredentialProvider, client: KMSClient
) -> None:
    for key_id in ("ASIAFIRST", "ASIASECOND"):
        push(deployed, provider, key_id, PARENT_ROLE)
        assert unwrap(client, deployed) == deployed.data_key


def test_a_second_accounts_credentials_are_refused_and_the_first_work_again(
    deployed: Deployed, provider: PushedCredentialProvider, client: KMSClient
) -> None:
    push(deployed, provider, "ASIAOTHER", OTHER_ACCOUNT)
    with pytest.raises(KMSRefused) as caught:
        unwrap(client, deployed)
    assert caught.value.code == "kms-access-denied"
    with pytest.raises(KMSRefused):
        client.describe_key(deployed.entry.arn)
    push(deployed, provider, "ASIATHIRD", PARENT_ROLE)
    assert unwrap(client, deployed) == deployed.data_key


def test_a_wrong_secret_or_another_token_is_refused(
    deployed: Deployed, provider: PushedCredentialProvider, client: KMSClient
) -> None:
    push(deployed, provider, "ASIAFORGED", PARENT_ROLE, secret="another")
    with pytest.raises(KMSRefused) as caught:
        unwrap(client, deployed)
    assert caught.value.code == "kms-error"
    provider.push(PushedCredentials("ASIAFORGED", "secret", "old token", 1 << 52))
    with pytest.raises(KMSRefused):
        unwrap(client, deployed)


def test_expired_credentials_wait_for_a_push(deployed: Deployed) -> None:
    now_ms = [0]
    provider = PushedCredentialProvider(lambda: now_ms[0])
    client = deployed.client(provider)
    register(deployed.folder, "ASIASHORT", RoleCredentials(PARENT_ROLE, "secret", "token"))
    provider.push(PushedCredentials("ASIASHORT", "secret", "token", 1000))
    assert unwrap(client, deployed) == deployed.data_key
    now_ms[0] = 1000
    with pytest.raises(KMSUnreachable, match="expired"):
        unwrap(client, deployed)
    provider.push(PushedCredentials("ASIASHORT", "secret", "token", 2000))
    assert unwrap(client, deployed) == deployed.data_key
    client.close()


def test_another_context_is_kms_to_refuse(
    deployed: Deployed, provider: PushedCredentialProvider, client: KMSClient
) -> None:
    push(deployed, provider, "ASIACONTEXT", PARENT_ROLE)
    with pytest.raises(KMSRefused) as caught:
        unwrap(client, deployed, model="other")
    assert caught.value.code == "kms-error"


def test_the_description_is_kms_own(deployed: Deployed, client: KMSClient, provider: PushedCredentialProvider) -> None:
    provider.push(PushedCredentials("operator", "any", "", 1 << 52))
    metadata, text, grants = client.describe_key(deployed.entry.arn)
    assert (metadata["Arn"], metadata["Enabled"], text, grants) == (deployed.entry.arn, True, policy(), [])
