"""An image that differs in one byte of one module's docstring: KMS gives it no key, and clients give it no prompt."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from attestation.eif.reader import EIF
from attestation.policy import Measurements
from attestation.policy_file import dump_measurements
from strongroom.client import AttestationRefused
from strongroom.simulator.part import PartFailed
from tests.boot.appliance import Running, client_of
from tests.boot.image import with_one_byte_changed

MARKER = b'"""The entry point of the image: '


class NewRunning(Protocol):
    def __call__(
        self, image: Path | None = None, expected: Mapping[int, bytes] | None = None
    ) -> AbstractContextManager[Running]: ...


def image_pcrs(eif: Path) -> dict[int, bytes]:
    with eif.open("rb") as stream:
        pcrs = EIF.from_stream(stream).pcrs
    return {index: pcrs[index] for index in range(3)}


@pytest.fixture(scope="module")
def changed(eif: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = with_one_byte_changed(eif, tmp_path_factory.mktemp("changed") / "changed.eif", MARKER)
    before, after = image_pcrs(eif), image_pcrs(copy)
    assert {index for index in before if before[index] != after[index]} == {0, 2}
    return copy


def test_kms_refuses_it(changed: Path, eif: Path, new_running: NewRunning) -> None:
    with new_running(changed, image_pcrs(eif)) as running:
        with pytest.raises(PartFailed):
            running.appliance.start_machine()
        assert "key release" not in running.appliance.stages.ended
        assert "kms-access-denied" in running.appliance.stages.codes
        assert "init: the application ended with exit code 70" in running.appliance.console


def test_a_client_refuses_it(changed: Path, eif: Path, new_running: NewRunning, tmp_path: Path) -> None:
    """Its own deployment lets it up; a client that expects the original sends it nothing."""
    with new_running(changed) as running:
        running.appliance.start_machine()
        expected = Measurements({**running.appliance.endpoint.measurements.pcrs, **image_pcrs(eif)})
        policy = tmp_path / "policy.toml"
        policy.write_text(dump_measurements([expected]))
        with client_of(running.appliance, policy) as client, pytest.raises(AttestationRefused) as refused:
            client.chat("hello")
        assert refused.value.rejection is not None
        assert refused.value.rejection.code.rejection_class == "policy-mismatch"
        with client_of(running.appliance) as client:
            assert client.chat("hello", max_tokens=2).completion_tokens > 0
