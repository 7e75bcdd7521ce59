"""What the commands of the client are tried against."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from attestation.policy_file import dump_measurements
from strongroom.cli import seal as seal_command
from strongroom.client.loop_thread import LoopThread
from strongroom.documents import to_toml
from strongroom.simulator.pki import SimulatedPKI
from tests.cli.resting import Rest
from tests.cli.served import Served
from tests.client.fake_enclave import CONFIGURATION, FakeEnclave
from tests.client.fake_gateway import FakeGateway


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    pki = SimulatedPKI.open(tmp_path / "pki")
    loop, gateway = LoopThread(), FakeGateway(FakeEnclave(pki))
    loop.run(gateway.start())
    yield Served(gateway, tmp_path, pki)
    loop.run(gateway.stop())
    loop.close()


@pytest.fixture
def rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rest]:
    pki = SimulatedPKI.open(tmp_path / "pki")
    loop, gateway = LoopThread(), FakeGateway(FakeEnclave(pki))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("first")
    (tmp_path / "in" / "b.txt").write_text("second")
    (tmp_path / "in" / "c.json").write_text('{"task": "embed", "texts": ["x"]}')
    (tmp_path / "deployment.toml").write_bytes(to_toml(CONFIGURATION))
    (tmp_path / "policy.toml").write_text(dump_measurements([gateway.enclave.policy()]))
    (tmp_path / "root.pem").write_bytes(pki.root_pem())

    def make_key(arn: str, context: dict[str, str], *_: object) -> tuple[bytes, bytes]:
        made = gateway.enclave.kms.generate_data_key(KeyId=arn, EncryptionContext=context)
        return made["Plaintext"], made["CiphertextBlob"]

    monkeypatch.setattr(seal_command, "generate_data_key", make_key)
    loop.run(gateway.start())
    yield Rest(tmp_path, gateway)
    loop.run(gateway.stop())
    loop.close()
