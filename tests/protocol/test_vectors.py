"""The protocol's vectors: equal to what the generator makes, and answered as they say by code that it never uses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from strongroom.protocol.errors import ProtocolError
from tests.protocol import client_judging, judging, receipt_judging
from tests.protocol.vectors import suite
from tests.protocol.vectors.__main__ import main
from tests.protocol.vectors.vector import ACCEPTED

JUDGES: dict[str, judging.Judge] = {
    "key-lists": judging.key_list,
    "evidence": judging.evidence,
    "requests-x25519": judging.request,
    "requests-xwing": judging.request,
    "envelopes": judging.envelope,
    "responses-whole": judging.response,
    "responses-streamed": judging.response,
    "replies": client_judging.reply,
    "receipts": receipt_judging.receipt,
    "checkpoints": receipt_judging.checkpoint,
    "witnesses": client_judging.witness,
    "kept-answers": client_judging.kept_answer,
    "tickets": client_judging.ticket,
    "audit-pages": judging.audit_page,
    "weights": judging.weights,
}
FILES = {name: json.loads((suite.FOLDER / f"{name}.json").read_text()) for name in JUDGES}
CHECKLIST = json.loads((suite.FOLDER / suite.CHECKLIST).read_text())
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "protocol.md"
VECTORS = [(name, vector) for name, page in FILES.items() for vector in page["vectors"]]
RESPONSES = [(name, vector) for name, vector in VECTORS if name.startswith("responses") and "released" in vector]


def _id(value: object) -> str | None:
    return value["id"] if isinstance(value, dict) else ""


@pytest.mark.parametrize(("name", "vector"), VECTORS, ids=_id)
def test_is_answered_as_it_says(name: str, vector: dict[str, Any]) -> None:
    outcome, facts = judging.outcome(JUDGES[name], FILES[name]["given"], vector)
    assert outcome == vector["outcome"]
    gives = vector.get("gives", {})
    assert facts == {key: value for key, value in gives.items() if key != "asked"}


@pytest.mark.parametrize(("name", "vector"), RESPONSES, ids=_id)
def test_releases_no_more_than_what_verified(name: str, vector: dict[str, Any]) -> None:
    bodies: list[bytes] = []
    with suppress(ProtocolError):
        judging.release(FILES[name]["given"], vector, bodies)
    assert len(bodies) == vector["released"]


def test_the_generator_makes_them_byte_for_byte(tmp_path: Path) -> None:
    assert suite.differences(suite.FOLDER) == [], "run: make vectors"
    (tmp_path / "stale.json").write_text("{}")
    suite.write(tmp_path)
    assert suite.differences(tmp_path) == []


def test_the_generator_shares_no_code_with_what_it_judges() -> None:
    program = "import sys, tests.protocol.vectors.suite as suite; suite.files(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"strongroom", "attestation", "enclave"} & {name.partition(".")[0] for name in done.stdout.split()}


def test_a_difference_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "FOLDER", tmp_path)
    assert main([]) == 0
    assert main(["--check"]) == 0
    (tmp_path / "weights.json").write_text("{}")
    assert suite.differences(tmp_path) == ["weights.json"]
    assert main(["--check"]) == 1


def test_every_message_has_accepted_and_refused_ones() -> None:
    assert suite.groups().keys() == JUDGES.keys()
    for page in FILES.values():
        outcomes = {vector["outcome"] == ACCEPTED for vector in page["vectors"]}
        assert outcomes == {True, False}


def test_ids_are_unique_and_titles_say_something() -> None:
    assert len({vector["id"] for _, vector in VECTORS}) == len(VECTORS)
    assert all(vector["title"] for _, vector in VECTORS)


def test_every_line_of_the_clients_checklist_has_a_vector_that_is_refused() -> None:
    _, _, section = PAGE.read_text().partition("## What a client must check")
    assert list(CHECKLIST) == re.findall(r"^(\d+)\. ", section, re.MULTILINE)
    refused = {vector["id"] for _, vector in VECTORS if vector["outcome"] != ACCEPTED}
    for line in CHECKLIST.values():
        assert line.get("documents") or line["vectors"]
        assert set(line.get("vectors", ())) <= refused
        assert all((suite.FOLDER.parent / name / "document.cbor").is_file() for name in line.get("documents", ()))
