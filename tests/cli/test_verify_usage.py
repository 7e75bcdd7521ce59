"""`strongroom verify`: what it refuses to judge by; each time one line, exit code 2, and no verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from attestation.measurements import EMPTY_APPLICATION_PCR2
from strongroom.cli.commands import cli
from strongroom.cli.failures import run
from tests.attestation import forge
from tests.cli.running import failed, strongroom
from tests.cli.verifying import ARCHIVED, ROLE, pin


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--any-measurement",), "got none"),
        (("--archived", "--recent", "--any-measurement"), "got --recent and --archived"),
        (("--archived", "--at", "1", "--any-measurement"), "got --archived and --at"),
        (("--live", "--any-measurement"), "--nonce"),
        (("--archived", "--nonce", "00", "--any-measurement"), "--nonce"),
        (("--live", "--nonce", "0", "--any-measurement"), "hexadecimal"),
        (("--live", "--nonce", "", "--any-measurement"), "hexadecimal"),
        (("--live", "--nonce", "00" * 1025, "--any-measurement"), "1 to 1024 bytes"),
        (("--archived", "--max-age", "9", "--any-measurement"), "--max-age"),
        (("--at", "1", "--max-age", "9", "--any-measurement"), "--max-age"),
        (("--recent", "--max-age", "0", "--any-measurement"), "--max-age"),
        (("--at", "yesterday", "--any-measurement"), "2026-01-31T12:00:00Z"),
        (("--at", "0", "--any-measurement"), "at_ms"),
        (("--archived",), "the measurements that you trust"),
        (("--archived", "--any-measurement", *pin(0)), "--any-measurement alone"),
        (("--archived", "--any-measurement", "--role", ROLE), "--any-measurement alone"),
        (("--archived", "--any-measurement", "--policy", os.devnull), "--any-measurement alone"),
        (("--archived", *pin(0), *pin(0)), "--pcr 0=… again"),
        (("--archived", *pin(0), *pin(3), "--role", ROLE), "--role or --pcr 3"),
        (("--archived", "--pcr", "0"), "N=HEX"),
        (("--archived", "--pcr", "0=xx"), "hexadecimal"),
        (("--archived", *pin(0, bytes(47))), "48 bytes"),
        (("--archived", *pin(0, bytes(48))), "zeros"),
        (("--archived", *pin(0), *pin(2, EMPTY_APPLICATION_PCR2)), "without one"),
        (("--archived", *pin(32, forge.pcr(0))), "0 to 31"),
        (("--archived", "--role", ROLE), "what runs"),
        (("--archived", *pin(0), "--role", ROLE, "--kind", "nitrotpm"), "--kind enclave"),
        (("--archived", *pin(0), "--role", "me"), "ARN"),
        (("--archived", *pin(0), "--role", ""), "ARN"),
        (("--archived", "--policy", "nowhere.toml"), "nowhere.toml"),
        (("--archived", "--any-measurement", "--trust-anchor", os.devnull), "PEM"),
        (("--archived", "--any-measurement", "--kind", "other"), "--kind"),
        (("--archived", "--any-measurement", ""), "an empty one"),
        (("--archived", "--any-measurement", "--expect-user-data", ""), "hexadecimal"),
        (("--archived", "--any-measurement", "--expect-public-key", "q"), "hexadecimal"),
    ],
    ids=lambda value: " ".join(each[:12] for each in value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_one_line_and_judges_nothing(
    arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["strongroom", "verify", os.devnull, *arguments, "--json"])
    assert run(cli) == 2
    printed = capfd.readouterr()
    [line] = printed.err.splitlines()
    assert message in line
    assert message in json.loads(printed.out)["error"]["message"]


def test_options_that_are_suggested_are_enough(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A role alone says nothing about what runs, so that it is no answer to a policy that is missing."""
    monkeypatch.setattr(sys, "argv", ["strongroom", "verify", os.devnull, "--archived"])
    assert run(cli) == 2
    assert "--role" not in capfd.readouterr().err


@pytest.mark.parametrize("name", ["nowhere.cbor", "/proc/self/mem"])
def test_a_file_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    done = strongroom("verify", name, *ARCHIVED, "--json", cwd=tmp_path)
    assert name in failed(done)
    assert json.loads(done.stdout)["error"]["code"] == "file"


def test_a_name_cannot_command_a_terminal(tmp_path: Path) -> None:
    assert failed(strongroom("verify", "no\nsuch\x1b[2J", *ARCHIVED)) == (
        "error: no\\nsuch\\x1b[2J: No such file or directory"
    )


def test_a_second_opinion_without_its_package() -> None:
    script = "import sys; sys.modules['pycose'] = None; from strongroom.cli import main; main()"
    command = [sys.executable, "-c", script, "verify", os.devnull, *ARCHIVED, "--second-opinion"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert "strongroom[audit]" in failed(done)
