"""/dev/nsm as the driver presents it: iovecs in, CBOR through, the answer cut at the caller's buffer."""

import ctypes
import struct
from collections.abc import Callable

import cbor2

from enclave.nsm.interface import NSM, NSMRefused


class FakeDevice:
    """An ioctl that hands decoded requests to `nsm`, and remembers them; `tamper` may change an answer."""

    def __init__(self, nsm: NSM, tamper: Callable[[bytes], bytes] = lambda answer: answer) -> None:
        self.requests: list[object] = []
        self._nsm = nsm
        self._tamper = tamper

    def __call__(self, fd: int, code: int, argument: bytearray) -> int:
        assert (fd, code, len(argument)) == (7, 0xC0200A00, 32)
        request_at, request_length, answer_at, capacity = struct.unpack("=QQQQ", argument)
        assert request_length <= 0x1000
        assert capacity == 0x3000
        request = cbor2.loads(ctypes.string_at(request_at, request_length))
        self.requests.append(request)
        answer = self._tamper(self._answer(request))[:capacity]
        ctypes.memmove(answer_at, answer, len(answer))
        struct.pack_into("=QQQQ", argument, 0, request_at, request_length, answer_at, len(answer))
        return 0

    def _answer(self, request: object) -> bytes:
        operation, arguments = (request, {}) if isinstance(request, str) else next(iter(_mapping(request).items()))
        try:
            return cbor2.dumps(self._perform(str(operation), _mapping(arguments)))
        except NSMRefused as refusal:
            return cbor2.dumps({"Error": str(refusal.code)})

    def _perform(self, operation: str, arguments: dict[str, object]) -> object:
        index, range_, data = arguments.get("index"), arguments.get("range"), arguments.get("data")
        match operation:
            case "DescribeNSM":
                return {operation: self._description()}
            case "DescribePCR" if isinstance(index, int):
                state = self._nsm.describe_pcr(index)
                return {operation: {"lock": state.locked, "data": state.value}}
            case "ExtendPCR" if isinstance(index, int) and isinstance(data, bytes):
                return {operation: {"data": self._nsm.extend_pcr(index, data)}}
            case "LockPCR" if isinstance(index, int):
                self._nsm.lock_pcr(index)
                return operation
            case "LockPCRs" if isinstance(range_, int):
                self._nsm.lock_pcrs(range_)
                return operation
            case "GetRandom":
                return {operation: {"random": self._nsm.get_random()}}
            case "Attestation":
                return {operation: {"document": self._nsm.attest(**_octets(arguments))}}
        return {"Error": "InvalidOperation"}

    def _description(self) -> dict[str, object]:
        described = self._nsm.describe_nsm()
        major, minor, patch = described.version
        return {
            "version_major": major,
            "version_minor": minor,
            "version_patch": patch,
            "module_id": described.module_id,
            "max_pcrs": described.max_pcrs,
            "locked_pcrs": sorted(described.locked_pcrs),
            "digest": described.digest,
        }


def _mapping(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def _octets(arguments: dict[str, object]) -> dict[str, bytes | None]:
    assert set(arguments) == {"user_data", "nonce", "public_key"}
    return {name: value for name, value in arguments.items() if isinstance(value, bytes) or value is None}
