"""How a mutated document is asked about: the mode, the policy and the allowances."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from attestation.anchors import SimulatedTrustAnchor, TrustAnchor
from attestation.modes import Archived, Live, Mode, Recent
from attestation.policy import AllOf, AnyOf, Measurements, Policy, UnsafeAnyMeasurement
from tests.attestation import forge

PUBLIC_KEY, USER_DATA = b"a public key", b"user data"
PINNED = {index: forge.pcr(index) for index in (0, 1, 2, 3, 16)}

_SOUND = Measurements(PINNED)
_OTHER = Measurements({**PINNED, 0: forge.pcr(98)})  # no mutation makes this one
WINDOW_MS = range(forge.NOW_MS - 500, forge.NOW_MS + 501)
WINDOW = Measurements(PINNED, not_before_ms=WINDOW_MS[0], not_after_ms=WINDOW_MS[-1])
_POLICIES: tuple[Policy, ...] = (
    *(UnsafeAnyMeasurement(),) * 3,
    *(_SOUND, _SOUND, *(AnyOf([_OTHER, _SOUND]),) * 2, AllOf([UnsafeAnyMeasurement(), _SOUND]), WINDOW),
)
_MODES: tuple[Mode, ...] = (
    *(Archived(),) * 4,
    Archived(forge.NOW_MS + 1000),
    *(Live(forge.NONCE, forge.NOW_MS + 1000),) * 2,
    Live(forge.NONCE, forge.NOW_MS + 1000, max_age_s=60, skew_s=0),
    Recent(forge.NOW_MS + 1000, max_age_s=3600),
    Recent(forge.NOW_MS + 1000, max_age_s=100),
)
_OTHER_KIND = {"enclave": "nitrotpm", "nitrotpm": "enclave"}


@dataclass(frozen=True)
class Question:
    """The arguments of ``verify`` beside the document."""

    anchor: TrustAnchor | SimulatedTrustAnchor
    kind: str = "enclave"
    mode: Mode = Archived()  # noqa: RUF009  # frozen
    policy: Policy = UnsafeAnyMeasurement()  # noqa: RUF009  # without state
    allow_debug: bool = True
    allow_simulated: bool = True
    expect_public_key: bytes | None = None
    expect_user_data: bytes | None = None


def about_forged(rng: Random, anchor: SimulatedTrustAnchor, kind: str) -> Question:
    """A question that the sound document of this kind answers well; now and then about the other kind or AWS's root."""
    return Question(
        anchor,
        kind if rng.random() < 0.98 else _OTHER_KIND[kind],
        mode=rng.choice(_MODES),
        policy=UnsafeAnyMeasurement() if kind == "nitrotpm" else rng.choice(_POLICIES),
        allow_debug=rng.random() < 0.5,
        allow_simulated=rng.random() < 0.99,
        expect_public_key=rng.choice((None, None, PUBLIC_KEY)),
        expect_user_data=rng.choice((None, None, USER_DATA)),
    )


@dataclass(frozen=True)
class Case:
    """``data`` is judged; ``signed_payload`` is all that the leaf's key has signed; ``story`` names the mutations."""

    data: bytes
    signed_payload: bytes
    question: Question
    story: tuple[str, ...]
