"""The conformance vectors: equal to what the generator makes, complete, and answered as they say."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from attestation.documents import AttestationDocument
from attestation.errors import Rejected, RejectionClass, RejectionCode
from strongroom.cli.commands import cli
from strongroom.cli.failures import run
from tests.attestation.vectors import coverage, runner, suite
from tests.attestation.vectors.__main__ import main
from tests.attestation.vectors.case import ACCEPTED
from tests.attestation.vectors.documents import sound
from tests.attestation.vectors.rules import CODES, ROWS, RULES

VECTORS = runner.vectors()
BEYOND_A_DOCUMENT = {
    *(RejectionCode.PUBLIC_KEY_PRESENT, RejectionCode.BINDING_ABSENT),
    *(RejectionCode.BINDING_PURPOSE, RejectionCode.BINDING_DIGEST, RejectionCode.SECOND_OPINION),
}


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> runner.Judge:
    """The real command line, parser to exit code, without a process of its own."""

    def judge(vector: Path, arguments: list[str]) -> runner.Answer:
        monkeypatch.chdir(vector)
        monkeypatch.setattr(sys, "argv", ["strongroom", "verify", *arguments])
        return runner.Answer.read(run(cli), capsys.readouterr().out)

    return judge


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_is_judged_as_its_manifest_says(vector: Path, in_process: runner.Judge) -> None:
    assert runner.difference(vector, in_process) is None


@pytest.mark.parametrize(
    "name", [name for name, case in suite.cases().items() if case.verdict == ACCEPTED], ids=lambda name: name
)
def test_a_second_opinion_accepts_the_controls(name: str, in_process: runner.Judge) -> None:
    def twice(vector: Path, arguments: list[str]) -> runner.Answer:
        return in_process(vector, [*arguments, "--second-opinion"])

    assert runner.difference(suite.FOLDER / name, twice) is None


def test_the_generator_makes_them_byte_for_byte(tmp_path: Path) -> None:
    assert suite.differences(suite.FOLDER) == [], "run: python -m tests.attestation.vectors generate"
    suite.write(tmp_path)
    assert suite.differences(tmp_path) == []


def test_a_changed_byte_a_missing_and_a_stray_file_are_differences(tmp_path: Path) -> None:
    suite.write(tmp_path)
    name = next(iter(suite.cases()))
    (tmp_path / name / "manifest.json").write_bytes(b"{}")
    (tmp_path / "root.pem").unlink()
    (tmp_path / name / "stray").touch()
    assert suite.differences(tmp_path) == [f"{name}/manifest.json", f"{name}/stray", "root.pem"]


def test_every_rule_class_and_code_has_a_vector() -> None:
    cases = suite.cases().values()
    assert {case.rule for case in cases} == set(range(1, len(RULES) + 1))
    assert {row for case in cases for row in case.rows} == set(range(1, len(ROWS) + 1))
    assert {case.code for case in cases} - {None} == CODES.keys()
    assert (len(RULES), len(ROWS)) == (32, 66)


def test_the_page_shows_what_has_no_vector() -> None:
    name, case = next(iter(suite.cases().items()))
    assert f"| {case.code} | {case.rule} | malformed-cose | {name[:5]} |" in coverage.page({name: case})
    assert "| nonce | 31 | nonce-mismatch |  |" in coverage.page({name: case})


def test_codes_are_the_verifiers() -> None:
    """All but those that speak of more than a document and its caller's demands."""
    own = {code.value: (code.rule, code.rejection_class) for code in RejectionCode if code not in BEYOND_A_DOCUMENT}
    assert own == {code: (entry.rule, RejectionClass(entry.rejection_class)) for code, entry in CODES.items()}


def test_there_are_enough_and_three_quarters_are_not_accepted() -> None:
    accepted = sum(case.verdict == ACCEPTED for case in suite.cases().values())
    assert len(VECTORS) == len(suite.cases()) >= 120
    assert 20 <= accepted <= len(VECTORS) // 4


def test_every_proper_prefix_of_a_sound_document_is_rejected() -> None:
    whole = sound().to_bytes()
    AttestationDocument.from_bytes(whole)
    for length in range(len(whole)):
        with pytest.raises(Rejected) as caught:
            AttestationDocument.from_bytes(whole[:length])
        assert caught.value.code.rejection_class is RejectionClass.MALFORMED_COSE, length


@pytest.mark.parametrize("name", [name for name, case in suite.cases().items() if 65 in case.rows])
def test_bombs_are_answered_by_parsing_alone(name: str) -> None:
    with pytest.raises(Rejected) as caught:
        AttestationDocument.from_bytes(suite.cases()[name].document)
    assert caught.value.code == suite.cases()[name].code


def test_the_runner_drives_a_command() -> None:
    chosen = [VECTORS[0], *VECTORS[5::100], suite.FOLDER / "31-01-live"]
    judge = runner.by_command([sys.executable, "-m", "strongroom", "verify"])
    assert [runner.difference(vector, judge) for vector in chosen] == [None] * len(chosen)


@pytest.mark.parametrize(
    ("line", "exit_code", "compare", "expected"),
    [
        ({"verdict": "accepted", "code": None}, 0, "code", "exit code: expected 1, got 0; verdict: expected rejected"),
        ({"verdict": "rejected", "code": "nonce"}, 1, "code", "code: expected input-size, got nonce"),
        ({"verdict": "rejected", "class": "stale"}, 1, "class", "class: expected malformed-cose, got stale"),
        ({"verdict": "rejected"}, 1, "code", "code: expected input-size, got nothing"),
        ({}, 1, "verdict", "verdict: expected rejected, got nothing"),
    ],
)
def test_a_wrong_answer_is_a_difference(line: dict[str, str], exit_code: int, compare: str, expected: str) -> None:
    answer = runner.Answer.read(exit_code, f"a line before\n{json.dumps(line)}\n")
    assert expected in (runner.difference(VECTORS[0], lambda *_: answer, compare) or "")


def test_a_right_verdict_is_enough_where_only_that_is_compared() -> None:
    answer = runner.Answer.read(1, '{"verdict": "rejected", "code": "an-own-one"}')
    assert runner.difference(VECTORS[0], lambda *_: answer, "verdict") is None


def test_a_command_that_says_nothing_has_no_vector_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["true"], "verdict") == 1
    assert f"0 of {len(VECTORS)} as expected" in capsys.readouterr().out


def test_generate_with_check_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--check"]) == 0
    assert "equal byte for byte" in capsys.readouterr().out
