"""The policy file: strict TOML, whole tuples."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.errors import PolicyError, RejectionCode
from attestation.measurements import EMPTY_APPLICATION_PCR2, parent_role_pcr3
from attestation.policy import MAX_INSTANT_MS, Measurements
from attestation.policy_file import dump_measurements, load_measurements, load_policy
from tests.attestation import forge
from tests.attestation.judge import accept, reject

ROLE = "arn:aws:iam::111122223333:role/strongroom"


def line(index: int) -> str:
    return f'pcr{index} = "{forge.pcr(index).hex()}"\n'


IMAGE = "[[measurement]]\n" + line(0) + line(1) + line(2)
SOUND = IMAGE + line(3)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("measurement = []", id="no table"),
        pytest.param("measurement = 1", id="no list"),
        pytest.param("[[measurement", id="no TOML"),
        pytest.param("a = " + "[" * 5000, id="deep nesting"),
        pytest.param(SOUND + "\n[other]\n", id="unknown table"),
        pytest.param(SOUND + "extra = 1", id="unknown key"),
        pytest.param(SOUND + line(0), id="key twice"),
        pytest.param(SOUND + 'pcr32 = "' + "a" * 96 + '"', id="PCR32"),
        pytest.param(SOUND + 'pcr04 = "' + "a" * 96 + '"', id="PCR04"),
        pytest.param(SOUND + "[measurement.pcrs]\n", id="pcrs table"),
        pytest.param(SOUND + 'pcr4 = "' + "a" * 95 + '"', id="95 digits"),
        pytest.param(SOUND + 'pcr4 = "' + "a" * 95 + 'g"', id="no digit"),
        pytest.param(SOUND + 'pcr4 = "' + "a" * 96 + '\\n"', id="newline"),
        pytest.param(SOUND + 'pcr4 = "' + "a " * 48 + '"', id="spaces"),
        pytest.param(SOUND + 'pcr4 = "' + "0" * 96 + '"', id="zeros"),
        pytest.param(SOUND + "pcr4 = 4", id="number"),
        pytest.param(IMAGE, id="no parent role"),
        pytest.param(IMAGE + "any_parent_role = false", id="any_parent_role false"),
        pytest.param(IMAGE + "any_parent_role = 1", id="any_parent_role 1"),
        pytest.param(SOUND + "any_parent_role = true", id="PCR3 and any role"),
        pytest.param(SOUND + f'parent_role = "{ROLE}"', id="PCR3 and a role"),
        pytest.param(IMAGE + f'any_parent_role = true\nparent_role = "{ROLE}"', id="a role and any role"),
        pytest.param(IMAGE + 'parent_role = "strongroom"', id="role without ARN"),
        pytest.param(IMAGE + 'parent_role = "arn:aws:iam::111122223333:user/x"', id="a user"),
        pytest.param(
            "[[measurement]]\n" + line(0) + line(1) + f'pcr2 = "{EMPTY_APPLICATION_PCR2.hex()}"\n' + line(3),
            id="empty application",
        ),
        pytest.param(SOUND + "not_before = 2026-01-01T00:00:00", id="no offset"),
        pytest.param(SOUND + "not_before = 2026-01-01", id="a date"),
        pytest.param(SOUND + 'not_before = "2026-01-01T00:00:00Z" extra', id="noise"),
        pytest.param(SOUND + 'not_before = "2026-01-01T00:00:00Z"', id="a quoted instant"),
        pytest.param(SOUND + "not_before = 0001-01-01T00:00:00+23:59", id="before the first year"),
        pytest.param(SOUND + "not_after = 9999-12-31T23:59:59.999-23:59", id="after the last year"),
        pytest.param(SOUND + "not_before = 2026-01-02T00:00:00Z\nnot_after = 2026-01-01T00:00:00Z", id="order"),
        pytest.param(SOUND * 65, id="65 tables"),
        pytest.param(SOUND + "#" * 300_000, id="too large"),
        pytest.param("a." * 8_000 + "a = 1", id="a key of many parts"),
        pytest.param(SOUND + "a = {" + "a." * 8_000 + "a = 1}", id="the same inside a table"),
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(PolicyError):
        load_measurements(text.encode())


def test_a_key_of_many_parts_takes_no_memory() -> None:
    """Its every beginning would be kept: 16 KiB of text would take 256 MiB."""
    tracemalloc.start()
    try:
        with pytest.raises(PolicyError, match="dots"):
            load_measurements(b"a." * 8_000 + b"a = 1")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


def test_a_policy_may_be_commented_at_length() -> None:
    assert load_measurements((SOUND + "#" + "." * 4_096).encode())


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (SOUND + 'pcr4 = "q"', "expected 96 hexadecimal digits for pcr4"),
        (IMAGE, "expected either PCR3, the parent's role"),
        (SOUND + "extra = 1", "unknown field `extra`"),
    ],
)
def test_says_which_table_cannot_be_used_and_why(second: str, reason: str) -> None:
    with pytest.raises(PolicyError, match="measurement 2: ") as caught:
        load_measurements((SOUND + second).encode())
    assert reason in str(caught.value)


def test_refuses_what_is_not_utf_8() -> None:
    with pytest.raises(PolicyError):
        load_policy(b"\xff" + SOUND.encode())


def test_reads_every_key() -> None:
    text = (
        IMAGE
        + f'name = "release 1"\nparent_role = "{ROLE}"\n'
        + line(16)
        + "not_before = 2026-01-01T01:00:00+01:00\nnot_after = 2026-06-30T00:00:00.5Z\n"
        + IMAGE.upper().replace("MEASUREMENT", "measurement").replace("PCR", "pcr")
        + "any_parent_role = true"
    )
    first, second = load_measurements(text.encode())
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1000
    assert first.pcrs == {i: forge.pcr(i) for i in (0, 1, 2, 16)} | {3: parent_role_pcr3(ROLE)}
    assert (first.name, first.not_before_ms, first.any_parent_role) == ("release 1", start, False)
    assert first.not_after_ms == int(datetime(2026, 6, 30, tzinfo=UTC).timestamp()) * 1000 + 500
    assert second == Measurements({i: forge.pcr(i) for i in range(3)}, any_parent_role=True)


def test_loads_a_policy_that_judges() -> None:
    policy = load_policy((SOUND + SOUND.replace(forge.pcr(0).hex(), forge.pcr(9).hex())).encode())
    accept(forge.document(), policy=policy)
    document = forge.document(pcrs=forge.PCRS | {1: forge.pcr(9)})
    reject(RejectionCode.NO_POLICY_MATCHES, document, policy=policy)


digests = st.binary(min_size=48, max_size=48).filter(any)
names = st.just("") | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ._:@/+-]{0,30}", fullmatch=True)
edges = st.integers(0, MAX_INSTANT_MS)


@st.composite
def measurements(draw: st.DrawFn) -> Measurements:
    pcrs = draw(st.dictionaries(st.integers(3, 31), digests, max_size=6))
    pcrs |= {index: draw(digests) for index in range(3)}
    start, end = sorted(draw(st.tuples(edges, edges).filter(lambda pair: pair[0] != pair[1])))
    return Measurements(
        pcrs,
        draw(names),
        draw(st.sampled_from([None, start])),
        draw(st.sampled_from([None, end])),
        any_parent_role=3 not in pcrs,
    )


@given(st.lists(measurements(), min_size=1, max_size=3))
def test_dump_is_read_back(listed: list[Measurements]) -> None:
    assert load_measurements(dump_measurements(listed).encode()) == tuple(listed)
