"""Our builder and measurer against QEMU's own: one image, built here, read, measured and booted there."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from attestation.documents import AttestationDocument
from attestation.errors import Rejected, RejectionCode
from attestation.measurements import parent_instance_pcr4, parent_role_pcr3
from strongroom.image.local_parts import CMDLINE
from tests.boot.nitro import INSTANCE, PARTS, ROLE, boot, require_nitro_machine, write_telling
from tests.image.signers import write_pair


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_nitro_machine()
    return tmp_path_factory.mktemp("nitro")


@pytest.fixture(scope="module")
def measured(folder: Path) -> dict[str, str]:
    """What `strongroom eif build` says of the image that it writes: the local one, told to speak."""
    certificate, private_key = write_pair(folder)
    ramdisks = (PARTS / "strongroom-local.cpio", PARTS / "application.cpio", write_telling(folder / "tell.cpio"))
    command = [
        *(sys.executable, "-m", "strongroom", "eif", "build", f"--kernel={PARTS / 'vmlinuz'}", f"--cmdline={CMDLINE}"),
        *(f"--ramdisk={ramdisk}" for ramdisk in ramdisks),
        *(f"--signing-certificate={certificate}", f"--private-key={private_key}"),
        *(f"--output={folder / 'tell.eif'}", "--json"),
    ]
    built = subprocess.run(command, capture_output=True, timeout=120, check=True)
    measurements: dict[str, str] = json.loads(built.stdout)["Measurements"]
    return measurements


@pytest.fixture(scope="module")
def told(measured: dict[str, str], folder: Path) -> dict[str, Any]:
    return boot(folder / "tell.eif", folder)


def test_its_measurements_are_ours(told: dict[str, Any], measured: dict[str, str]) -> None:
    predicted = {index: measured[f"PCR{index}"] for index in (0, 1, 2, 8)}
    parent = {3: parent_role_pcr3(ROLE).hex(), 4: parent_instance_pcr4(INSTANCE).hex()}
    assert {int(index): value for index, value in told["pcrs"].items()} == {**predicted, **parent}


def test_its_documents_are_refused(told: dict[str, Any]) -> None:
    """It signs nothing, and says so in the algorithm: refused before any anchor or policy is asked."""
    with pytest.raises(Rejected) as refused:
        AttestationDocument.from_bytes(bytes.fromhex(told["document"]))
    assert refused.value.code is RejectionCode.COSE_ALGORITHM
