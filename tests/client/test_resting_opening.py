"""Opening many answers from Python: each is verified, told once with its answer, and written once."""

import json
import stat
from dataclasses import replace

import pytest

from strongroom.client.answers import TextAnswer
from strongroom.client.errors import AttestationRefused
from strongroom.client.resting.outcomes import FileOutcome
from strongroom.simulator.pki import SimulatedPKI
from tests.client.fake_enclave import PIECES, FakeEnclave
from tests.client.resting import NAMES, Desk, Interrupted, interrupting_at

TEXT = "".join(PIECES)
OUT = ["a.txt.txt", "b.txt.txt", "c.json.json"]


@pytest.fixture
async def answered(desk: Desk) -> Desk:
    desk.seal()
    assert await desk.submit() == ["answered"] * 3
    return desk


def test_each_answer_is_opened_and_told_once(answered: Desk) -> None:
    told: list[FileOutcome] = []
    assert answered.open(told.append) == ["opened"] * 3
    assert [outcome.file.name for outcome in told] == [f"{name}.answer" for name in NAMES]
    assert isinstance(told[0].answer, TextAnswer)
    assert told[0].answer.text == TEXT
    assert told[2].answer == [[1.0, 2.0]]
    written = answered.contents("out/*")
    assert list(written) == OUT
    assert (written["a.txt.txt"].decode(), json.loads(written["c.json.json"])) == (
        TEXT,
        {"vectors": [[1.0, 2.0]], "prompt_tokens": 3},
    )
    assert answered.contents("proofs/*")["a.txt.proof"] == told[0].answer.proof()
    modes = {
        stat.S_IMODE(path.stat().st_mode) for kind in ("out", "proofs") for path in answered.folder.glob(f"{kind}/*")
    }
    assert modes == {0o600}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_run_that_was_interrupted_goes_on(answered: Desk, count: int) -> None:
    with pytest.raises(Interrupted):
        answered.open(interrupting_at(count))
    made = {path: path.stat().st_mtime_ns for path in answered.folder.glob("out/*")}
    assert sorted(path.name for path in made) == OUT[:count]
    assert answered.open() == ["opened"] * 3
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert list(answered.contents("out/*")) == OUT


def test_without_folders_answers_are_told_and_written_nowhere(answered: Desk) -> None:
    before = sorted(answered.folder.rglob("*"))
    told: list[FileOutcome] = []
    assert answered.open(told.append, out=None, proofs=None) == ["opened"] * 3
    assert all(outcome.answer is not None for outcome in told)
    assert sorted(answered.folder.rglob("*")) == before


def test_each_failure_is_its_files_own(answered: Desk) -> None:
    (answered.folder / "sealed" / "a.txt.ticket").unlink()
    (answered.folder / "out").mkdir()
    (answered.folder / "out" / "b.txt.txt").write_text("mine")
    assert answered.open() == ["ticket", "exists", "opened"]
    assert list(answered.contents("proofs/*")) == ["c.json.proof"]
    assert answered.open(force=True) == ["ticket", "opened", "opened"]
    assert answered.contents("out/b*") == {"b.txt.txt": TEXT.encode()}


def test_nothing_is_told_or_written_of_an_enclave_that_the_policy_refuses(answered: Desk, pki: SimulatedPKI) -> None:
    other = FakeEnclave(pki, image={index: bytes([index + 9]) * 48 for index in range(3)}).policy()
    told: list[FileOutcome] = []
    assert (
        replace(answered, terms=replace(answered.terms, policy=other)).open(told.append) == ["attestation-refused"] * 3
    )
    assert all(isinstance(outcome.error, AttestationRefused) and outcome.answer is None for outcome in told)
    assert answered.contents("out/*") == answered.contents("proofs/*") == {}
