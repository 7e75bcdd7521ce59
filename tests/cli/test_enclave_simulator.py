"""`strongroom enclave` over simulated enclaves: run, watched, killed, stopped; tests/docs/test_simulator_page.py."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest

from attestation.anchors import SimulatedTrustAnchor
from attestation.policy_file import load_policy
from parent.lifecycle.errors import LaunchFailed
from parent.lifecycle.folder import StateFolder
from parent.lifecycle.launcher import Order
from parent.lifecycle.record import Record, Standing, State
from strongroom.cli import enclave_run_simulator
from strongroom.cli.enclave_state import held_folder
from strongroom.client import Client
from strongroom.models.tiny import build_tiny_decoder, build_tiny_tensor
from strongroom.simulator.appliance import Appliance
from strongroom.simulator.forms import ProcessForm
from strongroom.simulator.image import image_pcrs
from strongroom.simulator.launcher import SimulatorLauncher
from strongroom.simulator.part import PartFailed
from strongroom.simulator.state import held
from tests.attestation.eif import builder
from tests.cli.running import failed, invoked, strongroom
from tests.cli.supervised import started, status, until
from tests.cli.test_demo import of_folder
from tests.parent.lifecycle.support import eif


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_tensor(tmp_path_factory.mktemp("packages") / "tiny-tensor")


def all_ended(folder: Path) -> bool:
    deadline = time.monotonic() + 5
    while of_folder(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not of_folder(folder)


def test_it_says_where_its_variables_are_and_ends_with_its_parts(package: Path, tmp_path: Path) -> None:
    with started(tmp_path, "simulator", package, "--state=state") as running:
        variables = until(running, "ready")["environment"]
        written = tmp_path / "state" / "environment"
        lines = written.read_text().splitlines()
        assert written.stat().st_mode & 0o077 == 0
        assert len(of_folder(tmp_path / "state")) == 4
        assert dict(line.removeprefix("export ").split("=", 1) for line in lines).keys() == variables.keys()
        for name in ("STRONGROOM_POLICY", "STRONGROOM_TRUST_ANCHOR", "AWS_CA_BUNDLE"):
            assert Path(variables[name]).is_file()
        assert urlsplit(variables["STRONGROOM_URL"]).port
        assert urlsplit(variables["AWS_ENDPOINT_URL_KMS"]).port
        [proxy] = [pid for pid in of_folder(tmp_path) if b"--allow=" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(int(proxy), signal.SIGKILL)
        _, said = running.communicate(timeout=20)
    assert running.returncode == 1
    assert "error: proxy ended (exit code -9)" in said.decode()
    assert all_ended(tmp_path)


def test_four_enclaves_behind_one_gateway_and_every_verb(tmp_path: Path) -> None:
    package, state = build_tiny_decoder(tmp_path / "tiny-decoder"), tmp_path / "state"
    with started(tmp_path, "simulator", package, "--state=state", "--enclaves=4") as running:
        assert_answered_by_key(until(running, "ready")["environment"])
        code, said = status(state)
        assert (code, said["supervised"], said["launcher"]) == (0, True, "simulator")
        first, second, *_ = said["enclaves"]
        assert first["pcr0"] == image_pcrs()[0].hex()
        assert (first["state"], first["restarts"], first["ending"]) == ("ready", 0, None)
        os.kill(first["pid"], signal.SIGKILL)
        until(running, "enclave", number=1, state="waiting", ending="exit code -9")
        until(running, "enclave", number=1, state="ready", restarts=1)
        again, same, *_ = status(state)[1]["enclaves"]
        assert again["pid"] != first["pid"]
        assert same["pid"] == second["pid"]
        lines = strongroom("enclave", "logs", "1", "--state", state, "--json").stdout.splitlines()
        assert {"event": "state", "state": "ready"} in list(map(json.loads, lines))
        restarted = invoked("enclave", "restart", "2", "--state", state, "--json")
        assert json.loads(restarted.stdout)["enclaves"][0]["pid"] != second["pid"]
        assert invoked("enclave", "stop", "3", "--state", state).returncode == 0
        code, said = status(state)
        assert (code, [each["state"] for each in said["enclaves"]]) == (1, ["ready", "ready", "stopped", "ready"])
        assert b"it does not run: stopped" in invoked("enclave", "logs", "3", "--state", state).stderr
        assert "expected the number of an enclave" in failed(invoked("enclave", "logs", "5", "--state", state), 1)
        assert "a number from 1 to 4, got 5" in failed(invoked("enclave", "stop", "5", "--state", state), 1)
        assert strongroom("enclave", "stop", "--state", state).returncode == 0
        assert running.wait(10) == 0
    assert all_ended(tmp_path)
    assert status(state) == (1, {"supervised": False, "launcher": None, "enclaves": []})
    assert invoked("enclave", "stop", "--state", state).returncode == 0
    assert "expected a supervisor" in failed(invoked("enclave", "restart", "--state", state), 1)


def assert_answered_by_key(variables: dict[str, str]) -> None:
    """Clients that each hold another enclave's key are answered, through the one gateway."""
    with ExitStack() as stack:
        clients = [stack.enter_context(_client(variables)) for _ in range(8)]
        asked = {client.status().key_id: client for client in clients}
        assert len(asked) == 4
        for client in asked.values():
            assert client.chat("Who?", max_tokens=4).text


def _client(variables: dict[str, str]) -> Client:
    return Client(
        variables["STRONGROOM_URL"],
        policy=load_policy(Path(variables["STRONGROOM_POLICY"]).read_bytes()),
        anchor=SimulatedTrustAnchor.from_pem(Path(variables["STRONGROOM_TRUST_ANCHOR"]).read_bytes()),
        allow_simulated=True,
    )


