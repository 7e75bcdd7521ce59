"""`strongroom status`, and the terms that every command of the client takes."""

import json

import pytest

from strongroom.protocol.constants import PATH_SEALED
from strongroom.protocol.kms_leg import KMSLeg
from tests.cli.running import failed
from tests.cli.served import Served
from tests.client.fake_enclave import KEY_POLICIES, FakeEnclave

MODELS, REQUESTS = (KEY_POLICIES[name].hex() for name in ("models", "requests"))
PINNED = [f"--key-policy=models={MODELS.upper()}", f"--key-policy=requests={REQUESTS}"]


@pytest.mark.parametrize(
    ("leg", "words"),
    [
        (KMSLeg.CLASSICAL, "classical: RSA-2048 and classical TLS"),
        (KMSLeg.HYBRID, "hybrid TLS (X25519MLKEM768) around RSA-2048"),
    ],
)
def test_it_says_how_keys_come_from_kms_and_under_which_policies(served: Served, leg: KMSLeg, words: str) -> None:
    served.gateway.enclave = FakeEnclave(served.pki, kms_leg=leg)
    rows = served.run("status").stdout.decode().splitlines()
    [row] = [row for row in rows if row.startswith("  KMS leg")]
    assert row.split(maxsplit=2)[2] == words
    assert [row.split()[2:4] for row in rows if row.startswith("  key policy")] == [
        [MODELS, "models,"],
        [REQUESTS, "requests,"],
    ]


def test_programs_get_both_too(served: Served) -> None:
    status = json.loads(served.run("status", "--json").stdout)
    assert (status["kms_leg"], status["key_policies"]) == ("classical", {"models": MODELS, "requests": REQUESTS})


def test_terms_that_are_met(served: Served) -> None:
    served.gateway.enclave = FakeEnclave(served.pki, kms_leg=KMSLeg.HYBRID)
    assert served.run("chat", "hello", "--require-hybrid-kms", *PINNED).returncode == 0


@pytest.mark.parametrize(
    ("terms", "reason", "said"),
    [
        (["--require-hybrid-kms"], "kms-leg", "expected hybrid TLS (X25519MLKEM768) from the enclave to KMS"),
        ([f"--key-policy=models={REQUESTS}"], "key-policy", f"expected SHA-384 {REQUESTS}, got {MODELS}"),
        ([f"--key-policy=other={MODELS}"], "key-policy", "got those of models, requests"),
    ],
)
def test_terms_that_are_not_met(served: Served, terms: list[str], reason: str, said: str) -> None:
    assert said in failed(served.run("chat", "hello", *terms), 3)
    error = json.loads(served.run("status", "--json", *terms).stdout)["error"]
    assert (error["code"], error["reason"]) == ("attestation-refused", reason)
    assert served.gateway.count(PATH_SEALED) == 0


@pytest.mark.parametrize(
    "terms",
    [
        ["--key-policy=models"],
        ["--key-policy="],
        ["--key-policy=models=00"],
        ["--key-policy=models=" + "x" * 96],
        [f"--key-policy=models={MODELS}", f"--key-policy=models={REQUESTS}"],
    ],
)
def test_a_pin_of_another_form_is_a_usage_error(served: Served, terms: list[str]) -> None:
    assert "expected" in failed(served.run("status", *terms))
    assert served.gateway.seen == []
