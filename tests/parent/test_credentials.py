import datetime
import json
from collections.abc import Callable
from pathlib import Path

import botocore.session
import pytest
from botocore.credentials import RefreshableCredentials

from parent.credentials import Credentials, read_credentials
from parent.errors import CredentialsUnavailable

SECRET = "wJalrXUtnFEMI-secret"


@pytest.fixture(autouse=True)
def _no_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")


def _refreshable(lifetime_s: float) -> Callable[[object], RefreshableCredentials]:
    expiry = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=lifetime_s)
    metadata = {"access_key": "ASIA", "secret_key": SECRET, "token": "token", "expiry_time": expiry.isoformat()}
    found = RefreshableCredentials.create_from_metadata(metadata, lambda: metadata, "iam-role")
    return lambda session: found


def test_keys_of_the_environment_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert read_credentials(5_000) == Credentials("AKIA", SECRET, "", 3_605_000)


def test_none_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CredentialsUnavailable, match="expected credentials in the environment"):
        read_credentials(0)


def test_a_broken_chain_is_said_without_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")  # and no secret beside it
    with pytest.raises(CredentialsUnavailable, match=r"^expected credentials, got PartialCredentialsError$"):
        read_credentials(0)


@pytest.mark.parametrize(
    ("expiry", "kind"), [("2020-01-01T00:00:00Z", "RuntimeError"), ("canary", "ParserError")], ids=["past", "garbage"]
)
def test_whatever_the_chain_raises_is_said_without_content(
    monkeypatch: pytest.MonkeyPatch, expiry: str, kind: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", expiry)
    with pytest.raises(CredentialsUnavailable, match=rf"^expected credentials, got {kind}$"):
        read_credentials(0)


@pytest.mark.parametrize("program", ["echo canary", "echo []", "/nonexistent"])
def test_a_broken_credential_process_is_said_without_content(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
) -> None:
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(CredentialsUnavailable, match=r"^expected credentials, got [A-Za-z]+$"):
        read_credentials(0)


@pytest.mark.parametrize(("lifetime_s", "expected_s"), [(7200, 3600), (1830, 1800), (90, 60)])
def test_temporary_ones_are_promised_no_longer_than_they_last(
    monkeypatch: pytest.MonkeyPatch, lifetime_s: float, expected_s: int
) -> None:
    monkeypatch.setattr(botocore.session.Session, "get_credentials", _refreshable(lifetime_s))
    found = read_credentials(1_000)
    assert (found.session_token, found.expires_ms) == ("token", 1_000 + expected_s * 1000)


def test_those_about_to_expire_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.session.Session, "get_credentials", _refreshable(30))
    with pytest.raises(CredentialsUnavailable, match="another 60 s"):
        read_credentials(0)


def test_secrets_stay_out_of_repr_and_inside_the_body() -> None:
    credentials = Credentials("AKIA", SECRET, "token-secret", 7)
    assert SECRET not in repr(credentials)
    assert "token-secret" not in repr(credentials)
    assert json.loads(credentials.to_bytes())["secret_access_key"] == SECRET
