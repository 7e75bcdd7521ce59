"""`strongroom model`: nothing is written that the enclave would refuse, nothing sealed under a foreign key."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from strongroom.cli.data_keys import generate_data_key
from strongroom.cli.failures import CommandFailed
from strongroom.documents import to_toml
from strongroom.models.seal import catalogue_of
from strongroom.models.tiny import build_tiny_tensor
from tests.cli.running import failed, strongroom
from tests.models.test_seal import CONFIGURATION

ARN = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"
GOOD = {"KeyId": ARN, "Plaintext": bytes(32), "CiphertextBlob": b"wrapped"}


@pytest.mark.parametrize("twice", [True, False])
def test_a_catalogue_that_the_enclave_would_refuse_is_not_written(twice: bool, tmp_path: Path) -> None:
    package = build_tiny_tensor(tmp_path / "tiny")
    out = tmp_path / "catalogue.toml"
    packages, key = ([package, package], "models") if twice else ([package], "NO KEY")
    done = strongroom("model", "catalogue", *packages, "--key", key, "--out", out, "--json")
    assert "catalogue" in failed(done, 1)
    assert json.loads(done.stdout)["error"]["code"] == "invalid"
    assert not out.exists()


@pytest.mark.parametrize("change", [{"KeyId": ARN + "0"}, {"KeyId": None}, {"Plaintext": None}, {}])
def test_a_data_key_comes_from_the_key_asked_for(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {name: value for name, value in (GOOD | change).items() if value is not None}

    class KMS:
        def generate_data_key(self, **_: Any) -> dict[str, Any]:
            return answer

    monkeypatch.setattr(boto3, "client", lambda *_, **__: KMS())
    if not change:
        assert generate_data_key(ARN, {}, None, None) == (bytes(32), b"wrapped")
        return
    with pytest.raises(CommandFailed, match="expected a data key"):
        generate_data_key(ARN, {}, None, None)


SLOW_SEAL = """
import sys, time
from strongroom.cli import main, model
from strongroom.models import seal
read = seal._contents
model.generate_data_key = lambda *_: (bytes(32), b"wrapped")
seal._contents = lambda file, path: (each for each in read(file, path) if not time.sleep(30))
sys.argv = ["strongroom", "model", "seal", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_nothing_is_left_of_a_sealing_that_is_ended(number: signal.Signals, tmp_path: Path) -> None:
    package, out = build_tiny_tensor(tmp_path / "tiny"), tmp_path / "out"
    (tmp_path / "deployment.toml").write_bytes(to_toml(CONFIGURATION))
    (tmp_path / "catalogue.toml").write_bytes(to_toml(catalogue_of([package], "models")))
    files = ("--configuration", tmp_path / "deployment.toml", "--catalogue", tmp_path / "catalogue.toml", "--out", out)
    command = [sys.executable, "-c", SLOW_SEAL, *map(str, (package, *files))]
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)  # also as a shell's background job
    with subprocess.Popen(command) as process:
        signal.signal(signal.SIGINT, heard)
        while not list(out.glob(".sealing-*/*")):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    assert not list(out.iterdir())


def test_a_model_that_no_recipe_makes_is_wrong_usage(tmp_path: Path) -> None:
    done = strongroom("model", "build", "NOPE", "--json", cwd=tmp_path)
    assert "expected one of magika, minilm-l6," in failed(done, 2)
    assert json.loads(done.stdout)["error"]["code"] == "unknown-model"
    assert not list(tmp_path.iterdir())


def test_an_endpoint_that_is_no_address() -> None:
    with pytest.raises(CommandFailed, match="Invalid endpoint"):
        generate_data_key(ARN, {}, "nonsense", None)


@pytest.mark.parametrize("group", [[], ["model"]], ids=["strongroom", "model"])
def test_a_group_without_a_command_shows_its_help(group: list[str]) -> None:
    done = strongroom(*group)
    assert (done.returncode, done.stdout) == (2, b"")
    lines = done.stderr.decode().splitlines()
    assert lines[0].startswith("Usage: ")
    assert "Commands:" in lines
