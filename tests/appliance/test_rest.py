"""Files at rest through the whole appliance: sealed while no enclave runs, answered by the next one (review R8)."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from strongroom.models.tiny import build_tiny_decoder
from strongroom.simulator.appliance import Appliance
from strongroom.simulator.kms.credentials import RoleCredentials, register
from strongroom.simulator.operator import MODEL_OWNER
from tests.appliance.test_faults import kill_enclave


@dataclass(frozen=True)
class Owner:
    """Somebody with texts, and with credentials that may make data keys and nothing else."""

    appliance: Appliance
    folder: Path

    def run(self, *arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
        """Exit code and lines of a command with --json, as a process of its own."""
        key_id, secret = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20)
        register(self.appliance.folder, key_id, RoleCredentials(MODEL_OWNER, secret))
        done = subprocess.run(
            [sys.executable, "-m", "strongroom", *map(str, arguments), "--json"],
            env={**os.environ, "AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret},
            cwd=self.folder,
            capture_output=True,
            timeout=60,
        )
        assert b"Traceback" not in done.stderr, done.stderr
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def seal(self, name: str, *options: str) -> None:
        """Seal one text into `sealed`, with the simulator's KMS."""
        (self.folder / name).write_text(f"hello {name}")
        port = self.appliance.parts["kms"].wait_announced(1)["port"]
        code, lines = self.run(
            "seal",
            name,
            "--key-entry=requests",
            f"--configuration={self.appliance.deployment.configuration}",
            "--model=tiny-decoder",
            "--max-tokens=8",
            "--out=sealed",
            f"--endpoint-url=https://127.0.0.1:{port}",
            f"--ca-bundle={self.appliance.folder / 'tls' / 'ca.pem'}",
            *options,
        )
        assert (code, [line["outcome"] for line in lines]) == (0, ["sealed"]), lines

    def submit(self, name: str, out: str = "answers") -> tuple[int, list[dict[str, Any]]]:
        return self.run("submit", f"sealed/{name}.sealed", f"--url={self.appliance.endpoint.url}", f"--out={out}")

    def open(self, name: str, *options: str | Path, answers: str = "answers") -> tuple[int, list[dict[str, Any]]]:
        return self.run("open", f"{answers}/{name}.answer", "--tickets=sealed", *(options or self.trust))

    @property
    def trust(self) -> tuple[str, ...]:
        endpoint = self.appliance.endpoint
        return (f"--policy={endpoint.policy}", f"--trust-anchor={endpoint.anchor}", "--allow-simulated")


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """The enclave is down while everything is sealed; a new boot answers."""
    package = build_tiny_decoder(tmp_path_factory.mktemp("packages") / "tiny-decoder")
    with Appliance(tmp_path_factory.mktemp("rest"), [package]) as appliance:
        owner = Owner(appliance, tmp_path_factory.mktemp("owner"))
        kill_enclave(appliance)
        owner.seal("once")
        owner.seal("often", "--multiple")
        owner.seal("foreign")
        owner.seal("short", "--not-after=5s")  # from the command's start, which takes a while on a busy machine
        over_s = time.monotonic() + 5
        appliance.start_enclave()
        appliance.wait_ready()
        time.sleep(max(0, over_s - time.monotonic()))
        yield owner


def error(run: tuple[int, list[dict[str, Any]]]) -> tuple[int, str, str | None]:
    code, [line] = run
    return code, line["error"]["code"], line["error"]["reason"]


def test_sealed_before_the_enclave_was_there(owner: Owner) -> None:
    assert owner.submit("often")[0] == 0
    code, [answer] = owner.open("often")
    assert (code, answer["outcome"], answer["completion_tokens"] > 0) == (0, "opened", True)


def test_single_use_and_multiple(owner: Owner) -> None:
    assert owner.submit("once", "first")[0] == 0
    assert error(owner.submit("once", "second"))[:2] == (1, "gateway-problem")
    assert owner.open("once", answers="first")[0] == 0
    assert owner.submit("often", "first")[0] == owner.submit("often", "second")[0] == 0


def test_another_policy_and_a_foreign_ticket_open_nothing(owner: Owner) -> None:
    owner.submit("foreign")
    policy = owner.folder / "other.toml"
    pinned = owner.appliance.endpoint.measurements.pcrs[16].hex()
    policy.write_text(owner.appliance.endpoint.policy.read_text().replace(pinned, "5" * 96))
    refused = owner.open("foreign", f"--policy={policy}", *owner.trust[1:])
    assert error(refused) == (1, "attestation-refused", "measurement")
    (owner.folder / "sealed" / "foreign.ticket").write_bytes((owner.folder / "sealed" / "often.ticket").read_bytes())
    assert error(owner.open("foreign"))[:2] == (1, "seal-broken")


def test_past_its_time_it_is_not_answered(owner: Owner) -> None:
    assert owner.submit("short")[0] == 0
    assert error(owner.open("short")) == (1, "request-refused", "expired")


def test_a_proof_of_it_verifies_offline(owner: Owner) -> None:
    owner.submit("often", "proven")
    assert owner.open("often", *owner.trust, "--proofs=proofs", answers="proven")[0] == 0
    code, [report] = owner.run("receipt", "verify", "proofs/often.proof", *owner.trust)
    assert (code, report["verdict"], report["simulated"]) == (0, "accepted", True)
    assert sorted(report["receipt"]["key_policies"]) == ["models", "requests"]
