"""Several enclaves behind one gateway: who is asked for what, and how each is reported."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from parent.settings import Settings
from strongroom.protocol.constants import MEDIA_EVIDENCE
from strongroom.protocol.problems import Problem
from strongroom.simulator.nsm import SoftwareNSM
from strongroom.simulator.pki import SimulatedPKI
from tests.parent.support import (
    Exchange,
    FakeEnclave,
    Gateway,
    Handler,
    enclave_at,
    enclaves_in,
    evidence_of,
    fixed,
    gateway_to,
    holding,
    refusing,
    request_to,
)
from tests.parent.test_readiness import IMAGE, ROLE, attesting

DIGEST = "0f" * 48
OTHER = "f0" * 48
EVIDENCE = {name: evidence_of(name.encode()) for name in "ab"}


def models(*ids: str, version: str = "1", loaded: str = "x y new both old") -> Handler:
    fixed_fields = {"version": version, "task": "chat", "manifest_sha384": "00"}
    listed = [{"id": name, **fixed_fields, "loaded": name in loaded.split()} for name in ids]
    return fixed(200, "application/json", json.dumps({"models": listed}).encode())


@asynccontextmanager
async def fleet(
    folder: Path, changes: Mapping[str, Mapping[str, Handler]], *, ready: str = ""
) -> AsyncIterator[tuple[Gateway, dict[str, FakeEnclave]]]:
    """A gateway to enclaves a and b; those in `changes` are there, those in `ready` prove themselves."""
    pki = SimulatedPKI(b"\x07" * 32)
    (folder / "root.pem").write_bytes(pki.root_pem())
    nsm = SoftwareNSM(pki, image_pcrs=IMAGE, parent_role_arn=ROLE, parent_instance_id="i-0123456789abcdef0")
    enclaves = {name: FakeEnclave({**holding(name.encode()), **handlers}) for name, handlers in changes.items()}
    for name in ready:
        enclaves[name].handlers["GET /v1/attestation"] = attesting(nsm)
    settings = Settings(enclaves_in(folder, "a", "b"), trust_anchor=folder / "root.pem", allow_simulated=True)
    async with AsyncExitStack() as stack:
        for name, enclave in enclaves.items():
            await stack.enter_async_context(enclave_at(folder / name, enclave))
        gateway = await stack.enter_async_context(gateway_to(folder, settings))
        await reported(gateway, lambda each: each["state"] != "unverified")
        yield gateway, enclaves


async def reported(gateway: Gateway, holds: Callable[[dict[str, object]], bool]) -> dict[str, object]:
    """The report of /readyz once that holds of every enclave."""
    while True:
        report: dict[str, object] = json.loads((await gateway.get("/readyz")).body)
        if all(map(holds, report["enclaves"])):  # type: ignore[call-overload]  # JSON
            return report


async def test_evidence_comes_from_each_in_turn(tmp_path: Path) -> None:
    async with fleet(tmp_path, {"a": {}, "b": {}}) as (gateway, _):
        given = [(await gateway.get("/v1/evidence")).body for _ in range(4)]
    assert given in ([EVIDENCE["a"], EVIDENCE["b"]] * 2, [EVIDENCE["b"], EVIDENCE["a"]] * 2)


async def test_evidence_comes_from_those_that_are_ready(tmp_path: Path) -> None:
    async with fleet(tmp_path, {"a": {}, "b": {}}, ready="b") as (gateway, _):
        assert {(await gateway.get("/v1/evidence")).body for _ in range(4)} == {EVIDENCE["b"]}


async def test_a_key_of_an_enclave_that_is_not_ready_is_stale_while_another_is(tmp_path: Path) -> None:
    async with fleet(tmp_path, {"a": {}, "b": {}}, ready="b") as (gateway, enclaves):
        assert (await gateway.seal(request_to(b"a"))).problem is Problem.STALE_KEY
        assert "POST /v1/sealed" not in enclaves["a"].requests


async def test_one_ready_enclave_makes_the_gateway_ready_and_each_is_reported(tmp_path: Path) -> None:
    async with fleet(tmp_path, {"a": {}, "b": {}}, ready="b") as (gateway, _):
        reply = await gateway.get("/readyz")
        assert reply.status == 200
        told = [(each["enclave"], each["ready"], each["state"]) for each in json.loads(reply.body)["enclaves"]]
        assert told == [(1, False, "unreachable"), (2, True, "verified")]
        exposition = (await gateway.get("/metrics")).body.decode()
    assert "strongroom_gateway_ready 1.0" in exposition
    assert 'strongroom_gateway_enclave_ready{enclave="1"} 0.0' in exposition
    assert 'strongroom_gateway_enclave_ready{enclave="2"} 1.0' in exposition


async def test_evidence_of_a_document_comes_from_the_enclave_that_keeps_it(tmp_path: Path) -> None:
    path = f"GET /v1/evidence/{DIGEST}"
    refused, kept = refusing(Problem.REJECTED), fixed(200, MEDIA_EVIDENCE, EVIDENCE["b"])
    async with fleet(tmp_path, {"a": {path: refused}, "b": {path: kept}}, ready="a") as (gateway, _):
        reply = await gateway.get(f"/v1/evidence/{DIGEST}")
        assert (reply.status, reply.headers["Content-Type"]) == (200, MEDIA_EVIDENCE)
        assert reply.body == EVIDENCE["b"]
        exposition = (await gateway.get("/metrics")).body.decode()
    assert 'requests_total{route="/v1/evidence/{digest}",status="200"} 1.0' in exposition
    assert DIGEST not in exposition


@pytest.mark.parametrize(
    ("of_b", "expected"),
    [
        ({f"GET /v1/evidence/{OTHER}": refusing(Problem.REJECTED)}, Problem.NOT_FOUND),
        ({f"GET /v1/evidence/{OTHER}": refusing(Problem.BUSY)}, Problem.BUSY),
        ({f"GET /v1/evidence/{OTHER}": fixed(200, MEDIA_EVIDENCE, b"none")}, Problem.ENCLAVE_UNREACHABLE),
        (None, Problem.ENCLAVE_UNREACHABLE),
    ],
)
async def test_an_unknown_document_is_404_only_when_all_said_so(
    tmp_path: Path, of_b: dict[str, Handler] | None, expected: Problem
) -> None:
    changes: dict[str, dict[str, Handler]] = {"a": {f"GET /v1/evidence/{OTHER}": refusing(Problem.REJECTED)}}
    if of_b is not None:
        changes["b"] = of_b
    async with fleet(tmp_path, changes) as (gateway, _):
        assert (await gateway.get(f"/v1/evidence/{OTHER}")).problem is expected


async def test_the_models_are_those_that_every_ready_enclave_serves(tmp_path: Path) -> None:
    changes = {
        "a": {"GET /v1/models": models("new", "both", version="1")},
        "b": {"GET /v1/models": models("both", "old", version="2")},
    }
    async with fleet(tmp_path, changes, ready="ab") as (gateway, _):
        listed = json.loads((await gateway.get("/v1/models")).body)["models"]
    assert [(model["id"], model["version"]) for model in listed] == [("both", "1")]


async def test_a_model_is_loaded_when_every_ready_enclave_has_it_so(tmp_path: Path) -> None:
    changes = {
        "a": {"GET /v1/models": models("x", "y", "z", loaded="x y")},
        "b": {"GET /v1/models": models("x", "y", "z", loaded="y z")},
    }
    async with fleet(tmp_path, changes, ready="ab") as (gateway, _):
        listed = json.loads((await gateway.get("/v1/models")).body)["models"]
    assert {model["id"]: model["loaded"] for model in listed} == {"x": False, "y": True, "z": False}


async def test_the_models_of_an_enclave_that_is_not_ready_do_not_count(tmp_path: Path) -> None:
    changes = {"a": {"GET /v1/models": models("x")}, "b": {"GET /v1/models": models("y")}}
    async with fleet(tmp_path, changes, ready="b") as (gateway, _):
        assert [each["id"] for each in json.loads((await gateway.get("/v1/models")).body)["models"]] == ["y"]


async def test_models_that_one_does_not_tell_are_those_of_the_other(tmp_path: Path) -> None:
    changes = {"a": {"GET /v1/models": refusing(Problem.BUSY)}, "b": {"GET /v1/models": models("y")}}
    async with fleet(tmp_path, changes) as (gateway, _):
        assert [each["id"] for each in json.loads((await gateway.get("/v1/models")).body)["models"]] == ["y"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"models":[{"id":1}]}', b'{"models":[],"x":1}', b"\xff", bytes(70_000)])
async def test_models_outside_the_contract_are_502(tmp_path: Path, body: bytes) -> None:
    changes = {name: {"GET /v1/models": fixed(200, "application/json", body)} for name in "ab"}
    async with fleet(tmp_path, changes) as (gateway, _):
        assert (await gateway.get("/v1/models")).problem is Problem.ENCLAVE_UNREACHABLE


@pytest.mark.parametrize("path", ["/v1/audit", "/v1/audit?from=0", "/v1/keys"])
async def test_what_is_not_for_clients_is_not_carried(tmp_path: Path, path: str) -> None:
    async def never(exchange: Exchange) -> None:
        raise AssertionError(path)

    changes = {name: {f"GET {path.partition('?')[0]}": never} for name in "ab"}
    async with fleet(tmp_path, changes) as (gateway, _):
        assert (await gateway.get(path)).problem is Problem.NOT_FOUND
