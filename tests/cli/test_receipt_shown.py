"""`strongroom receipt verify BUNDLE`: what somebody holds of request and answer, and what the bundle shows of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from attestation.proofs.openings import Opening
from strongroom.cli.commands import cli
from strongroom.cli.failures import CommandFailed
from strongroom.client.errors import InvalidArgument
from strongroom.protocol import canonical
from strongroom.protocol.payloads import Embeddings, EmbedTask, Event, Task
from strongroom.protocol.tensors import Tensor
from tests.attestation.issuing import Enclave
from tests.cli.receipts import ANY, COMMITTED_EVENTS, EVENTS, TASK, judged
from tests.cli.verifying import anchored, write

PROMPT, TEXT = b"what is a secret?", b"one that is kept"
TEXTS = EmbedTask(["a text"])
VECTORS: list[Event] = [Embeddings(Tensor("float32", [1, 1], b"\0\0\x80\x3f"), 1)]


def bundle_of(folder: Path, task: Task = TASK, events: list[Event] = COMMITTED_EVENTS, **parts: Any) -> str:
    """A proof bundle of an answer, shown unless `parts` say otherwise."""
    enclave = Enclave("A")
    issued = enclave.issue(canonical.encode(task), canonical.encode(events))
    shown = {
        "request": Opening(issued.salts.request, canonical.encode(task)),
        "response": Opening(issued.salts.response, canonical.encode(events)),
    }
    return write(folder, enclave.bundle(issued, **(shown | parts)).to_bytes(), "answer.proof")


def verified(folder: Path, bundle: str, *arguments: str) -> tuple[int, Any, list[str]]:
    """Exit code, code, and the status of the layers request and response."""
    code, answer = judged("receipt", "verify", bundle, ANY, *anchored(folder), *arguments)
    return code, answer["code"], [each["status"] for each in answer["layers"] if each["name"].startswith("re")]


@pytest.mark.parametrize(
    ("option", "content"),
    [
        ("--request", canonical.encode(TASK)),
        ("--request", msgspec.json.encode(TASK)),
        ("--request", PROMPT),
        ("--request", PROMPT + b"\n"),
        ("--request", PROMPT + b"\r\n"),
        ("--response", canonical.encode(EVENTS)),
        ("--response", msgspec.json.encode(EVENTS)),
        ("--response", TEXT),
        ("--response", TEXT + b"\n"),
    ],
    ids=lambda value: str(len(value)) if isinstance(value, bytes) else value,
)
def test_what_was_asked_and_answered(option: str, content: bytes, tmp_path: Path) -> None:
    file = write(tmp_path, content, "mine")
    assert verified(tmp_path, bundle_of(tmp_path), option, file) == (0, None, ["passed", "passed"])


@pytest.mark.parametrize(
    ("option", "content", "code"),
    [
        ("--request", canonical.encode(msgspec.structs.replace(TASK, max_tokens=9)), "request-commitment"),
        ("--request", msgspec.json.encode(msgspec.structs.replace(TASK, max_tokens=9)), "request-commitment"),
        ("--request", b"what is a secret", "request-commitment"),
        ("--request", PROMPT + b"\n\n", "request-commitment"),
        ("--request", b" " + PROMPT, "request-commitment"),
        ("--request", b"", "request-commitment"),
        ("--response", canonical.encode(EVENTS[1:]), "response-commitment"),
        ("--response", b"one that is", "response-commitment"),
        ("--response", TEXT + b" ", "response-commitment"),
        ("--response", b"", "response-commitment"),
    ],
    ids=lambda value: str(len(value)) if isinstance(value, bytes) else value,
)
def test_what_was_not(option: str, content: bytes, code: str, tmp_path: Path) -> None:
    file = write(tmp_path, content, "mine")
    assert verified(tmp_path, bundle_of(tmp_path), option, file)[:2] == (1, code)


def test_the_commitment_decides_and_not_the_bundle(tmp_path: Path) -> None:
    """A bundle whose request is not the one that its receipt commits to: text that fits the bundle is refused."""
    other = msgspec.structs.replace(TASK, max_tokens=9)
    bundle = bundle_of(tmp_path, request=Opening(bytes(32), canonical.encode(other)))
    mine = write(tmp_path, PROMPT, "mine")
    assert verified(tmp_path, bundle, "--request", mine)[:2] == (1, "request-commitment")


@pytest.mark.parametrize("option", ["--request", "--response"])
def test_a_bundle_that_keeps_it_back_has_no_salt_for_it(option: str, tmp_path: Path) -> None:
    parts: dict[str, Any] = {option.removeprefix("--"): None}
    bundle = bundle_of(tmp_path, **parts)
    refuses(InvalidArgument, "keeps it back", bundle, option, write(tmp_path, PROMPT, "mine"))


def refuses(error: type[Exception], says: str, bundle: str, *arguments: str) -> None:
    result = CliRunner().invoke(cli, ["receipt", "verify", bundle, ANY, *arguments], standalone_mode=False)
    assert isinstance(result.exception, error)
    assert says in str(result.exception) + getattr(result.exception, "message", "")


def test_text_is_not_enough_for_other_tasks(tmp_path: Path) -> None:
    bundle, text = bundle_of(tmp_path, TEXTS, VECTORS), write(tmp_path, b"a text", "mine")
    refuses(InvalidArgument, "no chat of one user message", bundle, "--request", text)
    refuses(InvalidArgument, "no generated answer", bundle, "--response", text)
    task = write(tmp_path, msgspec.json.encode(TEXTS), "task")
    assert verified(tmp_path, bundle, "--request", task)[0] == 0


def test_what_is_named_json_is_no_text(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path)
    refuses(CommandFailed, "expected a task", bundle, "--request", write(tmp_path, PROMPT, "mine.json"))
    refuses(CommandFailed, "expected a list", bundle, "--response", write(tmp_path, b"\xff", "mine"))


# What a bundle shows


@pytest.mark.parametrize(("task", "events"), [(TASK, COMMITTED_EVENTS), (TEXTS, VECTORS)], ids=["chat", "embed"])
def test_what_a_bundle_shows_can_be_read_and_held_against_it(task: Task, events: list[Event], tmp_path: Path) -> None:
    bundle, shown = bundle_of(tmp_path, task, events), tmp_path / "made" / "shown"
    assert verified(tmp_path, bundle, "--out", str(shown))[0] == 0
    assert json.loads((shown / "request.json").read_bytes())["task"] == ("chat" if task is TASK else "embed")
    assert {file.stat().st_mode & 0o777 for file in shown.iterdir()} == {0o600}
    mine = ("--request", str(shown / "request.json"), "--response", str(shown / "response.json"))
    assert verified(tmp_path, bundle, *mine) == (0, None, ["passed", "passed"])


def test_nothing_is_written_that_was_not_accepted(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, request=Opening(bytes(32), canonical.encode(TASK)))
    assert verified(tmp_path, bundle, "--out", str(tmp_path / "shown"))[:2] == (1, "request-commitment")
    assert not (tmp_path / "shown").exists()


def test_only_what_is_shown_is_written_and_nothing_over_what_is_there(tmp_path: Path) -> None:
    bundle, shown = bundle_of(tmp_path, response=None), tmp_path / "shown"
    assert verified(tmp_path, bundle, "--out", str(shown))[0] == 0
    assert [file.name for file in shown.iterdir()] == ["request.json"]
    refuses(FileExistsError, "request.json", bundle, "--out", str(shown), *anchored(tmp_path))
