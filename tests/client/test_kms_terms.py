"""What a client may demand of the way between the enclave and KMS (R6, R11)."""

from typing import Any

import pytest

from attestation.anchors import SimulatedTrustAnchor
from strongroom.client.aio import AsyncClient
from strongroom.client.errors import AttestationRefused, InvalidArgument
from strongroom.client.kms_terms import KMSTerms
from strongroom.protocol.constants import PATH_SEALED
from strongroom.protocol.kms_leg import KMSLeg
from strongroom.simulator.pki import SimulatedPKI
from tests.client.conftest import NewSession
from tests.client.fake_enclave import KEY_POLICIES, Clock, FakeEnclave
from tests.client.fake_gateway import FakeGateway

MODELS, REQUESTS = (KEY_POLICIES[name].hex() for name in ("models", "requests"))
OTHER = "00" * 48


@pytest.mark.parametrize("leg", KMSLeg)
async def test_status_names_the_leg_and_the_key_policies(
    client: AsyncClient, gateway: FakeGateway, pki: SimulatedPKI, leg: KMSLeg
) -> None:
    gateway.enclave = FakeEnclave(pki, kms_leg=leg)
    status = await client.status()
    assert status.kms_leg == {KMSLeg.CLASSICAL: "classical", KMSLeg.HYBRID: "hybrid"}[leg]
    assert status.key_policies == {"models": MODELS, "requests": REQUESTS}


async def test_hybrid_only_when_asked(
    new_session: NewSession, gateway: FakeGateway, pki: SimulatedPKI, clock: Clock
) -> None:
    demanding = new_session(kms_terms=KMSTerms(require_hybrid=True))
    with pytest.raises(AttestationRefused, match=r"expected hybrid TLS .* got classical") as caught:
        await demanding.attest()
    assert (caught.value.rejection, caught.value.reason) == (None, "kms-leg")
    await new_session().attest()
    gateway.enclave = FakeEnclave(pki, clock=clock, kms_leg=KMSLeg.HYBRID)
    assert (await demanding.attest()).key_list.kms_leg is KMSLeg.HYBRID


@pytest.mark.parametrize(
    "pinned",
    [{}, {"models": MODELS}, {"models": MODELS.upper()}, {"models": MODELS, "requests": REQUESTS}],
)
async def test_key_policies_that_were_pinned(new_session: NewSession, pinned: dict[str, str]) -> None:
    key = await new_session(kms_terms=KMSTerms(key_policy_sha384=pinned)).attest()
    assert key.key_list.key_policies == KEY_POLICIES


@pytest.mark.parametrize(
    ("pinned", "said"),
    [
        ({"models": OTHER}, f"key policy of models: expected SHA-384 {OTHER}, got {MODELS}"),
        ({"models": MODELS, "requests": MODELS}, f"key policy of requests: expected SHA-384 {MODELS}, got {REQUESTS}"),
        ({"model": MODELS}, "expected one of a key entry 'model', got those of models, requests"),
    ],
)
async def test_other_key_policies_are_refused(new_session: NewSession, pinned: dict[str, str], said: str) -> None:
    with pytest.raises(AttestationRefused) as caught:
        await new_session(kms_terms=KMSTerms(key_policy_sha384=pinned)).attest()
    assert said in str(caught.value)
    assert (caught.value.rejection, caught.value.reason) == (None, "key-policy")


@pytest.mark.parametrize(
    "digest", ["", "00", "0" * 95, "0" * 97, "g" * 96, "0" * 96 + "\n", b"0" * 96, bytes(48), 10**95, None]
)
def test_a_digest_of_another_form_makes_no_client(digest: Any) -> None:
    with pytest.raises(InvalidArgument, match="96 hexadecimal digits"):
        KMSTerms(key_policy_sha384={"models": digest})


@pytest.mark.parametrize("terms", [{"require_hybrid_kms": True}, {"key_policy_sha384": {"models": OTHER}}])
async def test_nothing_is_sealed_to_an_enclave_that_does_not_meet_the_terms(
    gateway: FakeGateway, anchor: SimulatedTrustAnchor, terms: dict[str, Any]
) -> None:
    policy = gateway.enclave.policy()
    async with AsyncClient(gateway.url, policy=policy, anchor=anchor, allow_simulated=True, **terms) as client:
        with pytest.raises(AttestationRefused, match="nothing was sealed"):
            await client.chat("Where?")
    assert gateway.count(PATH_SEALED) == 0
