"""The Nitro Security Module: what the enclave asks of it, and what it may answer.

Interface of AWS's nsm-api (serde's external enums in CBOR) and of Linux's drivers/misc/nsm.c:
one ioctl carries one request of at most 4 KiB and one answer of at most 12 KiB.

    NSMError
     ├─ NSMUnavailable   the device cannot be opened, or the ioctl failed
     ├─ NSMRefused       the module answered with an error; `.code` says which
     └─ NSMMalformed     the answer is not what the operation promises
         └─ NSMTruncated the driver cut the answer short
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

MAX_REQUEST_BYTES = 0x1000
MAX_RESPONSE_BYTES = 0x3000
PCR_COUNT = 32
PCR_BYTES = 48
MAX_RANDOM_BYTES = 256


class NSMErrorCode(StrEnum):
    """The error names of AWS's nsm-api (`enum ErrorCode`)."""

    INVALID_ARGUMENT = "InvalidArgument"
    INVALID_INDEX = "InvalidIndex"
    INVALID_RESPONSE = "InvalidResponse"
    READ_ONLY_INDEX = "ReadOnlyIndex"
    INVALID_OPERATION = "InvalidOperation"
    BUFFER_TOO_SMALL = "BufferTooSmall"
    INPUT_TOO_LARGE = "InputTooLarge"
    INTERNAL_ERROR = "InternalError"


class NSMError(Exception):
    """The security module did not do what was asked."""


class NSMUnavailable(NSMError):
    """The device cannot be reached; carries the operating system's reason."""


class NSMRefused(NSMError):
    """The module refused the request. `code` is its own word for why."""

    def __init__(self, code: NSMErrorCode) -> None:
        super().__init__(f"the NSM refused the request: {code}")
        self.code = code


class NSMMalformed(NSMError):
    """The answer does not have the shape of the operation."""


class NSMTruncated(NSMMalformed):
    """The answer ends early: it did not fit the driver's 12 KiB. Ask for a smaller document."""


@dataclass(frozen=True, slots=True)
class NSMDescription:
    """The module's own account of itself (DescribeNSM)."""

    module_id: str
    version: tuple[int, int, int]
    max_pcrs: int
    locked_pcrs: frozenset[int]
    digest: str


@dataclass(frozen=True, slots=True)
class PCRState:
    """One PCR: its 48-byte value, and whether it can still be extended."""

    locked: bool
    value: bytes


class NSM(Protocol):
    """What the enclave needs of a security module. Every method raises `NSMError`."""

    def describe_nsm(self) -> NSMDescription:
        """Module id, version, and which PCRs are locked."""

    def describe_pcr(self, index: int) -> PCRState:
        """The state of PCR `index` (0..31)."""

    def extend_pcr(self, index: int, data: bytes) -> bytes:
        """Set PCR `index` to SHA384(old value ‖ data) and return it. ReadOnlyIndex if locked."""

    def lock_pcr(self, index: int) -> None:
        """Make PCR `index` read-only for this boot. ReadOnlyIndex if it already is."""

    def lock_pcrs(self, range_: int) -> None:
        """Lock PCRs 0 up to, and without, `range_`."""

    def get_random(self) -> bytes:
        """1 to 256 bytes from the module's generator."""

    def attest(
        self, *, user_data: bytes | None = None, nonce: bytes | None = None, public_key: bytes | None = None
    ) -> bytes:
        """An attestation document over the locked PCRs; the fields hold at most 512, 512 and 1024 bytes."""
