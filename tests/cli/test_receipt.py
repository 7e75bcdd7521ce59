"""`strongroom receipt verify`: from files or from one bundle, each layer by name."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner

from attestation.errors import PolicyError
from attestation.proof_errors import Layer, ProofRejected
from attestation.proofs.openings import Opening
from strongroom.cli.commands import cli
from strongroom.cli.failures import CommandFailed
from strongroom.protocol import canonical
from strongroom.protocol.payloads import GenerationEnd, InferTask, Receipt
from strongroom.protocol.tensors import Tensor
from tests.attestation import forge
from tests.attestation.issuing import ADMITTED_MS, Enclave, Issued
from tests.cli.receipts import ANY, COMMITTED_EVENTS, EVENTS, TASK, answered, judged, printed
from tests.cli.running import failed, strongroom
from tests.cli.verifying import anchored, policy_file, write

KEYS = ["policy", "verdict", "code", "simulated", "layers", "receipt", "proves", "does_not_prove", "document"]


@pytest.fixture(scope="module")
def enclave() -> Enclave:
    return Enclave("A")


@pytest.fixture(scope="module")
def issued(enclave: Enclave) -> Issued:
    return answered(enclave)


@pytest.fixture
def files(tmp_path: Path, enclave: Enclave, issued: Issued) -> tuple[str, ...]:
    """A receipt and its document, judged under the forge's root."""
    receipt = write(tmp_path, issued.receipt, "answer.receipt")
    document = write(tmp_path, enclave.document)
    return ("receipt", "verify", receipt, "--document", document, *anchored(tmp_path))


