"""Live, recent, archived (rules 26 and 31, rows 33, 56, 61, 62 of the bad documents)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from attestation.errors import PolicyError, RejectionCode
from attestation.modes import Archived, Live, Mode, Recent
from tests.attestation import forge
from tests.attestation.judge import accept, reject

NOW = forge.NOW_MS
S = 1000
LEAF_START, LEAF_END = NOW - 3600 * S, NOW + 7200 * S


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Live(b"", NOW), id="empty nonce"),
        pytest.param(lambda: Live(bytes(1025), NOW), id="nonce of 1025"),
        pytest.param(lambda: Live("a" * 32, NOW), id="nonce as text"),  # type: ignore[arg-type]  # must fail
        pytest.param(lambda: Live(None, NOW), id="no nonce"),  # type: ignore[arg-type]  # must fail
        pytest.param(lambda: Live(forge.NONCE, 0), id="instant 0"),
        pytest.param(lambda: Live(forge.NONCE, NOW / 1), id="instant as float"),  # type: ignore[arg-type]  # must fail
        pytest.param(lambda: Live(forge.NONCE, NOW, max_age_s=0), id="no age"),
        pytest.param(lambda: Live(forge.NONCE, NOW, skew_s=301), id="large skew"),
        pytest.param(lambda: Live(forge.NONCE, NOW, skew_s=-1), id="negative skew"),
        pytest.param(lambda: Recent(NOW, True), id="age true"),
        pytest.param(lambda: Recent(-NOW, 60), id="negative instant"),
        pytest.param(lambda: Recent(NOW, 60, 301), id="large skew, recent"),
        pytest.param(lambda: Archived(0), id="archived at 0"),
    ],
)
def test_refuses_unusable_modes(make: Callable[[], Mode]) -> None:
    with pytest.raises(PolicyError):
        make()


@pytest.mark.parametrize(
    "nonce",
    [
        pytest.param(..., id="missing"),
        pytest.param(None, id="null"),
        pytest.param(b"", id="empty"),
        pytest.param(forge.NONCE[:-1], id="prefix"),
        pytest.param(forge.NONCE + b"\0", id="longer"),
        pytest.param(bytes(32), id="another"),
    ],
)
def test_live_refuses_another_nonce(nonce: object) -> None:
    rejected = reject(RejectionCode.NONCE, forge.document(nonce=nonce), mode=Live(forge.NONCE, NOW))
    assert forge.NONCE.hex() not in str(rejected)


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        (Live(forge.NONCE, NOW + 300 * S + 1), RejectionCode.TOO_OLD),
        (Live(forge.NONCE, NOW + 11 * S, max_age_s=10), RejectionCode.TOO_OLD),
        (Live(forge.NONCE, NOW - 300 * S - 1), RejectionCode.FROM_THE_FUTURE),
        (Live(forge.NONCE, NOW - 1, skew_s=0), RejectionCode.FROM_THE_FUTURE),
        (Recent(NOW + 60 * S + 1, 60), RejectionCode.TOO_OLD),
        (Recent(NOW - 300 * S - 1, 60), RejectionCode.FROM_THE_FUTURE),
        (Recent(LEAF_END + 1, 24 * 3600), RejectionCode.CERTIFICATE_EXPIRED),
        (Recent(LEAF_START - 300 * S - 1, 60), RejectionCode.CERTIFICATE_NOT_YET_VALID),
        (Archived(NOW - 1), RejectionCode.FROM_THE_FUTURE),
        (Archived(LEAF_END + 1), RejectionCode.CERTIFICATE_EXPIRED),
        (Archived(LEAF_START - 1), RejectionCode.CERTIFICATE_NOT_YET_VALID),
    ],
)
def test_refuses_this_instant(mode: Mode, code: RejectionCode) -> None:
    reject(code, forge.document(), mode=mode)


@pytest.mark.parametrize(
    "mode",
    [
        Live(forge.NONCE, NOW),
        Live(forge.NONCE, NOW + 300 * S),
        Live(forge.NONCE, NOW - 300 * S),
        Recent(NOW + 60 * S, 60),
        Recent(LEAF_END, 24 * 3600),
        Archived(),
        Archived(NOW),
        Archived(LEAF_END),
    ],
)
def test_accepts_this_instant(mode: Mode) -> None:
    assert accept(forge.document(), mode=mode).mode == mode


def test_a_slow_clock_does_not_refuse_a_fresh_leaf_but_a_timestamp_outside_the_window_stays_refused() -> None:
    fresh = forge.document(timestamp=LEAF_START)
    accept(fresh, mode=Live(forge.NONCE, LEAF_START - S))
    reject(RejectionCode.CERTIFICATE_NOT_YET_VALID, fresh, mode=Live(forge.NONCE, LEAF_START - S, skew_s=0))
    before = forge.document(timestamp=LEAF_START - 1)
    reject(RejectionCode.CERTIFICATE_NOT_YET_VALID, before, mode=Live(forge.NONCE, LEAF_START))


def test_the_three_verdicts_say_different_things() -> None:
    verdicts = [
        accept(forge.document(), mode=mode) for mode in (Live(forge.NONCE, NOW), Recent(NOW, 60), Archived(NOW))
    ]
    assert len({verdict.proves for verdict in verdicts}) == 3
    for limit in ("replayed", "still runs"):
        assert [any(limit in each for each in v.does_not_prove) for v in verdicts] == [False, True, True]
