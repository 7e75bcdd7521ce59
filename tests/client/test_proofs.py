"""Proof bundles: what an answer gives to somebody who holds nothing else."""

import cbor2
import pytest

from attestation.bundles import Bundle
from attestation.policy import AllOf, AnyOf, Measurements, Policy, UnsafeAnyMeasurement
from attestation.policy_file import load_measurements
from strongroom.client.aio import AsyncClient
from strongroom.client.answers import TextAnswer
from strongroom.client.proofs import Proven, policy_text
from strongroom.protocol.constants import PATH_SEALED
from strongroom.protocol.tensors import Tensor
from tests.client.fake_gateway import FakeGateway

PIN = Measurements({0: b"a" * 48, 1: b"b" * 48, 2: b"c" * 48, 3: b"d" * 48})
OTHER = Measurements({**PIN.pcrs, 0: b"e" * 48}, "other")


class Stricter(Measurements):
    """A policy that no file can say, though it looks like one."""


async def test_every_kind_of_answer_has_one(client: AsyncClient, gateway: FakeGateway) -> None:
    stream = client.chat("Where?", stream=True)
    _ = [piece async for piece in stream]
    tensors = {"x": Tensor("int8", [1], b"1")}
    answers: list[Proven] = [
        await client.chat("Where?"),
        stream.answer,
        await client.embed(["a"]),
        await client.infer("m", tensors),
    ]
    for answer in answers:
        bundle = Bundle.from_bytes(answer.proof())
        assert bundle.receipt == answer.receipt
        assert bundle.policy is not None
        assert list(load_measurements(bundle.policy.encode())) == [gateway.enclave.policy()]
        assert None not in (bundle.request, bundle.response, bundle.leaf_salt)
    assert len({answer.receipt for answer in answers}) == 4
    assert gateway.count(PATH_SEALED) == 4


async def test_what_is_not_shown_stays_secret(client: AsyncClient) -> None:
    answer: TextAnswer = await client.chat("canary")
    hidden = answer.proof(show_request=False, show_response=False)
    assert cbor2.loads(hidden).keys() == {"profile", "evidence", "receipt", "policy", "leaf"}
    assert b"canary" not in hidden
    assert answer.text.encode() not in hidden
    assert b"canary" in answer.proof(show_response=False)
    assert "canary" not in repr(answer)


def test_the_policies_that_a_file_can_say() -> None:
    said: list[tuple[Policy, list[Measurements]]] = [(PIN, [PIN]), (AnyOf([PIN, AnyOf([OTHER])]), [PIN, OTHER])]
    for policy, tuples in said:
        assert list(load_measurements((policy_text(policy) or "").encode())) == tuples


@pytest.mark.parametrize(
    "policy",
    [
        UnsafeAnyMeasurement(),
        AllOf([PIN]),
        AnyOf([PIN, UnsafeAnyMeasurement()]),
        Stricter(PIN.pcrs),
        AnyOf([PIN] * 65),
    ],
)
def test_the_policies_that_no_file_can_say(policy: Policy) -> None:
    assert policy_text(policy) is None
