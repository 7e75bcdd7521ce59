"""`strongroom deployment init`: the entries it writes are those that sealers will name."""

from pathlib import Path

import pytest

from strongroom.protocol.configuration import DeploymentConfiguration
from tests.cli.running import strongroom

ROLE = "arn:aws:iam::111122223333:role/parent"
KEY, OTHER = (f"arn:aws:kms:eu-west-1:111122223333:key/{name}" for name in ("1234abcd", "5678abcd"))
OPTIONS = ("--deployment", "acme", "--key-arn", KEY, "--tenant", "acme", "--runtime-role", ROLE)


@pytest.mark.parametrize(
    ("asked", "entries"),
    [
        ((), [("models", "model", KEY)]),
        (("--request-key-arn", OTHER), [("models", "model", KEY), ("requests", "request", OTHER)]),
        (("--request-key-arn", KEY), [("models", "model", KEY), ("requests", "request", KEY)]),
    ],
    ids=["models alone", "a key of their own", "one key"],
)
def test_entries(tmp_path: Path, asked: tuple[str, ...], entries: list[tuple[str, str, str]]) -> None:
    file = tmp_path / "deployment.toml"
    assert strongroom("deployment", "init", file, *OPTIONS, *asked).returncode == 0
    written = DeploymentConfiguration.from_bytes(file.read_bytes()).key
    assert [(entry.id, entry.purpose, entry.arn) for entry in written] == entries
    assert {entry.tenant for entry in written} == {"acme"}


def test_a_key_that_is_no_arn_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "deployment.toml"
    done = strongroom("deployment", "init", file, *OPTIONS, "--request-key-arn", "alias/requests")
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr
    assert not file.exists()
