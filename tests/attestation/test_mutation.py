"""Mutated documents: rejected with a typed error, or accepted with exactly what was signed.

20,000 cases here, a million by ``make mutation``. A finding names its seed and number:
``python -m tests.attestation.mutation --seed S --case N`` shows it again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from functools import partial

import pytest

from attestation import certificates, chain, extensions, fields, verifier
from attestation.cose import COSESign1
from attestation.errors import Disagreement, RejectionCode
from attestation.modes import Live
from attestation.policy import MAX_INSTANT_MS, Measurements
from tests.attestation import forge
from tests.attestation.mutation import bases, campaign, cases, oracle
from tests.attestation.mutation.campaign import SEED
from tests.attestation.mutation.questions import Case, Question
from tests.corpus import corpus

CASES, SHARDS = 20_000, 4
SHARD = CASES // SHARDS
GENUINE_CASES = 2_000

# Raised by attestation.bindings and by the second opinion, never by the verifier.
NOT_THE_VERIFIERS = {
    *(RejectionCode.PUBLIC_KEY_PRESENT, RejectionCode.BINDING_ABSENT, RejectionCode.BINDING_PURPOSE),
    *(RejectionCode.BINDING_DIGEST, RejectionCode.SECOND_OPINION),
}

# A warning that became an error could become a rejection, and the defect that it tells of would be hidden.
AS_IN_PRODUCTION = pytest.mark.filterwarnings("default")


@AS_IN_PRODUCTION
@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_finding_and_every_code_is_reached(shard: int) -> None:
    tally = campaign.run(cases.forged, SEED, range(shard * SHARD, (shard + 1) * SHARD))
    assert tally.findings == []
    assert tally.verdicts.total() == SHARD
    assert tally.verdicts.keys() == {*RejectionCode, oracle.ACCEPTED} - NOT_THE_VERIFIERS


@AS_IN_PRODUCTION
def test_no_finding_among_documents_that_aws_signed() -> None:
    tally = campaign.run(partial(cases.genuine, folder=corpus()), SEED, range(GENUINE_CASES))
    assert tally.findings == []
    assert len(tally.verdicts) > 25


def test_a_case_is_made_again_byte_for_byte() -> None:
    numbers = range(40)
    script = f"from tests.attestation.mutation.cases import forged\nfor n in {numbers}: print(forged(5, n).data.hex())"
    again = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert again.stdout.split("\n")[:-1] == [cases.forged(5, number).data.hex() for number in numbers]


def test_the_sound_documents_are_accepted() -> None:
    for base in bases.forged():
        question = Question(bases.anchor(base.kind), base.kind)
        case = Case(base.data, base.payload, question, ())
        assert oracle.verdict(case, chain.ChainCache()) == oracle.ACCEPTED


def test_the_command_counts_and_replays() -> None:
    command = [sys.executable, "-m", "tests.attestation.mutation", "--seed", "1"]
    long_run = subprocess.run([*command, "--cases", "1100"], capture_output=True, text=True, check=False)
    [line] = long_run.stdout.splitlines()
    summary = json.loads(line)
    assert (long_run.returncode, summary["findings"], sum(summary["verdicts"].values())) == (0, [], 1100)
    replay = subprocess.run([*command, "--case", "0"], capture_output=True, text=True, check=False)
    expected = oracle.verdict(cases.forged(1, 0), chain.ChainCache())
    assert (replay.returncode, replay.stdout.splitlines()[-1]) == (0, f"verdict: {expected}")


def _nothing(*arguments: object, **keywords: object) -> None:
    """A check that checks nothing."""


def _crash(*arguments: object) -> None:
    raise KeyError("a defect")


def _warn(*arguments: object) -> None:
    warnings.warn("a library's opinion", stacklevel=1)


def _refuse(*arguments: object) -> None:
    raise Disagreement("a refusal")


@AS_IN_PRODUCTION
@pytest.mark.parametrize(
    ("owner", "check", "defect", "finding"),
    [
        pytest.param(COSESign1, "verify", _nothing, "expected the signed payload", id="signature"),
        pytest.param(certificates, "check_issued", _nothing, "second opinion", id="issuer"),
        pytest.param(certificates, "check_authority", _nothing, "second opinion", id="authority"),
        pytest.param(certificates, "check_leaf", _nothing, "second opinion", id="leaf"),
        pytest.param(chain.Chain, "check_instant", _nothing, "second opinion", id="validity"),
        pytest.param(fields, "timestamp_ms", lambda value: forge.NOW_MS, "plain decoder", id="timestamp"),
        pytest.param(fields, "digest", lambda value: "SHA384", "plain decoder", id="digest"),
        pytest.param(Live, "check", _nothing, "another nonce", id="nonce"),
        pytest.param(verifier, "check_not_debug", _nothing, "another debug mode", id="debug mode"),
        pytest.param(verifier, "require_acceptance", _nothing, "another measurements", id="policy"),
        pytest.param(Measurements, "_end", MAX_INSTANT_MS, "another window", id="window"),
        pytest.param(certificates, "check_common_name", _nothing, "another common name", id="common name"),
        pytest.param(extensions, "_check", _nothing, "second opinion", id="extensions"),
        pytest.param(verifier, "_check_bound", _nothing, "another user data", id="binding"),
        pytest.param(verifier, "_check_kind", _nothing, "another kind", id="kind"),
        pytest.param(verifier, "_check_anchor", _nothing, "another anchor", id="anchor"),
        pytest.param(chain, "walk", _crash, "KeyError", id="an exception without type"),
        pytest.param(verifier, "check_not_debug", _warn, "filter of warnings", id="a warning"),
        pytest.param(oracle, "second_opinion", _refuse, "second opinion", id="the second opinion is asked"),
    ],
)
def test_a_defect_is_found(
    owner: object, check: str, defect: object, finding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, check, defect)
    shards = (range(start, start + 50) for start in range(0, 2_000, 50))
    found = (line for shard in shards for line in campaign.run(cases.forged, SEED, shard).findings)
    assert any(finding in line for line in found)
    chain._root.cache_clear()  # roots that only the defect let in
