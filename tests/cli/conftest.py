"""What the commands of the client are tried against."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.client.loop_thread import LoopThread
from strongroom.simulator.pki import SimulatedPKI
from tests.cli.served import Served
from tests.client.fake_enclave import FakeEnclave
from tests.client.fake_gateway import FakeGateway


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    pki = SimulatedPKI.open(tmp_path / "pki")
    loop, gateway = LoopThread(), FakeGateway(FakeEnclave(pki))
    loop.run(gateway.start())
    yield Served(gateway, tmp_path, pki)
    loop.run(gateway.stop())
    loop.close()
