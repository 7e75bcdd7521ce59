"""nitro-cli by contract: the arguments that it takes, the JSON that it answers, the errors that it ends with."""

import json
import sys
from pathlib import Path

import pytest

from parent.lifecycle import nitro_cli as nitro_cli_module
from parent.lifecycle import nitro_errors
from parent.lifecycle.errors import LauncherMissing, LaunchFailed
from parent.lifecycle.launcher import Launched
from parent.lifecycle.nitro_cli import NitroCLI
from tests.parent.lifecycle.support import nitro_cli, order


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return nitro_cli(tmp_path, monkeypatch)


def test_a_life(kept: Path, tmp_path: Path) -> None:
    launcher, asked = NitroCLI(), order(tmp_path, 2)
    assert asked.image is not None
    launched = launcher.start(asked)
    assert (kept / "calls").read_text().split() == [
        "describe-enclaves",
        "run-enclave",
        *("--eif-path", str(asked.image.path), "--cpu-count", "2", "--memory", "512"),
        *("--enclave-cid", "17", "--enclave-name", "strongroom-2"),
    ]
    assert launched.enclave_id == "i-0123456789abcdef0-enc18b00000001"
    assert (launched.pid, launched.cid, launched.pcr0) == (4001, 17, asked.image.pcr0)
    assert list(map(str, (launched.api, launched.control, launched.log))) == [
        f"vsock:17:{p}" for p in (7001, 7002, 7003)
    ]
    assert launcher.ending(launched) is None
    assert launcher.console(launched) == []
    launcher.terminate(launched.enclave_id)
    assert launcher.ending(launched) == "ended"
    launcher.terminate(launched.enclave_id)
    assert "--debug" not in (kept / "calls").read_text()


@pytest.mark.parametrize("state", ["TERMINATING", "EMPTY"])
def test_only_running_is_running(kept: Path, tmp_path: Path, state: str) -> None:
    launched = NitroCLI().start(order(tmp_path))
    running = (kept / "running.json").read_text()
    (kept / "running.json").write_text(running.replace("RUNNING", state))
    assert NitroCLI().ending(launched) == state.lower()


@pytest.mark.parametrize(
    ("exit_code", "code", "advice"),
    [
        (26, "E26", "below four times the EIF"),
        (27, "E27", "raise memory_mib in /etc/nitro_enclaves/allocator.yaml"),
        (22, "E22", "raise cpu_count in /etc/nitro_enclaves/allocator.yaml"),
        (36, "E36", "no heartbeat on port 9000"),
        (39, "E39", "did not answer"),
        (11, "E11", "start nitro-enclaves-allocator.service"),
        (19, "E19", "/dev/nitro_enclaves"),
        (53, "E53", "nitro-cli explain --error-code E53"),
    ],
)
def test_its_errors_are_one_line_that_says_what_to_do(
    kept: Path, tmp_path: Path, exit_code: int, code: str, advice: str
) -> None:
    (kept / "fail").write_text(f"{exit_code} {code}")
    with pytest.raises(LaunchFailed, match=advice) as caught:
        NitroCLI().start(order(tmp_path))
    assert caught.value.reason == code
    assert len(str(caught.value).splitlines()) == 1
    assert "Some words" not in str(caught.value)


def test_every_advice_is_of_a_code_that_it_has() -> None:
    assert {code[0] for code in nitro_errors._ADVICE} == {"E"}
    assert all(0 <= int(code[1:]) <= 60 for code in nitro_errors._ADVICE)


def test_an_end_without_a_code(kept: Path, tmp_path: Path) -> None:
    (kept / "fail").write_text("101 panicked")
    with pytest.raises(LaunchFailed, match="expected exit code 0, got 101"):
        NitroCLI().start(order(tmp_path))


@pytest.mark.parametrize("answer", ["", "[]", "{}", "[1]", '[{"EnclaveID": 1}]', "\xff", "[" * 5000])
def test_answers_that_are_none(kept: Path, answer: str, tmp_path: Path) -> None:
    script = tmp_path / "programs" / "nitro-cli"
    script.write_text(f"#!/bin/sh\nprintf '%s' '{answer}'\n")
    with pytest.raises(LaunchFailed, match="expected the JSON of nitro-cli"):
        NitroCLI().start(order(tmp_path))


def test_one_that_was_started_without_its_answer_is_ended(kept: Path, tmp_path: Path) -> None:
    other = NitroCLI().start(order(tmp_path, 1))
    script = tmp_path / "programs" / "nitro-cli"
    script.rename(script.with_name("real"))
    script.write_text(
        f'#!/bin/sh\n[ "$1" = run-enclave ] && {{ {script.with_name("real")} "$@" >/dev/null; exit 0; }}\n'
        f'exec {script.with_name("real")} "$@"\n'
    )
    script.chmod(0o755)
    with pytest.raises(LaunchFailed, match="expected the JSON of nitro-cli"):
        NitroCLI().start(order(tmp_path, 2))
    assert [each["EnclaveID"] for each in json.loads((kept / "running.json").read_text())] == [other.enclave_id]


def test_more_members_than_known_are_fine(kept: Path, tmp_path: Path) -> None:
    launched = NitroCLI().start(order(tmp_path))
    described = json.loads((kept / "running.json").read_text())
    (kept / "running.json").write_text(json.dumps([{**described[0], "Colour": "blue"}]))
    assert NitroCLI().ending(launched) is None


def test_without_it_the_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LauncherMissing, match="dnf install aws-nitro-enclaves-cli"):
        NitroCLI().terminate("i-0-enc1")


def test_an_enclave_that_does_not_go(kept: Path, tmp_path: Path) -> None:
    launched: Launched = NitroCLI().start(order(tmp_path))
    script = tmp_path / "programs" / "nitro-cli"
    script.write_text(script.read_text().replace('"Terminated": True', '"Terminated": False'))
    with pytest.raises(LaunchFailed, match=r"expected .* to be terminated"):
        NitroCLI().terminate(launched.enclave_id)


def test_a_cid_that_is_taken_is_not_asked_for(kept: Path, tmp_path: Path) -> None:
    NitroCLI().start(order(tmp_path))
    with pytest.raises(
        LaunchFailed, match=r"CID 16: expected no enclave .*--enclave-id i-0123456789abcdef0-enc18b0000"
    ):
        NitroCLI().start(order(tmp_path))
    assert (kept / "calls").read_text().count("run-enclave") == 1
    NitroCLI().start(order(tmp_path, 2))


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_an_answer_without_end_is_not_read_to_its_end(kept: Path, tmp_path: Path, stream: str) -> None:
    script = tmp_path / "programs" / "nitro-cli"
    script.write_text(f"#!{sys.executable}\nimport sys\nwhile True:\n    sys.{stream}.write('x' * 65536)\n")
    with pytest.raises(LaunchFailed, match="describe-enclaves: expected at most 1048576 bytes of answer, got more"):
        NitroCLI().start(order(tmp_path))


def test_one_that_does_not_end(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nitro_cli_module, "_TIMEOUT_S", 0.2)
    (tmp_path / "programs" / "nitro-cli").write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(LaunchFailed, match=r"expected an end within .* describe-enclaves says what runs"):
        NitroCLI().start(order(tmp_path))
