"""A simulated enclave behind a gateway in a loop of its own, so that synchronous clients can be held against it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from attestation.anchors import SimulatedTrustAnchor
from strongroom.client.loop_thread import LoopThread
from strongroom.client.session import AttestedSession
from strongroom.simulator.pki import SimulatedPKI
from tests.client.fake_enclave import FakeEnclave
from tests.client.fake_gateway import FakeGateway

NewSession = Callable[..., AttestedSession]


@pytest.fixture
def world() -> Iterator[LoopThread]:
    """The loop of all that is not the client."""
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture
def gateway(world: LoopThread, pki: SimulatedPKI) -> Iterator[FakeGateway]:
    gateway = world.run(_started(FakeEnclave(pki)))
    yield gateway
    world.run(gateway.stop())


@pytest.fixture
def new_session(gateway: FakeGateway, anchor: SimulatedTrustAnchor) -> NewSession:
    """Sessions that trust this very enclave; who uses one closes it."""

    def new(**overrides: Any) -> AttestedSession:
        given = {"policy": gateway.enclave.policy(), "anchor": anchor, "allow_simulated": True, "timeout_s": 30.0}
        return AttestedSession(gateway.url, **{**given, **overrides})

    return new


async def _started(enclave: FakeEnclave) -> FakeGateway:
    gateway = FakeGateway(enclave)
    await gateway.start()
    return gateway
