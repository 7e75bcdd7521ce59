"""/dev/nsm as the driver presents it: iovecs in, CBOR through, the answer cut at the caller's buffer."""

import ctypes
import struct
from collections.abc import Callable

import cbor2

from enclave.nsm.interface import NSM
from strongroom.simulator.vhost.nsm.answers import answer


class FakeDevice:
    """An ioctl that hands requests to `nsm`, and remembers them decoded; `tamper` may change an answer."""

    def __init__(self, nsm: NSM, tamper: Callable[[bytes], bytes] = lambda answer: answer) -> None:
        self.requests: list[object] = []
        self._nsm = nsm
        self._tamper = tamper

    def __call__(self, fd: int, code: int, argument: bytearray) -> int:
        assert (fd, code, len(argument)) == (7, 0xC0200A00, 32)
        request_at, request_length, answer_at, capacity = struct.unpack("=QQQQ", argument)
        assert request_length <= 0x1000
        assert capacity == 0x3000
        request = ctypes.string_at(request_at, request_length)
        self.requests.append(cbor2.loads(request))
        answered = self._tamper(answer(self._nsm, request))[:capacity]
        ctypes.memmove(answer_at, answered, len(answered))
        struct.pack_into("=QQQQ", argument, 0, request_at, request_length, answer_at, len(answered))
        return 0
