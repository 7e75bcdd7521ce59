"""The ioctl client against a fake device: bad answers first."""

import errno
from collections.abc import Callable

import cbor2
import pytest

from attestation.documents import AttestationDocument
from enclave.nsm.device import DeviceNSM
from enclave.nsm.interface import NSMErrorCode, NSMMalformed, NSMRefused, NSMTruncated, NSMUnavailable, PCRState
from tests.simulator.fake_device import FakeDevice
from tests.simulator.helpers import IMAGE, MODULE_ID, software_nsm


def answering(answer: bytes) -> DeviceNSM:
    return DeviceNSM(7, ioctl=FakeDevice(software_nsm(), lambda _: answer))


def device() -> DeviceNSM:
    return DeviceNSM(7, ioctl=FakeDevice(software_nsm()))


def failing(number: int) -> DeviceNSM:
    def ioctl(fd: int, code: int, argument: bytearray) -> int:
        raise OSError(number, "no")

    return DeviceNSM(7, ioctl=ioctl)


def describe_with(**changes: object) -> bytes:
    members: dict[str, object] = {
        "version_major": 1,
        "version_minor": 0,
        "version_patch": 0,
        "module_id": MODULE_ID,
        "max_pcrs": 32,
        "locked_pcrs": [0, 1],
        "digest": "SHA384",
    }
    return cbor2.dumps({"DescribeNSM": {k: v for k, v in (members | changes).items() if v is not None}})


@pytest.mark.parametrize("name", [code.value for code in NSMErrorCode])
def test_every_error_name_is_typed(name: str) -> None:
    with pytest.raises(NSMRefused) as refused:
        answering(cbor2.dumps({"Error": name})).get_random()
    assert refused.value.code == NSMErrorCode(name)


@pytest.mark.parametrize(
    "answer",
    [
        cbor2.dumps({"Error": "Success"}),
        cbor2.dumps({"Error": 3}),
        cbor2.dumps({"Error": "InternalError", "GetRandom": {"random": b"x"}}),
        cbor2.dumps("GetRandom"),
        cbor2.dumps({"DescribePCR": {"random": b"x"}}),
        cbor2.dumps({"GetRandom": {"random": b"x"}, "more": 1}),
        cbor2.dumps({"GetRandom": {"random": b"x", "more": 1}}),
        cbor2.dumps({"GetRandom": {}}),
        cbor2.dumps({"GetRandom": b"x"}),
        cbor2.dumps({"GetRandom": {"random": "x"}}),
        cbor2.dumps({"GetRandom": {"random": b""}}),
        cbor2.dumps({"GetRandom": {"random": bytes(257)}}),
        cbor2.dumps({"GetRandom": {"random": b"x"}}) + b"\x00",
        b"\xa2" + 2 * cbor2.dumps({"GetRandom": {"random": b"x"}})[1:],
        b"\x81" * 200 + b"\x00",
        b"\xff",
    ],
)
def test_an_answer_of_another_shape_is_malformed(answer: bytes) -> None:
    with pytest.raises(NSMMalformed) as malformed:
        answering(answer).get_random()
    assert not isinstance(malformed.value, NSMTruncated)


@pytest.mark.parametrize(
    "changes",
    [
        {"version_major": True},
        {"version_minor": -1},
        {"version_patch": 1 << 16},
        {"module_id": b"i-0"},
        {"max_pcrs": "32"},
        {"locked_pcrs": [0, 32]},
        {"locked_pcrs": [True]},
        {"locked_pcrs": {"0": 1}},
        {"digest": None},
        {"extra": 1},
    ],
)
def test_a_description_of_another_shape_is_malformed(changes: dict[str, object]) -> None:
    with pytest.raises(NSMMalformed):
        answering(describe_with(**changes)).describe_nsm()


@pytest.mark.parametrize(
    "answer", [{"lock": 1, "data": bytes(48)}, {"lock": True, "data": bytes(47)}, {"data": bytes(48)}]
)
def test_a_pcr_of_another_shape_is_malformed(answer: dict[str, object]) -> None:
    with pytest.raises(NSMMalformed):
        answering(cbor2.dumps({"DescribePCR": answer})).describe_pcr(0)