def test_ready_is_said_once_and_not_before_the_gateway_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    appliance, said = Mock(), Mock()
    monkeypatch.setattr(enclave_run_simulator, "_announce", said)
    announcement = enclave_run_simulator._Announcement(appliance, as_json=True)
    announcement.look()  # nothing has allowed it
    appliance.is_ready.return_value = False
    announcement.allow()
    announcement.look()
    said.assert_not_called()
    appliance.is_ready.return_value = True
    announcement.look()
    announcement.look()
    said.assert_called_once_with(appliance, True)
    appliance.check_parts.side_effect = PartFailed
    with pytest.raises(PartFailed):
        announcement.look()


def test_a_start_that_is_abandoned_fails_at_once_and_leaves_no_process(tmp_path: Path) -> None:
    class Silent(ProcessForm):
        def command(self, number: int, parent_role: str) -> list[str]:
            return ["http.server", "0", "--bind=127.0.0.1"]  # it runs, and never listens where it should

    launcher = SimulatorLauncher(Appliance(tmp_path, [], form=Silent(), supervised=True))
    launcher.abandon(1)  # there is nothing yet
    with ThreadPoolExecutor() as pool:
        starting = pool.submit(launcher.start, Order(1, 0, 0, 0, None))
        while not of_folder(tmp_path):
            time.sleep(0.02)
        launcher.abandon(1)
        with pytest.raises(LaunchFailed, match=r"enclave did not start \(exit code -15\)"):
            starting.result(timeout=10)
    assert not of_folder(tmp_path)


def test_a_supervisor_that_is_killed_leaves_a_stale_record_and_no_process(package: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with started(tmp_path, "simulator", package, "--state=state") as running:
        until(running, "ready")
        running.kill()
        running.wait()
        assert all_ended(state)
    code, said = status(state)
    assert (code, said["supervised"], [each["state"] for each in said["enclaves"]]) == (1, False, ["stale"])
    with held_folder(state) as folder:  # what one said last would pass for the next one's word
        assert folder.read() is None
    assert status(state)[1]["enclaves"] == []


def test_what_stands_of_another_launcher_is_ended_or_refused(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    folder = StateFolder(tmp_path / "state")
    folder.path.mkdir()
    left = Standing("nitro", 4711, [Record(1, State.READY, enclave_id="i-0-enc1")])
    folder.write(left)
    done = invoked("enclave", "run", "simulator", package, "--state", folder.path)
    assert "expected nitro-cli, which is not installed" in failed(done, 1)
    assert folder.read() == left


def test_what_a_console_said_is_json_too(tmp_path: Path) -> None:
    lines = ['{"event": "ended"}', "Kernel panic - not syncing", "[1]"]
    record = Record(1, State.WAITING, ending="exit code 1", last_lines=lines)
    StateFolder(tmp_path).write(Standing("qemu", 4711, [record]))
    done = invoked("enclave", "logs", "--state", tmp_path, "--json")
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert said == [{"event": "ended"}, {"line": lines[1]}, {"line": "[1]"}]


def test_patience_is_a_number_of_seconds(tmp_path: Path) -> None:
    failed(invoked("enclave", "restart", "--ready-timeout", "nan", "--state", tmp_path))


def test_a_folder_in_use_is_refused_before_anything_is_written_there(package: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with held(state):
        assert "in use" in failed(strongroom("enclave", "run", "simulator", package, "--state", state), 1)
        assert list(state.iterdir()) == []
        assert invoked("simulator", "root", "--state", state).returncode == 0  # it starts nothing


def test_what_is_no_package_is_one_sentence(package: Path, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    run = ("enclave", "run", "simulator")
    failed(invoked(*run, "--state", tmp_path / "state"))
    failed(invoked(*run, tmp_path / "package", "--state", ""))
    for count in ("0", "5"):
        failed(invoked(*run, tmp_path / "package", "--state", tmp_path, "--enclaves", count))
    state = tmp_path / "state"
    assert "model.toml: No such file" in failed(invoked(*run, tmp_path / "package", "--state", state))
    assert "got tiny-tensor twice" in failed(invoked(*run, package, package, "--state", state))
    assert not state.exists()


def test_of_a_damaged_image_nothing_is_started(package: Path, tmp_path: Path) -> None:
    state, image = tmp_path / "state", eif(tmp_path, crc32=0)
    assert "CRC" in failed(invoked("enclave", "run", "qemu", package, "--eif", image, "--state", state), 1)
    assert not state.exists()


def test_of_an_image_that_wants_more_memory_or_without_qemu_nothing_is_started(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, large = tmp_path / "state", tmp_path / "large.eif"
    ramdisk = builder.Section(builder.RAMDISK, bytes(65 << 20))
    large.write_bytes(builder.Image((*builder.SECTIONS, ramdisk)).to_bytes())
    run = ("enclave", "run", "qemu", package, "--state", state)
    done = invoked(*run, "--eif", large, "--memory-mib", "256")
    assert "memory: expected at least 261 MiB, 4 x the EIF, got 256 MiB" in failed(done, 1)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install qemu-system-x86" in failed(invoked(*run, "--eif", eif(tmp_path)), 1)
    assert not state.exists()


def test_a_path_too_long_for_sockets_is_one_sentence(package: Path, tmp_path: Path) -> None:
    state = tmp_path / ("x" * 100)
    assert "at most 84 bytes" in failed(invoked("enclave", "run", "simulator", package, "--state", state), 1)
