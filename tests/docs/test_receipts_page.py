"""docs/receipts.md is normative: its claims, layers and codes are those of the code."""

import re
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from attestation import receipt_claims
from attestation.checkpoints import CHECKPOINT_PROFILE
from attestation.proof_errors import Layer, ProofCode, ProofRejected
from attestation.proofs import bundled, statements
from attestation.proofs.openings import Opening
from attestation.proofs.verifier import DOCUMENT_WINDOW_MS
from strongroom.cli.commands import cli
from strongroom.protocol import canonical
from strongroom.protocol.configuration import Windows
from tests.attestation import forge
from tests.attestation.issuing import Enclave
from tests.cli.receipts import ANY, COMMITTED_EVENTS, TASK, answered, judged, kept
from tests.cli.verifying import anchored, policy_file, write
from tests.docs.test_examples import blocks

FILE = Path(__file__).parents[2] / "docs" / "receipts.md"
PAGE = FILE.read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its two first lines."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_claim_is_in_the_table_and_no_other() -> None:
    keys = {value for name, value in vars(receipt_claims).items() if name.isupper() and isinstance(value, int)}
    shown = [int(row[0]) for row in rows("Receipt")]
    assert set(shown) == keys
    assert len(shown) == len(keys)


def test_the_profiles() -> None:
    assert f"`{receipt_claims.RECEIPT_PROFILE}`" in PAGE
    assert f'"{CHECKPOINT_PROFILE}"' in PAGE


def test_every_layer_lists_exactly_its_codes() -> None:
    shown = {name: set(re.findall(r"`([a-z-]+)`", codes)) for name, _, codes in rows("Layers, in the order judged")}
    assert list(shown) == list(Layer)
    assert shown == {layer: {code for code in ProofCode if code.layer is layer} for layer in Layer}


def test_the_window_is_longer_than_the_longest_refresh() -> None:
    [bounds] = Windows.__annotations__["document_refresh_s"].__metadata__
    window, refresh = f"{DOCUMENT_WINDOW_MS // 1000:,} s later", f"refresh is at most {bounds.le:,} s"
    assert f"to {window} (a configuration's {refresh})" in PAGE
    assert bounds.le * 1000 < DOCUMENT_WINDOW_MS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the reader has: an answer with its receipt, question and text, a policy, a log."""
    enclave = Enclave("A")
    issued = answered(enclave)
    enclave.checkpoint()
    kept(tmp_path / "audit-log", enclave)
    shown = {
        "request": Opening(issued.salts.request, canonical.encode(TASK)),
        "response": Opening(issued.salts.response, canonical.encode(COMMITTED_EVENTS)),
    }
    write(tmp_path, issued.receipt, "answer.receipt")
    write(tmp_path, enclave.evidence.to_bytes(), "evidence.bin")
    write(tmp_path, enclave.bundle(issued, **shown).to_bytes(), "answer.proof")
    write(tmp_path, b"what is a secret?\n", "question.txt")
    write(tmp_path, b"one that is kept\n", "answer.txt")
    policy_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_of_the_page_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated = partial(bundled.verify_bundle, anchor=forge.pki().anchor, allow_simulated=True)
    monkeypatch.setattr(bundled, "verify_bundle", simulated)
    [example] = blocks(FILE, "python")
    exec(compile(example, FILE.name, "exec"), {})
    assert "what is a secret?" in capsys.readouterr().out
    Path("question.txt").write_text("another question")
    with pytest.raises(ProofRejected, match="request-commitment"):
        exec(compile(example, FILE.name, "exec"), {})


def test_every_command_of_the_page_runs(folder: Path) -> None:
    trust = anchored(folder)
    shown = re.findall(r"^\$ strongroom (.*)", PAGE, re.MULTILINE)
    assert len(shown) == 7
    for command in shown:
        arguments = [*command.split(), *(trust if "verify" in command else ())]
        result = CliRunner().invoke(cli, arguments, standalone_mode=False)
        assert (result.exception, result.return_value or 0) == (None, 0), result.output
    _, report = judged("receipt", "verify", "answer.logged.proof", ANY, *trust)
    assert (report["layers"][-1]["name"], report["layers"][-1]["status"]) == ("log", "passed")


def test_what_is_printed_as_not_proved_is_on_the_page() -> None:
    section = PAGE.split("## What a green check does not prove\n", 1)[1].casefold()
    assert len(statements._LIMITS) == 5
    for words in ("who asked", "delivered", "how often", "is true", "iam", "destroyed", "hardware", "skipped"):
        assert words in section
