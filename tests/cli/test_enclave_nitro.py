"""`strongroom enclave run nitro` and what ends its enclaves, against a nitro-cli that starts nothing.

What it starts is never observed here: that would dial vsock. tests/parent/lifecycle has the rest of such a life, and
tests/boot/inside/test_nitro.py the whole of it, in a machine whose vsock is ours.
"""

import json
from pathlib import Path

import pytest

from attestation.policy_file import dump_measurements
from parent.lifecycle.folder import StateFolder
from parent.lifecycle.nitro_cli import NitroCLI
from parent.lifecycle.record import Record, Standing, State
from strongroom.protocol.constants import BootState
from strongroom.simulator.pki import SimulatedPKI
from tests.attestation.eif import builder
from tests.cli.running import failed, invoked
from tests.client.fake_enclave import FakeEnclave
from tests.parent.lifecycle.support import eif, nitro_cli, order

RESERVED = "---\nmemory_mib: 8192\ncpu_count: 8\n"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policy.toml").write_text(dump_measurements([FakeEnclave(SimulatedPKI(bytes(32))).policy()]))
    (tmp_path / "allocator.yaml").write_text(RESERVED)
    kept = nitro_cli(tmp_path, monkeypatch)
    (kept / "fail").write_text("36 E36")  # a start that a test did not expect must not go on to dial vsock
    return kept


def run(folder: Path, image: Path, *options: str) -> tuple[str | Path, ...]:
    given = ("--policy", folder / "policy.toml", "--allocator", folder / "allocator.yaml", "--state", folder / "state")
    return "enclave", "run", "nitro", "--eif", image, "--memory-mib", "512", *given, *options


def calls(kept: Path) -> list[str]:
    """The commands that nitro-cli was given."""
    path = kept / "calls"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def left_running(folder: Path) -> str:
    """One enclave of a supervisor that is gone; its id."""
    (folder / "nitro-cli" / "fail").unlink()
    launched = NitroCLI().start(order(folder))
    record = Record(1, State.READY, step=BootState.READY)
    record.begin(launched, 1)
    state = StateFolder(folder / "state")
    state.path.mkdir()
    state.write(Standing("nitro", 1, [record]))
    return launched.enclave_id


def test_a_damaged_image_starts_nothing(kept: Path, tmp_path: Path) -> None:
    assert "CRC" in failed(invoked(*run(tmp_path, eif(tmp_path, crc32=0))), 1)
    assert calls(kept) == []
    assert not (tmp_path / "state").exists()


def test_less_memory_than_four_times_the_image_asks_nobody(kept: Path, tmp_path: Path) -> None:
    image = tmp_path / "large.eif"
    ramdisk = builder.Section(builder.RAMDISK, bytes(17 << 20))
    image.write_bytes(builder.Image((*builder.SECTIONS, ramdisk)).to_bytes())
    done = invoked(*run(tmp_path, image, "--memory-mib", "64"))
    assert "memory: expected at least 69 MiB, 4 x the EIF, got 64 MiB" in failed(done, 1)
    assert calls(kept) == []
    assert (tmp_path / "allocator.yaml").read_text() == RESERVED


def test_a_refusal_of_nitro_cli_is_one_line_and_leaves_nothing(kept: Path, tmp_path: Path) -> None:
    (kept / "fail").write_text("27 E27")
    done = invoked(*run(tmp_path, eif(tmp_path)), "--json")
    assert done.returncode == 1
    *_, last = done.stdout.splitlines()
    error = json.loads(last)["error"]
    assert (error["code"], error["reason"]) == ("launch-failed", "E27")
    assert "raise memory_mib" in error["message"]
    assert calls(kept) == ["describe-enclaves", "run-enclave", "describe-enclaves"]
    assert StateFolder(tmp_path / "state").read() is None


def test_what_is_not_reserved_is_shown_and_written_and_starts_nothing(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "allocator.yaml").write_text("---\n# mine\nmemory_mib: 512\ncpu_count: 2\n")
    done = invoked(*run(tmp_path, eif(tmp_path), "--enclaves=2", "--cpus=4"))
    said = done.stderr.decode()
    assert done.returncode == 1
    assert "-memory_mib: 512\n-cpu_count: 2\n+memory_mib: 1024\n+cpu_count: 8\n" in said
    assert "systemctl restart nitro-enclaves-allocator.service, then run this again" in said.splitlines()[-1]
    assert (tmp_path / "allocator.yaml").read_text() == "---\n# mine\nmemory_mib: 1024\ncpu_count: 8\n"
    assert calls(kept) == []
    again = invoked(*run(tmp_path, eif(tmp_path), "--enclaves=2", "--cpus=4"))
    assert "no heartbeat on port 9000" in again.stderr.decode().splitlines()[-1]
    assert calls(kept) == ["describe-enclaves", "run-enclave", "describe-enclaves"]


