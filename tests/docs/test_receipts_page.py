"""docs/receipts.md is normative: its claims, layers and codes are those of the code."""

import re
from pathlib import Path

from attestation import receipt_claims
from attestation.checkpoints import CHECKPOINT_PROFILE
from attestation.proof_errors import Layer, ProofCode
from attestation.proofs import statements
from attestation.proofs.verifier import DOCUMENT_WINDOW_MS
from strongroom.protocol.configuration import Windows

PAGE = (Path(__file__).parents[2] / "docs" / "receipts.md").read_text()


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


def test_the_window_is_the_longest_refresh() -> None:
    assert "7,200 s" in PAGE
    [bounds] = Windows.__annotations__["document_refresh_s"].__metadata__
    assert bounds.le * 1000 == DOCUMENT_WINDOW_MS


def test_what_is_printed_as_not_proved_is_on_the_page() -> None:
    section = PAGE.split("## What a green check does not prove\n", 1)[1].casefold()
    assert len(statements._LIMITS) == 5
    for words in ("who asked", "delivered", "how often", "is true", "iam", "destroyed", "hardware", "skipped"):
        assert words in section
