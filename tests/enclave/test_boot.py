"""The boot sequence before KMS: measured once, in order, or the enclave ends (R4, R17)."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from attestation.documents import AttestationDocument
from attestation.measurements import catalogue_pcr16, configuration_pcr17
from enclave.boot.measure import measure_once
from enclave.errors import BootRefused, KMSUnreachable
from enclave.nsm.interface import NSMRefused, PCRState
from strongroom.protocol.constants import BootState
from strongroom.protocol.errors import InvalidDocument, TooLarge
from tests.enclave.deployment import Booting, new_nsm

DIGEST = hashlib.sha384(b"x").digest()
CREDENTIALS = b'{"access_key_id":"A","secret_access_key":"S","session_token":"","expires_ms":4000000000000}'


async def no_body() -> AsyncIterator[bytes]:
    return
    yield b""


STEPS: dict[str, Callable[[Booting], Awaitable[None]]] = {
    "configure": lambda enclave: enclave.boot.configure(enclave.configuration_bytes),
    "catalogue": lambda enclave: enclave.boot.set_catalogue(enclave.catalogue_bytes),
    "check": lambda enclave: enclave.boot.check_keys(),
    "release": lambda enclave: enclave.boot.release("tiny-tensor", b""),
    "load": lambda enclave: enclave.boot.load("tiny-tensor", 0, 1, no_body()),
}


@pytest.fixture
def enclave(tensor_dir: Path) -> Booting:
    return Booting([tensor_dir])


async def test_the_first_steps_measure_the_bytes_as_received(enclave: Booting) -> None:
    await enclave.to_catalogued()
    assert enclave.boot.state is BootState.CATALOGUED
    document = AttestationDocument.from_bytes(enclave.boot.identity.evidence.for_kms())
    assert document.pcrs[16] == catalogue_pcr16(enclave.catalogue_bytes)
    assert document.pcrs[17] == configuration_pcr17(enclave.configuration_bytes)


async def test_no_client_document_can_be_made_before_the_keys_are_checked(enclave: Booting) -> None:
    await enclave.to_catalogued()
    assert not hasattr(enclave.boot, "client_evidence")
    assert not hasattr(enclave.boot.identity.evidence, "live")


@pytest.mark.parametrize("step", ["catalogue", "check", "release", "load"])
async def test_no_step_before_the_configuration(enclave: Booting, step: str) -> None:
    with pytest.raises(BootRefused, match="expected a step"):
        await STEPS[step](enclave)


@pytest.mark.parametrize("step", ["configure", "check", "release", "load"])
async def test_no_other_step_after_the_configuration(enclave: Booting, step: str) -> None:
    await enclave.boot.configure(enclave.configuration_bytes)
    with pytest.raises(BootRefused, match="expected a step"):
        await STEPS[step](enclave)


@pytest.mark.parametrize("step", ["configure", "catalogue", "release", "load"])
async def test_no_other_step_after_the_catalogue(enclave: Booting, step: str) -> None:
    await enclave.to_catalogued()
    with pytest.raises(BootRefused, match="expected a step"):
        await STEPS[step](enclave)


async def test_two_configurations_at_once_measure_one(enclave: Booting) -> None:
    results = await asyncio.gather(STEPS["configure"](enclave), STEPS["configure"](enclave), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), BootRefused]


@pytest.mark.parametrize("index", [16, 17])
@pytest.mark.parametrize("lock", [False, True])
async def test_a_pcr_that_was_used_before_ends_the_boot(enclave: Booting, index: int, lock: bool) -> None:
    enclave.nsm.extend_pcr(index, b"another configuration")
    if lock:
        enclave.nsm.lock_pcr(index)
    with pytest.raises(BootRefused, match="restart the enclave"):
        await enclave.to_catalogued()


async def test_a_pcr_that_was_only_locked_ends_the_boot(enclave: Booting) -> None:
    enclave.nsm.lock_pcr(17)
    with pytest.raises(BootRefused):
        await enclave.boot.configure(enclave.configuration_bytes)


class _ForgetsToLock:
    """An NSM whose lock does nothing: what reading back is for."""

    def __init__(self) -> None:
        self._nsm = new_nsm()

    def __getattr__(self, name: str) -> object:
        return getattr(self._nsm, name)

    def lock_pcr(self, index: int) -> None:
        pass


class _ReadsBackAnother(_ForgetsToLock):
    def describe_pcr(self, index: int) -> PCRState:
        state = self._nsm.describe_pcr(index)
        return PCRState(True, b"\1" * 48) if state.value != bytes(48) else state


@pytest.mark.parametrize("nsm", [_ForgetsToLock, _ReadsBackAnother])
def test_an_nsm_that_answers_otherwise_ends_the_boot(nsm: type) -> None:
    with pytest.raises(BootRefused, match="locked"):
        measure_once(nsm(), 17, DIGEST)


def test_measuring_twice_ends_the_boot() -> None:
    nsm = new_nsm()
    measure_once(nsm, 17, DIGEST)
    with pytest.raises(BootRefused):
        measure_once(nsm, 17, DIGEST)
    with pytest.raises(NSMRefused):
        nsm.extend_pcr(17, DIGEST)


@pytest.mark.parametrize("data", [b"", b"\xff", b"version = 2", b"version = 1"])
async def test_a_configuration_is_measured_before_it_is_read(enclave: Booting, data: bytes) -> None:
    with pytest.raises(InvalidDocument):
        await enclave.boot.configure(data)
    assert enclave.nsm.describe_pcr(17) == PCRState(True, configuration_pcr17(data))


async def test_a_catalogue_must_name_keys_of_the_configuration(enclave: Booting) -> None:
    await enclave.boot.configure(enclave.configuration_bytes)
    with pytest.raises(InvalidDocument, match="expected a key entry"):
        await enclave.boot.set_catalogue(enclave.catalogue_bytes.replace(b'"models"', b'"other"'))


async def test_oversized_documents_are_refused(enclave: Booting) -> None:
    with pytest.raises(TooLarge):
        await enclave.boot.configure(b"#" * (65 << 10))


async def test_credentials_come_after_the_catalogue_and_as_often_as_needed(enclave: Booting) -> None:
    with pytest.raises(BootRefused):
        enclave.boot.push_credentials(CREDENTIALS)
    await enclave.to_catalogued()
    enclave.boot.push_credentials(CREDENTIALS)
    enclave.boot.push_credentials(CREDENTIALS)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"access_key_id":"CANARY"}',
        CREDENTIALS[:-1] + b',"x":1}',
        CREDENTIALS.replace(b'"S"', b'"S\\n"'),
    ],
)
async def test_bad_credentials_are_refused_and_not_quoted(enclave: Booting, data: bytes) -> None:
    await enclave.to_catalogued()
    with pytest.raises(BootRefused) as caught:
        enclave.boot.push_credentials(data)
    assert "CANARY" not in str(caught.value)


async def test_without_kms_the_key_check_can_be_tried_again(enclave: Booting) -> None:
    await enclave.to_catalogued()
    enclave.boot.push_credentials(CREDENTIALS)
    for _ in range(2):
        with pytest.raises(KMSUnreachable):
            await enclave.boot.check_keys()
    assert enclave.boot.state is BootState.CATALOGUED


async def test_without_credentials_kms_is_not_reached(enclave: Booting) -> None:
    await enclave.to_catalogued()
    with pytest.raises(KMSUnreachable, match="push"):
        await enclave.boot.check_keys()
