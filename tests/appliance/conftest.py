"""One appliance for the session: every part a process of its own, three tiny models."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from attestation.anchors import SimulatedTrustAnchor
from attestation.policy_file import load_policy
from strongroom.client import Client
from strongroom.client.endpoint.transports import BASE_URL, Transport
from strongroom.client.session import AttestedSession
from strongroom.models.tiny import build_tiny_decoder, build_tiny_encoder, build_tiny_tensor
from strongroom.simulator.appliance import Appliance


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("packages")
    return [
        build_tiny_decoder(folder / "tiny-decoder"),
        build_tiny_encoder(folder / "tiny-encoder"),
        build_tiny_tensor(folder / "tiny-tensor"),
    ]


@pytest.fixture(scope="session")
def appliance(packages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with Appliance(tmp_path_factory.mktemp("appliance"), packages) as running:
        yield running


def client_of(appliance: Appliance, url: str | None = None, timeout_s: float = 30.0) -> Client:
    """A client that trusts exactly this appliance."""
    endpoint = appliance.endpoint
    return Client(
        url or endpoint.url,
        policy=load_policy(endpoint.policy.read_bytes()),
        anchor=SimulatedTrustAnchor.from_pem(endpoint.anchor.read_bytes()),
        allow_simulated=True,
        timeout_s=timeout_s,
    )


def openai_of(appliance: Appliance, **options: Any) -> openai.OpenAI:
    """The stock client of OpenAI's API, in process, that trusts exactly this appliance."""
    endpoint = appliance.endpoint
    session = AttestedSession(
        endpoint.url,
        policy=load_policy(endpoint.policy.read_bytes()),
        anchor=SimulatedTrustAnchor.from_pem(endpoint.anchor.read_bytes()),
        allow_simulated=True,
    )
    http_client = httpx2.Client(transport=Transport(session))
    return openai.OpenAI(base_url=BASE_URL, api_key="none", max_retries=0, http_client=http_client, **options)


@pytest.fixture
def client(appliance: Appliance) -> Iterator[Client]:
    with client_of(appliance) as made:
        yield made
