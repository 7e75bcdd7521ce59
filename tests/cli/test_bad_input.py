"""What an impatient stranger types: each time one sentence, an exit code, and nothing left behind."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from attestation.measurements import configuration_pcr17
from tests.cli.running import failed, strongroom

ROLE = "arn:aws:iam::111122223333:role/parent"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"
CLIENT = ("--url", "http://127.0.0.1:1", "--any-measurement")


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    file = tmp_path / "deployment.toml"
    options = ("--deployment", "acme", "--key-arn", KEY, "--tenant", "acme", "--runtime-role", ROLE)
    assert strongroom("deployment", "init", file, *options).returncode == 0
    return file


@pytest.fixture
def endless() -> Iterator[int]:
    with Path("/dev/zero").open("rb") as source:
        yield source.fileno()


@pytest.mark.parametrize(
    "arguments",
    [
        ("deployment", "check", "/dev/zero"),
        ("deployment", "measure", "/dev/zero"),
        ("policy", "compile", "/dev/zero", "--kms", "--key-arn", "a", "--role", "b"),
        ("policy", "lint", "/dev/zero"),
        ("verify", os.devnull, "--archived", "--policy", "/dev/zero"),
        ("verify", os.devnull, "--archived", "--any-measurement", "--trust-anchor", "/dev/zero"),
        ("infer", "/dev/zero", "--model", "m", *CLIENT),
        ("chat", "-", *CLIENT),
        ("chat", "x", "--schema", "/dev/zero", *CLIENT),
        ("model", "seal", ".", "--configuration", "/dev/zero", "--catalogue", os.devnull, "--out", "x"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_endless_files_are_read_to_a_bound(arguments: tuple[str, ...], endless: int, tmp_path: Path) -> None:
    assert "at most" in failed(strongroom(*arguments, stdin=endless, cwd=tmp_path))
    assert not list(tmp_path.iterdir())


def test_an_endless_document_is_a_rejected_one(endless: int) -> None:
    done = strongroom("verify", "-", "--archived", "--any-measurement", stdin=endless)
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"input-size" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [("verify", "-", "--archived", "--any-measurement"), ("chat", "-", *CLIENT), ("demo",)],
    ids=lambda arguments: arguments[0],
)
def test_standard_input_that_is_closed(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert "expected" in failed(strongroom(*arguments, preexec_fn=lambda: os.close(0), cwd=tmp_path))


@pytest.mark.parametrize(
    "arguments",
    [("chat", "x", *CLIENT), ("model", "list"), ("model", "list", "--json"), ("--version",)],
    ids=lambda arguments: " ".join(arguments[:3]),
)
def test_standard_output_that_is_closed(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = strongroom(*arguments, stdout=None, preexec_fn=lambda: os.close(1), cwd=tmp_path)
    assert "expected standard output, got none" in failed(done)


def test_a_prompt_of_other_bytes_than_text() -> None:
    assert "UTF-8" in failed(strongroom("chat", "-", *CLIENT, input=b"\xff\xfe"))


def test_a_pipe_measures_as_its_file_does(configuration: Path) -> None:
    data = configuration.read_bytes()
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(data)
    done = strongroom("deployment", "measure", f"/dev/fd/{reader}", "--json", pass_fds=(reader,))
    os.close(reader)
    assert json.loads(done.stdout)["pcr17"] == configuration_pcr17(data).hex()


def test_standard_error_that_takes_nothing() -> None:
    with Path("/dev/full").open("wb") as full:
        assert strongroom("no-such-command", stderr=full).returncode == 2


def test_a_disk_that_is_full(configuration: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = strongroom("deployment", "measure", configuration, "--json", stdout=full)
    assert "No space left" in failed(done)


def test_a_terminal_that_lacks_a_character(configuration: Path) -> None:
    text = configuration.read_text().replace("Strongroom deployment acme", "金庫")
    configuration.write_text(text)
    done = strongroom("deployment", "check", configuration, env={"PYTHONIOENCODING": "latin-1"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"??" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("verify", "--json"), "usage"),
        (("verify", "-", "--archived", "--policy", os.devnull, "--json"), "policy"),
        (("verify", "-", "--live", "--nonce", "00" * 1025, "--any-measurement", "--json"), "policy"),
        (("verify", "-", "--archived", "--any-measurement", "--trust-anchor", os.devnull, "--json"), "policy"),
    ],
)
def test_what_judges_nothing_is_no_rejection(arguments: tuple[str, ...], code: str) -> None:
    done = strongroom(*arguments)
    assert done.returncode == 2
    [line] = done.stdout.splitlines()
    assert json.loads(line)["error"]["code"] == code


def test_arguments_that_are_no_text(tmp_path: Path) -> None:
    options = ("--deployment", "\udcff", "--key-arn", KEY, "--tenant", "acme", "--runtime-role", ROLE)
    assert "Unicode" in failed(strongroom("deployment", "init", tmp_path / "x", *options))
    assert not list(tmp_path.iterdir())


def test_a_package_that_is_not_installed() -> None:
    code = "import sys; sys.modules['aiohttp'] = None; from strongroom.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "status", *CLIENT], capture_output=True, check=False)
    assert "strongroom[client]" in failed(done)


def test_help_tells_what_the_timeout_bounds() -> None:
    text = b" ".join(strongroom("chat", "--help").stdout.split())
    assert b"Seconds for each wait" in text
