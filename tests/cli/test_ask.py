"""`strongroom chat`, `embed`, `infer`: no answer counts as whole without its receipt, and its proof can be kept."""

import base64
import json
import stat
from pathlib import Path

import pytest
from aiohttp import web

from attestation.bundles import Bundle
from strongroom.protocol.constants import PATH_SEALED
from tests.cli.running import failed, strongroom
from tests.cli.served import Served
from tests.client.fake_enclave import FAILURE, PIECES

COMMANDS = {"chat": ("chat", "hello"), "embed": ("embed", "a", "b"), "infer": ("infer", "inputs.json", "--model=m")}


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
