"""The client for /dev/nsm: one ioctl carries one request and one answer."""

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Callable, Mapping
from typing import Self

import cbor2

from enclave.nsm.answers import Fields, decode, error_code
from enclave.nsm.interface import (
    MAX_RANDOM_BYTES,
    MAX_REQUEST_BYTES,
    MAX_RESPONSE_BYTES,
    PCR_BYTES,
    NSMDescription,
    NSMErrorCode,
    NSMMalformed,
    NSMRefused,
    NSMUnavailable,
    PCRState,
)

NSM_IOCTL_RAW = 0xC0200A00
"""_IOWR(0x0A, 0, 32 bytes): the argument is two iovecs, request and response."""

_IOVECS = struct.Struct("=QQQQ")

Ioctl = Callable[[int, int, bytearray], object]
"""`fcntl.ioctl` in its mutating form: (file descriptor, request code, argument)."""


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
        fields = Fields(
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
        fields = Fields(self._call("DescribePCR", {"index": index}), {"lock", "data"})
        return PCRState(locked=fields.boolean("lock"), value=fields.octets("data", PCR_BYTES, PCR_BYTES))

    def extend_pcr(self, index: int, data: bytes) -> bytes:
        """See `NSM.extend_pcr`."""
        fields = Fields(self._call("ExtendPCR", {"index": index, "data": data}), {"data"})
        return fields.octets("data", PCR_BYTES, PCR_BYTES)

    def lock_pcr(self, index: int) -> None:
        """See `NSM.lock_pcr`."""
        self._command("LockPCR", {"index": index})

    def lock_pcrs(self, range_: int) -> None:
        """See `NSM.lock_pcrs`."""
        self._command("LockPCRs", {"range": range_})

    def get_random(self) -> bytes:
        """See `NSM.get_random`."""
        return Fields(self._call("GetRandom", None), {"random"}).octets("random", 1, MAX_RANDOM_BYTES)

    def attest(
        self, *, user_data: bytes | None = None, nonce: bytes | None = None, public_key: bytes | None = None
    ) -> bytes:
        """See `NSM.attest`."""
        request = {"user_data": user_data, "nonce": nonce, "public_key": public_key}
        fields = Fields(self._call("Attestation", request), {"document"})
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
        answer = decode(self._transfer(request))
        if isinstance(answer, dict) and list(answer) == ["Error"]:
            raise NSMRefused(error_code(answer["Error"]))
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
