"""`strongroom enclave run nitro` and the commands beside it, up to attested readiness and on, over AF_VSOCK.

nitro-cli is a stand-in whose enclaves are processes here, and the NSM is software: nothing here proves anything about
Nitro hardware. One story: each test goes on where the one before it ended.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from attestation.anchors import SimulatedTrustAnchor
from attestation.policy_file import load_policy
from enclave.addresses import CONTROL_PORT
from strongroom.client import Client
from strongroom.transport.addresses import VsockAddress
from tests.boot.ending import step_out_of_order
from tests.boot.inside import CID, PACKAGE
from tests.boot.inside.image import pcrs_of
from tests.boot.inside.instance import Instance, instance
from tests.cli.supervised import until


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with instance(tmp_path_factory.mktemp("parent"), Path(os.environ[PACKAGE])) as running:
        yield running


@pytest.fixture(scope="module")
def supervisor(parent: Instance) -> Iterator[subprocess.Popen[bytes]]:
    with parent.supervised() as running:
        yield running


def answer(parent: Instance) -> int:
    """How many tokens a prompt through the gateway is answered with."""
    endpoint = parent.appliance.endpoint
    anchor = SimulatedTrustAnchor.from_pem(endpoint.anchor.read_bytes())
    policy = load_policy(endpoint.policy.read_bytes())
    with Client(endpoint.url, policy=policy, anchor=anchor, allow_simulated=True, timeout_s=300) as client:
        return client.chat("hello", model="tiny-decoder", max_tokens=2).completion_tokens


def test_ready_is_what_proved_itself(parent: Instance, supervisor: subprocess.Popen[bytes]) -> None:
    ready = until(supervisor, "ready")
    assert ready["simulated"] is False
    said = json.loads(parent.strongroom("status", "--json").stdout)
    [enclave] = said["enclaves"]
    assert (said["launcher"], enclave["state"], enclave["cid"]) == ("nitro", "ready", CID)
    assert enclave["readiness"] == "the enclave answered a fresh nonce"
    assert enclave["pcr0"] == pcrs_of(parent.folder / "x.eif")[0].hex()
    assert [each["EnclaveID"] for each in parent.described()] == [enclave["enclave_id"]]


def test_it_serves(parent: Instance) -> None:
    assert answer(parent) > 0


def test_its_log_is_read_from_its_own_port(parent: Instance) -> None:
    lines = [json.loads(line) for line in parent.strongroom("logs", "--json").stdout.splitlines()]
    assert [line["state"] for line in lines if line["event"] == "state"][-1] == "ready"


def test_restarted_it_is_another_one_that_proved_itself(parent: Instance) -> None:
    before = parent.record()
    done = parent.strongroom("restart", "1")
    assert done.returncode == 0, done
    after = parent.record()
    assert (after.state, after.restarts) == ("ready", 0)
    assert after.enclave_id != before.enclave_id
    assert [each["EnclaveID"] for each in parent.described()] == [after.enclave_id]


def test_a_killed_one_is_started_again_after_a_while(parent: Instance) -> None:
    before = parent.record()
    assert before.enclave_id is not None
    os.kill(parent.process_of(before.enclave_id), signal.SIGKILL)
    ended = parent.wait(lambda record: record.state == "waiting")
    assert ended.ending == "ended"
    assert json.loads(ended.last_lines[0])["state"] == "booted"
    after = parent.wait(lambda record: record.state == "ready")
    assert after.restarts == 1
    assert after.enclave_id != before.enclave_id
    assert answer(parent) > 0


def test_one_that_ends_says_why(parent: Instance) -> None:
    step_out_of_order(VsockAddress(CID, CONTROL_PORT))
    ended = parent.wait(lambda record: record.state == "waiting")
    assert ended.ending == "ended, out-of-order"


def test_stopped_it_leaves_nothing(parent: Instance, supervisor: subprocess.Popen[bytes]) -> None:
    assert parent.strongroom("stop").returncode == 0
    assert supervisor.wait(60) == 0
    assert parent.described() == []