def test_the_sum_is_asked_for_when_no_memory_is_given(kept: Path, tmp_path: Path) -> None:
    without = [word for word in run(tmp_path, eif(tmp_path)) if word not in ("--memory-mib", "512")]
    invoked(*without)
    [call] = [line for line in (kept / "calls").read_text().splitlines() if line.startswith("run-enclave")]
    # 1 EIF, 1 unpacked, 3072 models, 80 bodies, 512, and one part in 64
    assert "--memory 3724 " in call


def test_without_nitro_cli_the_package_is_named_and_nothing_written(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "programs" / "nitro-cli").unlink()
    (tmp_path / "allocator.yaml").unlink()
    assert "dnf install aws-nitro-enclaves-cli" in failed(invoked(*run(tmp_path, eif(tmp_path))), 1)
    assert not (tmp_path / "allocator.yaml").exists()
    assert not (tmp_path / "state").exists()


def test_what_a_killed_supervisor_left_is_ended_by_stop(kept: Path, tmp_path: Path) -> None:
    enclave_id = left_running(tmp_path)
    state = tmp_path / "state"
    done = invoked("enclave", "status", "--state", state, "--json")
    assert done.returncode == 1
    [said] = json.loads(done.stdout)["enclaves"]
    assert (said["enclave_id"], said["state"], said["up_s"], said["step"]) == (enclave_id, "stale", None, None)
    assert said["readiness"] == "its supervisor is gone, which saw it ready last"
    shown = invoked("enclave", "status", "--state", state).stdout.decode()
    assert f"strongroom enclave stop --state {state};" in shown
    assert "stale: its supervisor is gone, which saw it ready last; restarts 0" in shown
    assert "its supervisor is gone" in failed(invoked("enclave", "stop", "1", "--state", state), 1)
    assert invoked("enclave", "stop", "--state", state).returncode == 0
    assert calls(kept)[-1] == "terminate-enclave"
    assert json.loads((kept / "running.json").read_text()) == []
    assert invoked("enclave", "stop", "--state", state, "--json").returncode == 0


def test_one_whose_start_was_cut_off_is_named(kept: Path, tmp_path: Path) -> None:
    (kept / "fail").unlink()
    NitroCLI().start(order(tmp_path))
    state = StateFolder(tmp_path / "state")
    state.path.mkdir()
    state.write(Standing("nitro", 1, [Record(1, State.STARTING), Record(2, State.STOPPED)]))
    done = invoked("enclave", "stop", "--state", state.path)
    [line] = done.stderr.decode().splitlines()
    assert "enclave 1 was being started when its supervisor was killed: nitro-cli describe-enclaves says" in line
    assert state.read() is None
    (kept / "fail").write_text("36 E36")
    done = invoked(*run(tmp_path, eif(tmp_path)))
    assert "expected no enclave that has it, got i-0123" in done.stderr.decode().splitlines()[-1]
    assert done.returncode == 1
    assert calls(kept).count("run-enclave") == 1


def test_what_a_killed_supervisor_left_is_ended_before_a_new_start(kept: Path, tmp_path: Path) -> None:
    enclave_id = left_running(tmp_path)
    script = tmp_path / "programs" / "nitro-cli"
    refusing = 'if command == "run-enclave": fail("36", "E36")\n    if False:'
    script.write_text(script.read_text().replace('if command == "run-enclave":', refusing))
    done = invoked(*run(tmp_path, eif(tmp_path)))
    assert f"ended {enclave_id}, which a supervisor that is gone had left" in done.stderr.decode()
    assert [each for each in calls(kept) if each != "describe-enclaves"] == [
        "run-enclave", "terminate-enclave", "run-enclave",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("policy.toml", 2, "expected a policy file in TOML"), ("allocator.yaml", 1, "allocator: expected a line ---")],
)
def test_files_that_cannot_be_used_start_nothing(kept: Path, tmp_path: Path, name: str, code: int, said: str) -> None:
    (tmp_path / name).write_text("nonsense")
    assert said in failed(invoked(*run(tmp_path, eif(tmp_path), "--memory-mib", "9000")), code)
    assert (tmp_path / "allocator.yaml").read_text() in (RESERVED, "nonsense")
    assert calls(kept) == []


def test_wrong_usage(kept: Path, tmp_path: Path) -> None:
    image = eif(tmp_path)
    failed(invoked("enclave", "run", "nitro", "--eif", image))
    for options in (("--cpus", "1"), ("--enclaves", "5"), ("--first-cid", "3"), ("--ready-timeout", "0")):
        failed(invoked(*run(tmp_path, image, *options)))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "enclaves.json").write_text("nonsense")
    for command in ("status", "stop", "restart", "logs"):
        said = failed(invoked("enclave", command, "--state", tmp_path / "state"), 1)
        assert "expected what a supervisor writes" in said
    assert calls(kept) == []
