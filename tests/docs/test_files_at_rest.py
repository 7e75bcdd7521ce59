"""The examples of README and docs/files-at-rest.md run as they stand there, against the whole appliance."""

import os
import re
import shlex
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import strongroom.client
from attestation.anchors import SimulatedTrustAnchor
from strongroom.models.tiny import build_tiny_decoder
from strongroom.simulator.appliance import Appliance
from strongroom.simulator.kms.credentials import RoleCredentials, register
from strongroom.simulator.operator import MODEL_OWNER
from tests.docs.test_examples import ROOT, blocks

PAGE = ROOT / "docs" / "files-at-rest.md"
NOTES = {"a.txt": "What is a strongroom?", "b.txt": "And a vault?"}


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    package = build_tiny_decoder(tmp_path_factory.mktemp("packages") / "decoder")
    with Appliance(tmp_path_factory.mktemp("appliance"), [package]) as running:
        yield running


def adapted(text: str, appliance: Appliance) -> str:
    """An example with this gateway's address, and the model that it serves."""
    return text.replace("https://gateway.example", appliance.endpoint.url).replace("smollm2-135m", "tiny-decoder")


@pytest.fixture
def folder(appliance: Appliance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the reader has: notes, configuration, policy; `strongroom` on the path, which trusts a simulator's root."""
    for name in ("deployment.toml", "policy.toml"):
        (tmp_path / name).write_bytes((appliance.deployment.folder / name).read_bytes())
    (tmp_path / "notes").mkdir()
    for name, text in NOTES.items():
        (tmp_path / "notes" / name).write_text(text)
    trust = f'set -- "$@" --trust-anchor="{appliance.endpoint.anchor}" --allow-simulated'
    judging = f'case "$1" in open|chat|receipt) {trust};; esac'
    (tmp_path / "strongroom").write_text(f'#!/bin/sh\n{judging}\nexec {sys.executable} -m strongroom "$@"\n')
    (tmp_path / "strongroom").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    for name, value in sealer_environment(appliance).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def sealer_environment(appliance: Appliance) -> dict[str, str]:
    """AWS credentials that may make data keys, and the dev KMS for AWS's."""
    register(appliance.folder, "ASIASEALER", RoleCredentials(MODEL_OWNER, "secret"))
    return {
        "AWS_ACCESS_KEY_ID": "ASIASEALER",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL_KMS": f"https://127.0.0.1:{appliance.parts['kms'].wait_announced(1)['port']}",
        "AWS_CA_BUNDLE": str(appliance.folder / "tls" / "ca.pem"),
    }


def shell(command: str, *, aws: bool) -> str:
    """What a line of a console block prints; without `aws`, nobody has AWS credentials."""
    kept = {name: value for name, value in os.environ.items() if aws or not name.startswith("AWS_")}
    done = subprocess.run(["sh", "-c", command], env=kept, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), command
    return done.stdout


@pytest.mark.parametrize("page", [ROOT / "README.md", PAGE], ids=["readme", "files-at-rest"])
def test_notes_are_sealed_submitted_and_opened_as_shown(appliance: Appliance, folder: Path, page: Path) -> None:
    [block] = [block for block in blocks(page, "console") if "strongroom seal" in block]
    lines = [adapted(line.removeprefix("$ "), appliance) for line in block.splitlines()]
    assert [shlex.split(line)[1] for line in lines] == ["seal", "submit", "open"]
    for line in lines:
        assert "2 files: 2 " in shell(line, aws="strongroom seal" in line)
    assert sorted(path.name for path in (folder / "plain").iterdir()) == ["a.txt.txt", "b.txt.txt"]
    assert all(path.read_text() for path in (folder / "plain").iterdir())


def test_a_kept_proof_verifies_as_shown(appliance: Appliance, folder: Path) -> None:
    [block] = [block for block in blocks(ROOT / "README.md", "console") if "receipt verify" in block]
    for line in block.splitlines():
        assert shell(adapted(line.removeprefix("$ "), appliance), aws=False)


@pytest.fixture
def run_example(
    appliance: Appliance, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[int], list[str]]:
    """Runs a Python example of the page; gives the lines it printed."""
    anchor = SimulatedTrustAnchor.from_pem(appliance.endpoint.anchor.read_bytes())
    simulated = partial(strongroom.client.Terms, anchor=anchor, allow_simulated=True)
    monkeypatch.setattr(strongroom.client, "Terms", simulated, raising=False)

    def run(number: int) -> list[str]:
        example = blocks(PAGE, "python")[number]
        exec(compile(adapted(example, appliance), PAGE.name, "exec"), {})
        return capsys.readouterr().out.splitlines()

    return run


def test_the_example_for_many_files_tells_each_and_goes_on(
    run_example: Callable[[int], list[str]], folder: Path
) -> None:
    assert told(run_example(0)) == {"sealed": 2, "answered": 2, "opened": 2}
    answers = {path.name: path.read_bytes() for path in (folder / "plain").iterdir()}
    assert sorted(answers) == ["a.txt.txt", "b.txt.txt"]
    (folder / "sealed" / "b.txt.sealed").unlink()
    (folder / "notes" / "c.txt").write_text("And a key?")
    assert told(run_example(0)) == {"kept": 3, "sealed": 2, "answered": 1, "opened": 3}
    (folder / "sealed" / "a.txt.ticket").unlink()
    with pytest.raises(SystemExit, match="1 not opened"):
        run_example(0)
    assert {name: (folder / "plain" / name).read_bytes() for name in answers} == answers


def told(lines: list[str]) -> dict[str, int]:
    return dict(Counter(line.split()[0] for line in lines))


def test_the_example_for_one_request_prints_its_answer(run_example: Callable[[int], list[str]]) -> None:
    assert run_example(1)
    assert len(blocks(PAGE, "python")) == 2


def test_the_names_of_the_files_are_those_of_the_table(appliance: Appliance, folder: Path) -> None:
    [block] = [block for block in blocks(PAGE, "console") if "strongroom seal" in block]
    for line in block.splitlines():
        shell(adapted(line.removeprefix("$ "), appliance), aws=True)
    shown = set(re.findall(r"`(a\.txt\.[a-z]+)`", PAGE.read_text()))
    made = {path.name for out in ("sealed", "answers", "plain", "proofs") for path in (folder / out).glob("a.txt*")}
    assert made == shown
