"""The device's CBOR against the enclave's own client, and what is no request."""

from typing import Any

import cbor2
import pytest

from enclave.nsm.interface import NSM
from strongroom.simulator.vhost.nsm.answers import answer
from tests.simulator.helpers import software_nsm


@pytest.fixture
def nsm() -> NSM:
    return software_nsm()


def refusal(nsm: NSM, request: bytes) -> str:
    answered: dict[str, Any] = cbor2.loads(answer(nsm, request))
    assert list(answered) == ["Error"]
    return str(answered["Error"])


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"\xff",
        b"\x6bDescribe",
        cbor2.dumps("DescribeNSM") + b"\0",
        cbor2.dumps("Nonsense"),
        cbor2.dumps(["DescribeNSM"]),
        cbor2.dumps({}),
        cbor2.dumps({"GetRandom": {}, "DescribeNSM": {}}),
        cbor2.dumps({1: {}}),
        cbor2.dumps({"GetRandom": 1}),
        cbor2.dumps({"GetRandom": {"length": 8}}),
        cbor2.dumps({"DescribePCR": {}}),
        cbor2.dumps({"DescribePCR": {"index": "0"}}),
        cbor2.dumps({"DescribePCR": {"index": 0, "more": 1}}),
        cbor2.dumps({"ExtendPCR": {"index": 16, "data": "text"}}),
        cbor2.dumps({"Attestation": {"nonce": None}}),
        b"\xa2\x69GetRandom\xa0\x69GetRandom\xa0",
        b"\x81" * 64 + b"\x00",
    ],
)
def test_what_is_no_request_is_an_invalid_operation(nsm: NSM, request_: bytes) -> None:
    assert refusal(nsm, request_) == "InvalidOperation"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"DescribePCR": {"index": True}}, "InvalidArgument"),
        ({"Attestation": {"user_data": 1, "nonce": None, "public_key": None}}, "InvalidArgument"),
        ({"DescribePCR": {"index": 32}}, "InvalidIndex"),
        ({"DescribePCR": {"index": -1}}, "InvalidIndex"),
        ({"ExtendPCR": {"index": 0, "data": b"x"}}, "ReadOnlyIndex"),
        ({"Attestation": {"user_data": bytes(513), "nonce": None, "public_key": None}}, "InputTooLarge"),
    ],
)
def test_the_modules_own_refusals(nsm: NSM, arguments: dict[str, Any], code: str) -> None:
    assert refusal(nsm, cbor2.dumps(arguments)) == code
