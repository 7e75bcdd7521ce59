"""The whole path of the appliance through an image that really boots: kernel, init, NSM driver, vsock, application.

The CPU is emulated and the NSM's chain ends in the simulator's root: nothing here proves anything about Nitro hardware.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.client import Client
from tests.boot.appliance import BootedAppliance, Running, client_of
from tests.boot.ending import step_out_of_order
from tests.boot.stages import COLD_START
from tests.hybrid.handshake import X25519MLKEM768, client_hello, server_hello


@pytest.fixture(scope="module")
def running(new_running: Any) -> Iterator[Running]:
    with new_running() as started:
        started.appliance.start_machine()
        yield started


@pytest.fixture
def appliance(running: Running) -> BootedAppliance:
    return running.appliance


@pytest.fixture
def client(appliance: BootedAppliance) -> Iterator[Client]:
    with client_of(appliance) as made:
        yield made


def strongroom(appliance: BootedAppliance, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    """What `strongroom ARGUMENTS --json` says in the appliance's folder."""
    command = [sys.executable, "-m", "strongroom", *arguments, "--json"]
    ended = subprocess.run(command, capture_output=True, timeout=120, cwd=appliance.folder, check=False)
    assert ended.returncode == exit_code, ended
    said: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return said


def test_it_attests_what_the_tools_predicted(
    appliance: BootedAppliance, client: Client, eif: Path, packages: list[Path]
) -> None:
    image = strongroom(appliance, "eif", "measure", str(eif))
    catalogue = strongroom(appliance, "model", "catalogue", *map(str, packages), "--out=predicted.toml")
    deployment = strongroom(appliance, "deployment", "measure", str(appliance.deployment.configuration))
    attested = client.status().pcrs
    assert {f"pcr{index}": attested[index] for index in range(3)} == image
    assert attested[16] == catalogue["pcr16"]
    assert attested[17] == deployment["pcr17"]


def test_kms_released_its_key_over_the_hybrid_group_alone(running: Running, client: Client) -> None:
    assert client.status().kms_leg == "hybrid"
    assert running.wires
    for wire in running.wires:
        offered = client_hello(bytes(wire.from_client).split(b"\n", 1)[1])
        agreed = server_hello(bytes(wire.from_server).split(b"\n", 1)[1])
        assert offered.groups == [X25519MLKEM768]
        assert agreed.group == X25519MLKEM768


def test_a_prompt_is_answered_with_a_receipt(appliance: BootedAppliance) -> None:
    endpoint = appliance.endpoint
    trust = (f"--policy={endpoint.policy}", f"--trust-anchor={endpoint.anchor}", "--allow-simulated")
    said = strongroom(appliance, "chat", f"--url={endpoint.url}", *trust, "--proof=answer.proof", "hello")
    assert said["completion_tokens"] > 0
    verdict = strongroom(appliance, "receipt", "verify", "answer.proof", *trust)
    assert verdict["verdict"] == "accepted"


def test_the_end_of_the_application_is_the_end_of_the_machine(appliance: BootedAppliance) -> None:
    """A step that is out of order ends the application; started again, the machine serves again, with new keys."""
    with client_of(appliance) as client:
        before = client.status()
    machine = appliance.parts.pop("enclave")
    step_out_of_order(appliance.control)
    assert machine.process.wait(60) == 0
    assert "init: the application ended with exit code 70" in appliance.console
    assert "Traceback" not in appliance.console
    appliance.start_machine()
    assert list(appliance.stages.ended) == COLD_START
    with client_of(appliance) as client:
        after = client.status()
        assert after.pcrs == before.pcrs
        assert after.key_id != before.key_id
        assert client.chat("hello", model="tiny-decoder", max_tokens=2).completion_tokens > 0