def layers(answer: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {layer["name"]: layer["status"] for layer in answer["layers"]}


def salts_of(issued: Issued, tmp_path: Path) -> tuple[str, str]:
    """The requester's, in a file: whoever else is on the machine sees what is typed."""
    return "--salts", write(tmp_path, issued.salts.to_bytes().hex().encode(), "salts")


def test_an_accepted_receipt_in_json(files: tuple[str, ...], issued: Issued, tmp_path: Path) -> None:
    code, answer = judged(*files, "--policy", policy_file(tmp_path))
    assert (code, list(answer)) == (0, KEYS)
    assert [answer[key] for key in KEYS[:4]] == ["caller", "accepted", None, True]
    assert list(layers(answer)) == list(Layer)
    assert [name for name, status in layers(answer).items() if status == "skipped"] == ["request", "response", "log"]
    assert answer["receipt"]["request_id"] == issued.claims.request_id.hex()
    assert answer["receipt"]["issued_at_s"] == (ADMITTED_MS + 1500) // 1000
    assert answer["document"]["verdict"] == "accepted"
    assert "SIMULATED" in answer["proves"][0]


def test_what_it_says_to_people(files: tuple[str, ...]) -> None:
    text = printed(*files, ANY)
    assert text.startswith("accepted (receipt; SIMULATED, proves nothing about hardware)")
    for line in ("who asked: a receipt does not name the asker", "no policy: any measurement", "smollm2-135m 1"):
        assert line in text


def test_contents_that_are_shown(files: tuple[str, ...], issued: Issued, tmp_path: Path) -> None:
    salts = salts_of(issued, tmp_path)
    for request, response in [
        (canonical.encode(TASK), canonical.encode(EVENTS)),
        (msgspec.json.encode(TASK), b"\n " + msgspec.json.encode(EVENTS)),
        (canonical.encode(TASK), canonical.encode([*EVENTS, Receipt(issued.receipt)])),
    ]:
        shown = ("--request", write(tmp_path, request, "task"), "--response", write(tmp_path, response, "events"))
        code, answer = judged(*files, ANY, *shown, *salts)
        assert (code, layers(answer)["request"], layers(answer)["response"]) == (0, "passed", "passed")


def test_defaults_of_a_task_are_filled_in(files: tuple[str, ...], issued: Issued, tmp_path: Path) -> None:
    task = {"task": "chat", "messages": [{"role": "user", "content": "what is a secret?"}], "max_tokens": 8}
    shown = ("--request", write(tmp_path, json.dumps(task).encode(), "task.json"))
    code, _ = judged(*files, ANY, *shown, *salts_of(issued, tmp_path))
    assert code == 0


def test_contents_that_differ(files: tuple[str, ...], issued: Issued, tmp_path: Path) -> None:
    salts = salts_of(issued, tmp_path)
    other = write(tmp_path, canonical.encode(msgspec.structs.replace(TASK, max_tokens=9)), "task")
    code, answer = judged(*files, ANY, "--request", other, *salts)
    assert (code, answer["code"], layers(answer)["request"]) == (1, "request-commitment", "failed")
    shorter = write(tmp_path, canonical.encode(EVENTS[1:]), "events")
    assert judged(*files, ANY, "--response", shorter, *salts)[1]["code"] == "response-commitment"
    swapped = issued.salts.response + issued.salts.request + issued.salts.leaf
    sound = write(tmp_path, canonical.encode(TASK), "task")
    salts = ("--salts", write(tmp_path, swapped, "swapped"))
    assert judged(*files, ANY, "--request", sound, *salts)[1]["code"] == "request-commitment"


def test_an_answer_without_text_commits_to_no_delta(enclave: Enclave, tmp_path: Path) -> None:
    events = [GenerationEnd("stop", 6, 0)]
    issued = enclave.issue(canonical.encode(TASK), canonical.encode(events))
    files = (write(tmp_path, issued.receipt, "r"), "--document", write(tmp_path, enclave.document))
    shown = ("--response", write(tmp_path, canonical.encode(events), "e"), *salts_of(issued, tmp_path))
    assert judged("receipt", "verify", *files, *shown, ANY, *anchored(tmp_path))[0] == 0


def test_tensors_in_json_are_base64(enclave: Enclave, tmp_path: Path) -> None:
    task = InferTask({"x": Tensor("float32", [1], b"\0\0\x80\x3f")})
    issued = enclave.issue(canonical.encode(task))
    written = {"task": "infer", "tensors": {"x": {"dtype": "float32", "shape": [1], "data": "AACAPw=="}}}
    files = (write(tmp_path, issued.receipt, "r"), "--document", write(tmp_path, enclave.document))
    shown = ("--request", write(tmp_path, json.dumps(written).encode(), "t"), *salts_of(issued, tmp_path))
    assert judged("receipt", "verify", *files, *shown, ANY, *anchored(tmp_path))[0] == 0


def test_the_document_may_come_in_its_evidence(files: tuple[str, ...], enclave: Enclave, tmp_path: Path) -> None:
    evidence = write(tmp_path, enclave.evidence.to_bytes(), "evidence")
    assert judged(*files[:4], evidence, *files[5:], ANY)[0] == 0
    other = replace(enclave.evidence, key_list=b"another").to_bytes()
    code, answer = judged(*files[:4], write(tmp_path, other, "evidence"), *files[5:], ANY)
    assert (code, answer["code"]) == (1, "not-bound")


def test_receipt_in_base64(files: tuple[str, ...], issued: Issued, tmp_path: Path) -> None:
    text = write(tmp_path, base64.b64encode(issued.receipt), "answer.b64")
    assert judged(*files[:2], text, *files[3:], ANY)[0] == 0


def test_the_documents_own_refusal_is_the_document_layers(files: tuple[str, ...], tmp_path: Path) -> None:
    code, answer = judged(*files, "--policy", policy_file(tmp_path, pcr0=forge.pcr(9)))
    assert (code, answer["code"], layers(answer)["document"]) == (1, "measurement", "failed")
    assert layers(answer)["signature"] == "skipped"
    assert (answer["proves"], answer["document"]["verdict"]) == ([], "rejected")
    code, answer = judged(*files[:5], ANY)
    assert (code, answer["code"], answer["simulated"]) == (1, "trust-anchor", False)


def test_the_simulators_root_needs_its_allowance(files: tuple[str, ...]) -> None:
    code, answer = judged(*files[:-1], ANY)
    assert (code, answer["code"], answer["simulated"]) == (1, "simulated-anchor", True)


def test_a_receipt_of_another_form_is_judged_alone(files: tuple[str, ...], tmp_path: Path) -> None:
    code, answer = judged(*files[:2], write(tmp_path, b"\xd2\x84", "r"), *files[3:], ANY)
    assert (code, answer["code"]) == (1, "receipt-protected-header")
    assert (answer["receipt"], answer["document"], answer["simulated"]) == (None, None, None)
    assert "rejected: receipt-protected-header" in printed(*files[:2], str(tmp_path / "r"), *files[3:], ANY)


def test_the_document_is_judged_at_the_receipts_instant(enclave: Enclave, tmp_path: Path) -> None:
    """Two hours and more after the forge's document its leaf has ended, whatever the clock says now."""
    for time_ms, code in [
        (forge.NOW_MS + 7_200_000, None),
        (forge.NOW_MS + 7_200_001, "certificate-expired"),
        (forge.NOW_MS - 1, "from-the-future"),
    ]:
        file = write(tmp_path, answered(enclave, time_ms=time_ms).receipt, "r")
        document = write(tmp_path, enclave.document)
        answer = judged("receipt", "verify", file, "--document", document, ANY, *anchored(tmp_path))[1]
        assert answer["code"] == code


# Bundles


def bundle_file(tmp_path: Path, enclave: Enclave, issued: Issued, **parts: object) -> str:
    shown = {
        "request": Opening(issued.salts.request, canonical.encode(TASK)),
        "response": Opening(issued.salts.response, canonical.encode(COMMITTED_EVENTS)),
    }
    return write(tmp_path, enclave.bundle(issued, **(shown | parts)).to_bytes(), "answer.proof")


def test_a_bundle_needs_nothing_beside_it(enclave: Enclave, issued: Issued, tmp_path: Path) -> None:
    policy = Path(policy_file(tmp_path)).read_text()
    bundle = bundle_file(tmp_path, enclave, issued, policy=policy)
    code, answer = judged("receipt", "verify", bundle, *anchored(tmp_path))
    assert (code, list(answer), answer["policy"]) == (0, KEYS, "bundle")
    assert "whoever made the bundle chose it" in answer["does_not_prove"][-1]
    assert layers(answer)["request"] == layers(answer)["response"] == "passed"
    text = printed("receipt", "verify", bundle, *anchored(tmp_path))
    assert "the bundle's maker chose" in text
    assert "whoever made the bundle chose it" in text
    for own in (ANY, "--policy=" + policy_file(tmp_path)):
        _, answer = judged("receipt", "verify", bundle, own, *anchored(tmp_path))
        assert not any("the bundle" in limit for limit in answer["does_not_prove"])


def test_the_callers_policy_comes_before_the_bundles(enclave: Enclave, issued: Issued, tmp_path: Path) -> None:
    lenient = Path(policy_file(tmp_path)).read_text()
    bundle = bundle_file(tmp_path, enclave, issued, policy=lenient)
    strict = policy_file(tmp_path, pcr1=forge.pcr(9))
    code, answer = judged("receipt", "verify", bundle, "--policy", strict, *anchored(tmp_path))
    assert (code, answer["policy"], answer["code"]) == (1, "caller", "measurement")
    assert judged("receipt", "verify", bundle, ANY, *anchored(tmp_path))[1]["policy"] == "any-measurement"


def test_a_bundles_place_in_the_log(enclave: Enclave, tmp_path: Path) -> None:
    issued = answered(enclave)
    enclave.fill(4)
    bundle = bundle_file(tmp_path, enclave, issued, inclusion=enclave.inclusion(issued.claims.leaf_index))
    code, answer = judged("receipt", "verify", bundle, ANY, *anchored(tmp_path))
    assert (code, layers(answer)["log"]) == (0, "passed")


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ([], click.UsageError, "--document"),
        (["--document", "DOC"], CommandFailed, "measurements that you trust"),
        (["--document", "DOC", ANY, "--request", "DOC"], click.UsageError, "--salts"),
        (["--document", "DOC", ANY, "--salts", "SALTS"], click.UsageError, "--request"),
        (["--document", "DOC", ANY, "--request", "DOC", "--salts", "TEXT"], click.UsageError, "96 bytes"),
        (["--document", "DOC", ANY, "--request", "DOC", "--salts", "SALTS"], CommandFailed, "a task"),
        (["--document", "DOC", ANY, "--request", "TEXT", "--salts", "SALTS"], CommandFailed, "beside a proof bundle"),
        (["--document", "DOC", ANY, "--response", "DOC", "--salts", "SALTS"], CommandFailed, "a list of events"),
        (["--document", "DOC", ANY, "--response", "TEXT", "--salts", "SALTS"], CommandFailed, "beside a proof bundle"),
        (["--document", "DOC", ANY, "--out", "SHOWN"], CommandFailed, "shown"),
        (["--document", "DOC", ANY, "--pcr", "0=00"], click.UsageError, "alone"),
        (["--document", "DOC", "--live"], click.UsageError, "--live"),
    ],
)
def test_wrong_usage(
    arguments: list[str], error: type[Exception], says: str, files: tuple[str, ...], tmp_path: Path
) -> None:
    names = {
        "DOC": files[4],
        "SALTS": write(tmp_path, b"00" * 96, "salts"),
        "TEXT": write(tmp_path, b"Is it mine?", "question.txt"),
    }
    given = [names.get(argument, argument) for argument in arguments]
    trust = files[5:] if "--out" in given else ()
    result = CliRunner().invoke(cli, ["receipt", "verify", files[2], *given, *trust], standalone_mode=False)
    assert isinstance(result.exception, error)
    assert says in str(result.exception) + getattr(result.exception, "message", "")


