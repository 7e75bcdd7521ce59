"""The Nitro Security Module: what the enclave asks of it, and the client for /dev/nsm.

Interface of AWS's nsm-api (serde's external enums in CBOR) and of Linux's drivers/misc/nsm.c:
one ioctl carries one request of at most 4 KiB and one answer of at most 12 KiB.

    NSMError
     ├─ NSMUnavailable   the device cannot be opened, or the ioctl failed
     ├─ NSMRefused       the module answered with an error; `.code` says which
     └─ NSMMalformed     the answer is not what the operation promises
         └─ NSMTruncated the driver cut the answer short
"""

import ctypes
import errno
import fcntl
import io
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self, TypeGuard

import cbor2

NSM_IOCTL_RAW = 0xC0200A00
"""_IOWR(0x0A, 0, 32 bytes): the argument is two iovecs, request and response."""

MAX_REQUEST_BYTES = 0x1000
MAX_RESPONSE_BYTES = 0x3000
PCR_COUNT = 32
PCR_BYTES = 48
MAX_RANDOM_BYTES = 256

_IOVECS = struct.Struct("=QQQQ")
_MAX_ANSWER_DEPTH = 4

Ioctl = Callable[[int, int, bytearray], object]
"""`fcntl.ioctl` in its mutating form: (file descriptor, request code, argument)."""


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


