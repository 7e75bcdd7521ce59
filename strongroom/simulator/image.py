"""The simulated image's measurements: they follow from the very modules that Dockerfile.enclave copies.

Change a measured module and PCR0 and PCR2 change, as a rebuilt EIF's would. They are no EIF's values: nothing here is
built by nitro-cli, and PCR1 stands for a kernel that does not exist.
"""

import hashlib
import sys
from pathlib import Path

from attestation.measurements import ZERO, extend
from strongroom.image.measured import MEASURED

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
    for name in MEASURED:
        content = hashlib.sha384((_ROOT / name).read_bytes()).digest()
        application.update(name.encode() + b"\0" + content)
    return application.digest()