def test_a_content_that_says_one_thing_twice(files: tuple[str, ...], tmp_path: Path) -> None:
    twice = b'{"task": "embed", "texts": ["a"], "texts": ["b"]}'
    shown = ["--request", write(tmp_path, twice, "t.json"), "--salts", write(tmp_path, bytes(96), "salts")]
    result = CliRunner().invoke(cli, [*files, ANY, *shown], standalone_mode=False)
    assert isinstance(result.exception, CommandFailed)


def test_a_bundle_holds_its_own_document_and_salts(enclave: Enclave, issued: Issued, tmp_path: Path) -> None:
    bundle = bundle_file(tmp_path, enclave, issued)
    for option in ("--document", "--salts"):
        result = CliRunner().invoke(cli, ["receipt", "verify", bundle, option, bundle, ANY], standalone_mode=False)
        assert isinstance(result.exception, click.UsageError)
    result = CliRunner().invoke(cli, ["receipt", "verify", bundle], standalone_mode=False)
    assert isinstance(result.exception, CommandFailed)
    assert result.exception.code == "policy-required"


def test_a_bundle_of_another_form(enclave: Enclave, issued: Issued, tmp_path: Path) -> None:
    for bundle, error in [
        (bundle_file(tmp_path, enclave, issued, policy="no policy"), PolicyError),
        (write(tmp_path, enclave.bundle(issued, evidence=b"SRE").to_bytes(), "b"), ProofRejected),
    ]:
        result = CliRunner().invoke(cli, ["receipt", "verify", bundle, ANY], standalone_mode=False)
        assert isinstance(result.exception, error)


def test_exit_codes_of_the_process(files: tuple[str, ...], tmp_path: Path) -> None:
    assert strongroom(*files, ANY).returncode == 0
    assert strongroom(*files[:5], ANY).returncode == 1
    assert "policy-required" in strongroom(*files, "--json").stdout.decode()
    assert "bundle-form" in failed(strongroom("receipt", "verify", write(tmp_path, b"\xa0", "b"), ANY), exit_code=1)