class DeviceNSM:
    """The `NSM` behind /dev/nsm. Calls block while the driver serialises them; keep them off hot paths."""

    def __init__(self, fd: int, *, ioctl: Ioctl = fcntl.ioctl) -> None:
        self._fd = fd
        self._ioctl = ioctl

    @classmethod
    def open(cls, path: str = "/dev/nsm") -> Self:
        """Open the device for the life of the process. Raises `NSMUnavailable`."""
        try:
            # The driver has no llseek, so Python's buffered open() cannot be used.
            return cls(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        except OSError as error:
            raise NSMUnavailable(f"cannot open {path}: {os.strerror(error.errno or 0)}") from error

    def describe_nsm(self) -> NSMDescription:
        """See `NSM.describe_nsm`."""
        fields = _Fields(
            self._call("DescribeNSM", None),
            {
                "version_major",
                "version_minor",
                "version_patch",
                "module_id",
                "max_pcrs",
                "locked_pcrs",
                "digest",
            },
        )
        version = (
            fields.integer("version_major"),
            fields.integer("version_minor"),
            fields.integer("version_patch"),
        )
        max_pcrs = fields.integer("max_pcrs")
        return NSMDescription(
            module_id=fields.text("module_id"),
            version=version,
            max_pcrs=max_pcrs,
            locked_pcrs=fields.indexes("locked_pcrs", below=max_pcrs),
            digest=fields.text("digest"),
        )

    def describe_pcr(self, index: int) -> PCRState:
        """See `NSM.describe_pcr`."""
        fields = _Fields(self._call("DescribePCR", {"index": index}), {"lock", "data"})
        return PCRState(locked=fields.boolean("lock"), value=fields.octets("data", PCR_BYTES, PCR_BYTES))

    def extend_pcr(self, index: int, data: bytes) -> bytes:
        """See `NSM.extend_pcr`."""
        fields = _Fields(self._call("ExtendPCR", {"index": index, "data": data}), {"data"})
        return fields.octets("data", PCR_BYTES, PCR_BYTES)

    def lock_pcr(self, index: int) -> None:
        """See `NSM.lock_pcr`."""
        self._command("LockPCR", {"index": index})

    def lock_pcrs(self, range_: int) -> None:
        """See `NSM.lock_pcrs`."""
        self._command("LockPCRs", {"range": range_})

    def get_random(self) -> bytes:
        """See `NSM.get_random`."""
        return _Fields(self._call("GetRandom", None), {"random"}).octets("random", 1, MAX_RANDOM_BYTES)

    def attest(
        self, *, user_data: bytes | None = None, nonce: bytes | None = None, public_key: bytes | None = None
    ) -> bytes:
        """See `NSM.attest`."""
        request = {"user_data": user_data, "nonce": nonce, "public_key": public_key}
        fields = _Fields(self._call("Attestation", request), {"document"})
        return fields.octets("document", 1, MAX_RESPONSE_BYTES)

    def _command(self, operation: str, arguments: Mapping[str, int]) -> None:
        answer = self._exchange({operation: arguments})
        if answer != operation:
            raise NSMMalformed(f"expected the bare answer {operation!r}, got {type(answer).__name__}")

    def _call(self, operation: str, arguments: Mapping[str, int | bytes | None] | None) -> object:
        answer = self._exchange(operation if arguments is None else {operation: arguments})
        if not isinstance(answer, dict) or list(answer) != [operation]:
            raise NSMMalformed(f"expected an answer to {operation}, got another shape")
        return answer[operation]

    def _exchange(self, message: object) -> object:
        request = cbor2.dumps(message)
        if len(request) > MAX_REQUEST_BYTES:
            raise NSMRefused(NSMErrorCode.INPUT_TOO_LARGE)
        answer = _decode(self._transfer(request))
        if isinstance(answer, dict) and list(answer) == ["Error"]:
            raise NSMRefused(_error_code(answer["Error"]))
        return answer

    def _transfer(self, request: bytes) -> bytes:
        outgoing = ctypes.create_string_buffer(request, len(request))
        incoming = ctypes.create_string_buffer(MAX_RESPONSE_BYTES)
        argument = bytearray(
            _IOVECS.pack(ctypes.addressof(outgoing), len(request), ctypes.addressof(incoming), MAX_RESPONSE_BYTES)
        )
        try:
            self._ioctl(self._fd, NSM_IOCTL_RAW, argument)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise NSMRefused(NSMErrorCode.INPUT_TOO_LARGE) from error
            raise NSMUnavailable(f"the NSM ioctl failed: {os.strerror(error.errno or 0)}") from error
        length = _IOVECS.unpack(argument)[3]
        if length > MAX_RESPONSE_BYTES:
            raise NSMMalformed(f"expected at most {MAX_RESPONSE_BYTES} bytes, the driver reports {length}")
        return incoming.raw[:length]


def _decode(answer: bytes) -> object:
    stream = io.BytesIO(answer)
    # Indefinite lengths stay allowed: AWS's own encoder began to write them in 2025.
    decoder = cbor2.CBORDecoder(stream, max_depth=_MAX_ANSWER_DEPTH, allow_duplicate_keys=False)
    try:
        value: object = decoder.decode()
    except cbor2.CBORDecodeEOF as error:
        raise NSMTruncated(f"expected a whole answer, got its first {len(answer)} bytes") from error
    except (cbor2.CBORDecodeError, ValueError, OverflowError) as error:
        raise NSMMalformed("expected CBOR, got something else") from error
    if stream.tell() != len(answer):
        raise NSMMalformed(f"expected one CBOR item of {len(answer)} bytes, got {stream.tell()} and a rest")
    return value


def _error_code(value: object) -> NSMErrorCode:
    for code in NSMErrorCode:
        if value == code.value:
            return code
    raise NSMMalformed("expected one of the NSM's error names, got something else")


class _Fields:
    """The members of one answer: exactly the expected names, each read as exactly one type."""

    def __init__(self, value: object, names: set[str]) -> None:
        if not isinstance(value, dict) or set(value) != names:
            raise NSMMalformed(f"expected the members {sorted(names)}, got another shape")
        self._members: dict[str, object] = value

    def text(self, name: str) -> str:
        value = self._members[name]
        if not isinstance(value, str):
            raise self._mismatch(name, "text")
        return value

    def boolean(self, name: str) -> bool:
        value = self._members[name]
        if not isinstance(value, bool):
            raise self._mismatch(name, "a boolean")
        return value

    def integer(self, name: str) -> int:
        value = self._members[name]
        if not _is_uint16(value):
            raise self._mismatch(name, "an unsigned 16-bit integer")
        return value

    def octets(self, name: str, least: int, most: int) -> bytes:
        value = self._members[name]
        if not isinstance(value, bytes) or not least <= len(value) <= most:
            raise self._mismatch(name, f"a byte string of {least} to {most} bytes")
        return value

    def indexes(self, name: str, *, below: int) -> frozenset[int]:
        value = self._members[name]
        if not isinstance(value, list | tuple) or not all(_is_uint16(index) and index < below for index in value):
            raise self._mismatch(name, f"an array of integers below {below}")
        return frozenset(value)

    def _mismatch(self, name: str, expected: str) -> NSMMalformed:
        return NSMMalformed(f"{name}: expected {expected}, got {type(self._members[name]).__name__}")


def _is_uint16(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFFFF
