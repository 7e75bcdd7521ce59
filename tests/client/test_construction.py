"""What a client is built from: no policy, no client."""

import math
from typing import Any

import pytest

from attestation.policy import AnyOf, Measurements, PinnedPCRs, Policy, UnsafeAnyMeasurement
from strongroom.client.aio import AsyncClient
from strongroom.client.errors import InvalidArgument, PolicyRequired
from strongroom.client.session import AttestedSession
from strongroom.client.sync import Client

URL = "http://127.0.0.1:1"


@pytest.mark.parametrize("kind", [AsyncClient, Client, AttestedSession])
@pytest.mark.parametrize("policy", [None, {}, "policy.toml", b"", True, object()])
def test_without_a_policy(kind: Any, policy: object) -> None:
    with pytest.raises(PolicyRequired, match="load_policy"):
        kind(URL, policy=policy)


@pytest.mark.parametrize("kind", [AsyncClient, Client])
def test_with_the_policy_left_out(kind: Any) -> None:
    with pytest.raises(PolicyRequired):
        kind(URL)


def pinning(*indices: int) -> Measurements:
    return Measurements({index: bytes([index + 1]) * 48 for index in indices})


@pytest.mark.parametrize("kind", [AsyncClient, Client, AttestedSession])
@pytest.mark.parametrize(
    ("policy", "missing"),
    [
        (pinning(0, 1, 2, 3, 17), "pcr16"),
        (pinning(0, 1, 2, 3, 16), "pcr17"),
        (AnyOf([pinning(0, 1, 2, 3, 16, 17), pinning(0, 1, 2, 3)]), "pcr16, pcr17"),
        (PinnedPCRs({16: b"m" * 48, 17: b"c" * 48}), "pcr0, pcr1, pcr2, pcr3"),
        (PinnedPCRs(dict.fromkeys((0, 1, 2, 16, 17), b"m" * 48)), "pcr3"),
    ],
    ids=["models", "configuration", "one of two", "image", "parent's role"],
)
def test_a_policy_that_leaves_open_what_runs(kind: Any, policy: Policy, missing: str) -> None:
    with pytest.raises(InvalidArgument, match=f"expected {missing} in every measurement"):
        kind(URL, policy=policy)


@pytest.mark.parametrize("kind", [AsyncClient, Client, AttestedSession])
def test_a_policy_that_says_aloud_what_it_leaves_open(kind: Any) -> None:
    pcrs = pinning(0, 1, 2, 3, 16, 17).pcrs
    anybody = Measurements({index: value for index, value in pcrs.items() if index != 3}, any_parent_role=True)
    for policy in (anybody, AnyOf([anybody, Measurements(pcrs)]), UnsafeAnyMeasurement()):
        kind(URL, policy=policy)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8080",
        "/v1",
        "ftp://host",
        "unix:///run/x",
        "http://",
        "https://user:secret@host",
        "https://:secret@host",
        "https://host?x=1",
        "https://host#x",
        "http://host:99999",
        "http://[::1",
        "http://" + "a" * 64 + ".com",
        "http://...",
        "http://xn--zz--zz",
        None,
        7,
    ],
)
def test_an_address_of_another_form(url: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        AsyncClient(url, policy=UnsafeAnyMeasurement())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "overrides",
    [
        {"timeout_s": 0},
        {"timeout_s": -1},
        {"timeout_s": math.nan},
        {"timeout_s": math.inf},
        {"max_age_s": 0},
        {"suites": ()},
        {"suites": (1,)},
        {"anchor": None},
        {"anchor": b"pem"},
    ],
)
def test_other_arguments_out_of_bounds(overrides: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        AttestedSession(URL, policy=UnsafeAnyMeasurement(), **overrides)
