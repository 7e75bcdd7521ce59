"""One dev KMS over real TLS on the loopback, shared by the tests of this folder; keys are made per test."""

import gc
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
import uvicorn
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import rsa
from mypy_boto3_kms import KMSClient

from strongroom.simulator.kms.app import build_app
from strongroom.simulator.kms.credentials import RoleCredentials, register
from strongroom.simulator.kms.tls import server_certificate
from tests.simulator.helpers import IMAGE, ROLE_ARN

REGION = "us-east-1"
ROLE_KEY_ID, ROLE_SECRET, ROLE_TOKEN = "ASIAROLE000000000001", "role secret", "role token"
OTHER_KEY_ID, OTHER_SECRET, OTHER_ARN = "AKIAOTHER00000000002", "other secret", "arn:aws:iam::111111111111:role/Other"

ClientMaker = Callable[..., KMSClient]


@dataclass(frozen=True)
class Served:
    """A running dev KMS."""

    state_dir: Path
    url: str
    ca: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    state_dir = tmp_path_factory.mktemp("state")
    register(state_dir, ROLE_KEY_ID, RoleCredentials(ROLE_ARN, ROLE_SECRET, ROLE_TOKEN))
    register(state_dir, OTHER_KEY_ID, RoleCredentials(OTHER_ARN, OTHER_SECRET))
    config = uvicorn.Config(
        build_app(state_dir), ssl_certfile=server_certificate(state_dir, region=REGION), lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield Served(state_dir, f"https://127.0.0.1:{listener.getsockname()[1]}", state_dir / "tls" / "ca.pem")
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[ClientMaker]:
    """Makes unmodified boto3 clients that trust only the dev CA; an operator's by default."""
    with ExitStack() as open_clients:

        def make(key_id: str = "operator", secret: str = "any", token: str | None = None) -> KMSClient:
            made = boto3.client(
                "kms",
                region_name=REGION,
                endpoint_url=served.url,
                verify=str(served.ca),
                aws_access_key_id=key_id,
                aws_secret_access_key=secret,
                aws_session_token=token,
                config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=10),
            )
            open_clients.callback(made.close)
            return made

        yield make
        gc.collect()  # errors kept by pytest.raises keep the sockets of their answers open


@pytest.fixture(scope="module")
def operator(client: ClientMaker) -> KMSClient:
    return client()


@pytest.fixture(scope="module")
def enclave(client: ClientMaker) -> KMSClient:
    """What an enclave calls with: the parent's role."""
    return client(ROLE_KEY_ID, ROLE_SECRET, ROLE_TOKEN)


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def floor_policy(*, pcr0: bytes = IMAGE[0], role: str = ROLE_ARN) -> str:
    """The operator administers and makes data keys; only the attested image decrypts; a Deny floor beneath."""
    attested = {"kms:RecipientAttestation:PCR0": pcr0.hex().upper()}
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
                    "NotAction": ["kms:Decrypt", "kms:ReEncryptFrom"],
                    "Resource": "*",
                },
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": role},
                    "Action": "kms:Decrypt",
                    "Resource": "*",
                    "Condition": {
                        "StringEqualsIgnoreCase": attested,
                        "StringEquals": {"kms:EncryptionContext:model": "m"},
                    },
                },
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": ["kms:Decrypt", "kms:ReEncryptFrom"],
                    "Resource": "*",
                    "Condition": {"StringNotEqualsIgnoreCase": attested},
                },
            ],
        }
    )
