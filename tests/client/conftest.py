"""A simulated enclave behind a gateway on a loopback port, and sessions and clients towards it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from attestation.anchors import SimulatedTrustAnchor
from strongroom.client.aio import AsyncClient
from strongroom.client.session import AttestedSession
from strongroom.client.terms import Terms
from strongroom.simulator.pki import SimulatedPKI
from tests.client.fake_enclave import Clock, FakeEnclave
from tests.client.fake_gateway import FakeGateway
from tests.client.resting import Desk

NewSession = Callable[..., AttestedSession]
NewClient = Callable[..., AsyncClient]


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> SimulatedPKI:
    return SimulatedPKI.open(Path(tmp_path_factory.mktemp("pki")), seed=b"client tests".ljust(32))


@pytest.fixture(scope="session")
def anchor(pki: SimulatedPKI) -> SimulatedTrustAnchor:
    return SimulatedTrustAnchor.from_pem(pki.root_pem())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def enclave(pki: SimulatedPKI, clock: Clock) -> FakeEnclave:
    return FakeEnclave(pki, clock=clock)


@pytest.fixture
async def gateway(enclave: FakeEnclave) -> AsyncIterator[FakeGateway]:
    gateway = FakeGateway(enclave)
    await gateway.start()
    yield gateway
    await gateway.stop()


@pytest.fixture
async def new_session(gateway: FakeGateway, anchor: SimulatedTrustAnchor, clock: Clock) -> AsyncIterator[NewSession]:
    async with AsyncExitStack() as stack:

        def new(**overrides: Any) -> AttestedSession:
            given = {"policy": gateway.enclave.policy(), "anchor": anchor, "allow_simulated": True, "clock": clock}
            url = overrides.pop("url", gateway.url)
            session = AttestedSession(url, **{**given, "timeout_s": 5.0, **overrides})
            stack.push_async_callback(session.close)
            return session

        yield new


@pytest.fixture
def session(new_session: NewSession) -> AttestedSession:
    return new_session()


@pytest.fixture
async def client(gateway: FakeGateway, anchor: SimulatedTrustAnchor) -> AsyncIterator[AsyncClient]:
    policy = gateway.enclave.policy()
    async with AsyncClient(gateway.url, policy=policy, anchor=anchor, allow_simulated=True, timeout_s=5.0) as client:
        yield client


@pytest.fixture
def desk(gateway: FakeGateway, anchor: SimulatedTrustAnchor, tmp_path: Path) -> Desk:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("first")
    (tmp_path / "in" / "b.txt").write_text("second")
    (tmp_path / "in" / "c.json").write_text('{"task": "embed", "texts": ["x"]}')
    return Desk(tmp_path, gateway, Terms(gateway.enclave.policy(), anchor, allow_simulated=True))
