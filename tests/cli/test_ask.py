"""The commands that ask a model: no answer counts as whole without its receipt, and its proof can be kept."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from attestation.bundles import Bundle
from strongroom.protocol.constants import PATH_SEALED
from strongroom.protocol.payloads import ChatTask, CompleteTask, DescribeTask, Description, Message
from strongroom.protocol.tensors import Port
from tests.cli.running import failed, strongroom
from tests.cli.served import Served
from tests.client.fake_enclave import FAILURE, PIECES

COMMANDS = {
    "chat": ("chat", "hello"),
    "complete": ("complete", "hello", "--logprobs=3"),
    "embed": ("embed", "a", "b"),
    "classify": ("classify", "a", "b"),
    "tag": ("tag", "a", "b"),
    "infer": ("infer", "inputs.json", "--model=m"),
    "describe": ("describe", "m"),
}


@pytest.fixture
def inputs(served: Served) -> Path:
    tensor = {"dtype": "int8", "shape": [1], "data": base64.b64encode(b"1").decode()}
    (served.folder / "inputs.json").write_text(json.dumps({"x": tensor}))
    return served.folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_kept_proof_verifies_offline_and_archived(served: Served, inputs: Path, command: str) -> None:
    asked = served.run(*COMMANDS[command], "--json", "--proof=answer.proof")
    assert asked.returncode == 0, asked.stderr
    trusted = ("--trust-anchor=root.pem", "--allow-simulated", "--json")
    done = strongroom("receipt", "verify", "answer.proof", *trusted, cwd=inputs)
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"], report["policy"]) == (0, "accepted", "bundle")
    assert [each["name"] for each in report["layers"] if each["status"] != "passed"] == ["log"]
    assert Bundle.from_bytes((inputs / "answer.proof").read_bytes()).leaf_salt


SHOWN = {
    ("chat", "hello"): "".join(PIECES),
    ("complete", "hello"): "".join(PIECES),
    ("embed", "a\tb"): "+1.0000 +2.0000 … (2 dimensions)  a\tb",
    ("classify", "a"): "good 0.7500  bad 0.2500  a",
    ("tag", "\x1b[2J", "b"): "0-1  first 0.5000  \\x1b\n0-1  first 0.5000  b",
}


@pytest.mark.parametrize("command", SHOWN, ids=" ".join)
def test_what_people_read(served: Served, command: tuple[str, ...]) -> None:
    assert served.run(*command).stdout.decode() == SHOWN[command] + "\n"


def test_what_a_model_is_for_people_and_for_programs(served: Served) -> None:
    rows = [line.split(maxsplit=1) for line in served.run("describe", "m").stdout.decode().splitlines()]
    assert rows == [
        ["model", "m"],
        ["version", "1.2"],
        ["task", "infer"],
        ["input", "x  float32 [n, 4]"],
        ["input", "flags  bool [?]"],
        ["output", "y  float64 []"],
    ]
    assert json.loads(served.run("describe", "m", "--json").stdout) == {
        "version": "1.2",
        "task": "infer",
        "inputs": [
            {"name": "x", "dtype": "float32", "shape": ["n", 4]},
            {"name": "flags", "dtype": "bool", "shape": [None]},
        ],
        "outputs": [{"name": "y", "dtype": "float64", "shape": []}],
    }
    [first, second] = served.gateway.enclave.opened
    assert first[0].model == second[0].model == "m"
    assert first[1].task == second[1].task == DescribeTask()


def test_names_of_a_graph_command_no_terminal(served: Served) -> None:
    hostile = Description("1", "infer", [Port("\x1b[2J", "bool", ["\x1b[31m"])], [])

    async def describe(request: web.BaseRequest) -> web.StreamResponse:
        gateway = served.gateway
        return await gateway.send(request, gateway.enclave.answer(gateway.messages[-1], [hostile]))

    served.gateway.faults[PATH_SEALED] = describe
    shown = served.run("describe", "m").stdout.decode()
    assert "\x1b" not in shown
    assert r"\x1b[2J  bool [\x1b[31m]" in shown


def test_how_many_tokens_were_embedded(served: Served) -> None:
    told = json.loads(served.run("embed", "a", "b", "--json").stdout)
    assert told == {"vectors": [[1.0, 2.0], [1.0, 2.0]], "prompt_tokens": 6}


def test_how_text_is_generated(served: Served) -> None:
    options = ("--max-tokens=9", "--temperature=0.5", "--top-p=0.9", "--top-k=4", "--seed=1", "--stop=a", "--stop=b")
    assert served.run("complete", "x", *options, "--logprobs=2", "--json").returncode == 0
    assert served.run("chat", "x", *options).returncode == 0
    expected: Any = {"max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 4, "seed": 1, "stop": ["a", "b"]}
    tasks = [request.task for _, request in served.gateway.enclave.opened]
    assert tasks == [CompleteTask("x", logprobs=2, **expected), ChatTask([Message("user", "x")], **expected)]


SCHEMA = '{"type": "object",\n "properties": {"city": {"type": "string", "maxLength": 20}}}\n'


def test_an_answer_is_held_to_the_schema_in_a_file(served: Served) -> None:
    (served.folder / "city.json").write_text(SCHEMA)
    for command in ("chat", "complete"):
        done = served.run(command, "x", "--schema=city.json")
        assert done.returncode == 0, done.stderr
    tasks = [request.task for _, request in served.gateway.enclave.opened]
    assert tasks == [ChatTask([Message("user", "x")], schema=SCHEMA), CompleteTask("x", schema=SCHEMA)]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "JSON"),
        (b'{"type": "object"', "JSON"),
        (b'{"type": NaN}', "JSON"),
        (b'{"type": "object"} {}', "JSON"),
        (b"[" * 10_000, "JSON"),
        (b'\xef\xbb\xbf{"type": "object"}', "JSON"),
        (b'{"const": "\xff"}', "UTF-8"),
        (b'{"const": "' + b"x" * 16_384 + b'"}', "16384"),
        (b" " * 65_537, "at most 65536 bytes"),
    ],
    ids=["empty", "cut", "no number", "two", "deep", "mark", "no text", "long", "longer"],
)
def test_what_is_no_schema(served: Served, content: bytes, complaint: str) -> None:
    (served.folder / "schema.json").write_bytes(content)
    assert complaint in failed(served.run("chat", "x", "--schema=schema.json"))
    assert served.gateway.messages == []


def test_log_probabilities_for_people_and_for_programs(served: Served) -> None:
    *_, first, last = served.run("chat", "x", "--logprobs=1").stdout.decode().splitlines()
    assert first.split() == ["'", "🗼'", "-0.500", "'\\xf0'", "-1.000"]
    assert last.split() == ["'.'", "-0.500", "'\\xf0'", "-1.000"]
    told = json.loads(served.run("chat", "x", "--logprobs=1", "--json").stdout)["logprobs"]
    assert b"".join(base64.b64decode(each["token"]) for each in told).decode() == "".join(PIECES)
    assert told[0]["top"] == [{"token": base64.b64encode(b"\xf0").decode(), "logprob": -1.0}]


def test_what_is_kept_is_its_owners_alone(served: Served, inputs: Path) -> None:
    """A bundle holds the prompt and the answer."""
    (inputs / "there").write_bytes(b"")
    (inputs / "there").chmod(0o640)
    for name in ("answer.proof", "there"):
        assert served.run(*COMMANDS["infer"], "--out=outputs.json", f"--proof={name}").returncode == 0
    modes = {name: stat.S_IMODE((inputs / name).stat().st_mode) for name in ("answer.proof", "outputs.json", "there")}
    assert modes == {"answer.proof": 0o600, "outputs.json": 0o600, "there": 0o640}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_receipt_that_lies_has_an_exit_code_of_its_own(served: Served, inputs: Path, command: str) -> None:
    async def lie(request: web.BaseRequest) -> web.StreamResponse:
        gateway = served.gateway
        return await gateway.send(request, gateway.enclave.answer(gateway.messages[-1], response_commitment=bytes(32)))

    served.gateway.faults[PATH_SEALED] = lie
    done = served.run(*COMMANDS[command], "--json", "--proof=answer.proof")
    assert "not complete" in failed(done, 11)
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["reason"]) == ("receipt-refused", "response-commitment")
    assert not (inputs / "answer.proof").exists()


def test_a_stream_prints_its_pieces_and_fails_at_its_end(served: Served) -> None:
    async def lie(request: web.BaseRequest) -> web.StreamResponse:
        gateway = served.gateway
        return await gateway.send(request, gateway.enclave.answer(gateway.messages[-1], request_id=bytes(16)))

    served.gateway.faults[PATH_SEALED] = lie
    done = served.run("chat", "hello")
    assert done.stdout.decode().startswith("".join(PIECES))
    assert "receipt: expected the request's id" in failed(done, 11)


def test_the_enclaves_own_refusal(served: Served) -> None:
    async def refuse(request: web.BaseRequest) -> web.StreamResponse:
        gateway = served.gateway
        return await gateway.send(request, gateway.enclave.answer(gateway.messages[-1], [FAILURE]))

    served.gateway.faults[PATH_SEALED] = refuse
    assert FAILURE.detail in failed(served.run("chat", "hello"), 9)
