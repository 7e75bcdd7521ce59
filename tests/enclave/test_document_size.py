"""Documents and the driver's 12 KiB: what the enclave asks for always fits, and what does not fit is an error (R24)."""

from pathlib import Path

import pytest

from attestation.bindings import MAX_USER_DATA_BYTES, kms_user_data, statement_user_data
from attestation.documents import AttestationDocument
from enclave.keys import BootKeys
from enclave.nsm.device import DeviceNSM
from enclave.nsm.interface import MAX_RESPONSE_BYTES, PCR_COUNT, NSMTruncated
from strongroom.protocol.constants import NONCE_BYTES_MAX
from strongroom.simulator.nsm import SoftwareNSM
from tests.enclave.calling import call, control_of
from tests.enclave.deployment import IMAGE, Booting
from tests.simulator import large_bundle
from tests.simulator.fake_device import FakeDevice


def nsm_of_the_largest_bundle() -> SoftwareNSM:
    """Eight authorities and a leaf of 1,024 bytes each, the most that a document may hold."""
    return SoftwareNSM(
        large_bundle.LargeBundle(),
        image_pcrs=IMAGE,
        parent_role_arn="arn:aws:iam::000000000000:role/Parent",
        parent_instance_id="i-0123456789abcdef0",
        module_id=large_bundle.MODULE_ID,
        clock=lambda: large_bundle.AT_MS,
    )


def test_the_most_that_the_enclave_asks_for_comes_whole_through_the_driver() -> None:
    """All PCRs locked, and the fields of both kinds of document at once."""
    nsm = nsm_of_the_largest_bundle()
    nsm.lock_pcrs(PCR_COUNT)
    document = DeviceNSM(7, ioctl=FakeDevice(nsm)).attest(
        nonce=bytes(NONCE_BYTES_MAX),
        user_data=bytes(MAX_USER_DATA_BYTES),
        public_key=BootKeys.generate().recipient_spki(),
    )
    assert 11 * 1024 < len(document) < MAX_RESPONSE_BYTES
    assert len(AttestationDocument.from_bytes(document).pcrs) == PCR_COUNT


def test_what_the_enclave_asks_for_is_bounded() -> None:
    assert NONCE_BYTES_MAX == 64
    assert max(len(statement_user_data(bytes(48), bytes(65))), len(kms_user_data())) <= MAX_USER_DATA_BYTES == 128


def test_what_the_driver_cuts_is_an_error() -> None:
    nsm = nsm_of_the_largest_bundle()
    nsm.lock_pcrs(PCR_COUNT)
    with pytest.raises(NSMTruncated):
        nsm.attest(nonce=bytes(512), user_data=bytes(512), public_key=bytes(512))


async def test_an_enclave_under_the_largest_bundle_boots(tensor_dir: Path) -> None:
    enclave = Booting([tensor_dir], nsm=nsm_of_the_largest_bundle())
    await enclave.to_catalogued()
    assert len(enclave.boot.identity.evidence.for_kms()) > 10 * 1024


async def test_one_whose_document_is_cut_ends(tensor_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(**_: object) -> bytes:
        raise NSMTruncated("CANARY")

    enclave = Booting([tensor_dir])
    monkeypatch.setattr(enclave.nsm, "attest", cut)
    control, codes = control_of(enclave)
    assert (await call(control, "PUT", "/boot/configuration", enclave.configuration_bytes))[0]["status"] == 204
    assert await call(control, "PUT", "/boot/catalogue", enclave.catalogue_bytes) == []
    assert codes == ["nsm-error"]