@pytest.mark.parametrize("answer", ["LockPCR", {"LockPCRs": {}}, 1])
def test_a_command_wants_its_own_bare_name(answer: object) -> None:
    with pytest.raises(NSMMalformed):
        answering(cbor2.dumps(answer)).lock_pcrs(1)


def test_a_cut_answer_is_truncated_at_every_length() -> None:
    whole = describe_with()
    for length in range(len(whole)):
        with pytest.raises(NSMTruncated):
            answering(whole[:length]).describe_nsm()


def test_an_answer_beyond_the_drivers_buffer_is_truncated() -> None:
    with pytest.raises(NSMTruncated):
        answering(cbor2.dumps({"Attestation": {"document": bytes(0x3000)}})).attest()


def test_a_length_beyond_the_buffer_is_malformed() -> None:
    def ioctl(fd: int, code: int, argument: bytearray) -> int:
        argument[24:32] = (0x3001).to_bytes(8, "little")
        return 0

    with pytest.raises(NSMMalformed, match="the driver reports 12289"):
        DeviceNSM(7, ioctl=ioctl).get_random()


def test_a_request_beyond_four_kib_never_reaches_the_device() -> None:
    fake = FakeDevice(software_nsm())
    with pytest.raises(NSMRefused) as refused:
        DeviceNSM(7, ioctl=fake).extend_pcr(16, bytes(0x1000))
    assert refused.value.code is NSMErrorCode.INPUT_TOO_LARGE
    assert fake.requests == []


def test_operating_system_errors_are_typed() -> None:
    with pytest.raises(NSMUnavailable, match="ioctl failed"):
        failing(errno.EIO).get_random()
    with pytest.raises(NSMRefused, match="InputTooLarge"):
        failing(errno.EMSGSIZE).get_random()
    with pytest.raises(NSMUnavailable, match="cannot open"):
        DeviceNSM.open("/nonexistent/nsm")


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda nsm: nsm.describe_pcr(32), NSMErrorCode.INVALID_INDEX),
        (lambda nsm: nsm.extend_pcr(0, b"x"), NSMErrorCode.READ_ONLY_INDEX),
        (lambda nsm: nsm.lock_pcr(4), NSMErrorCode.READ_ONLY_INDEX),
        (lambda nsm: nsm.lock_pcrs(33), NSMErrorCode.INVALID_INDEX),
        (lambda nsm: nsm.attest(nonce=bytes(513)), NSMErrorCode.INPUT_TOO_LARGE),
    ],
)
def test_refusals_of_the_module_arrive(call: Callable[[DeviceNSM], object], code: NSMErrorCode) -> None:
    with pytest.raises(NSMRefused) as refused:
        call(device())
    assert refused.value.code is code


def test_requests_are_serde_enums() -> None:
    fake = FakeDevice(software_nsm())
    nsm = DeviceNSM(7, ioctl=fake)
    nsm.describe_nsm()
    nsm.extend_pcr(16, b"data")
    nsm.lock_pcr(16)
    nsm.lock_pcrs(18)
    nsm.attest(nonce=b"n" * 16)
    assert fake.requests == [
        "DescribeNSM",
        {"ExtendPCR": {"index": 16, "data": b"data"}},
        {"LockPCR": {"index": 16}},
        {"LockPCRs": {"range": 18}},
        {"Attestation": {"user_data": None, "nonce": b"n" * 16, "public_key": None}},
    ]


def test_the_device_speaks_for_the_module() -> None:
    module = software_nsm()
    nsm = DeviceNSM(7, ioctl=FakeDevice(module))
    assert nsm.describe_nsm() == module.describe_nsm()
    assert nsm.describe_pcr(0) == PCRState(locked=True, value=IMAGE[0])
    assert nsm.extend_pcr(16, b"x") == module.describe_pcr(16).value
    assert len(nsm.get_random()) == 256
    document = AttestationDocument.from_bytes(nsm.attest(user_data=b"u", nonce=b"n", public_key=b"k"))
    assert (document.user_data, document.nonce, document.public_key) == (b"u", b"n", b"k")


def test_indefinite_lengths_are_understood() -> None:
    answer = b"\xbf" + cbor2.dumps("GetRandom") + b"\xbf" + cbor2.dumps("random") + b"\x41x" + b"\xff\xff"
    assert answering(answer).get_random() == b"x"
