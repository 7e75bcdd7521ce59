"""The simulated image's measurements: they follow from the very modules that Dockerfile.enclave copies.

Change a measured module and PCR0 and PCR2 change, as a rebuilt EIF's would. They are no EIF's values: nothing here is
built by nitro-cli, and PCR1 stands for a kernel that does not exist.
"""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

from attestation.measurements import ZERO, extend

MEASURED = (
    "attestation/__init__.py",
    "attestation/bindings.py",
    "attestation/cbor.py",
    "attestation/checkpoints.py",
    "attestation/cose.py",
    "attestation/documents.py",
    "attestation/errors.py",
    "attestation/evidence.py",
    "attestation/fields.py",
    "attestation/key_policy",
    "attestation/measurements.py",
    "attestation/merkle.py",
    "attestation/proof_errors.py",
    "attestation/receipt_claims.py",
    "attestation/receipts.py",
    "attestation/signing.py",
    "enclave",
    "strongroom/__init__.py",
    "strongroom/protocol",
    "strongroom/transport",
)
"""What Dockerfile.enclave copies of ours, relative to the folder that holds the packages."""

_ROOT = Path(__file__).parents[2]


def image_pcrs() -> dict[int, bytes]:
    """PCR0, 1 and 2 (48 bytes each) of the enclave code that is installed here."""
    kernel = f"simulated kernel, Python {sys.version_info.major}.{sys.version_info.minor}".encode()
    code = measured_sha384()
    sections = {0: kernel + code, 1: kernel, 2: code}
    return {index: extend(ZERO, hashlib.sha384(data).digest()) for index, data in sections.items()}


def measured_sha384() -> bytes:
    """One digest (48 bytes) of the measured modules: over each one's path, a zero byte and its content's SHA-384."""
    application = hashlib.sha384()
    for path in _measured_files():
        content = hashlib.sha384(path.read_bytes()).digest()
        application.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + content)
    return application.digest()


def _measured_files() -> Iterator[Path]:
    for path in (_ROOT / name for name in MEASURED):
        found = path.rglob("*") if path.is_dir() else (path,)
        yield from sorted(file for file in found if file.is_file() and "__pycache__" not in file.parts)
