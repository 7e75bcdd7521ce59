"""Signatures are verified for every registered access key; the file of credentials is read again when it changes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from strongroom.simulator.key_policy import Caller
from strongroom.simulator.kms.credentials import Callers, RoleCredentials, register
from strongroom.simulator.kms.errors import KMSError
from strongroom.simulator.nsm import wall_clock_ms
from tests.simulator.helpers import ROLE_ARN

KEY_ID = "AKIA0000000000000001"
BODY = b'{"KeyId": "k"}'
Headers = dict[str, str]


def signed(*, secret: str = "s", key_id: str = KEY_ID, token: str | None = None, region: str = "us-east-1") -> Headers:
    """Headers as botocore signs them, names in lower case."""
    headers = {"X-Amz-Target": "TrentService.Decrypt", "Host": "kms.us-east-1.amazonaws.com"}
    request = AWSRequest("POST", "https://kms.us-east-1.amazonaws.com/", headers, BODY)
    SigV4Auth(Credentials(key_id, secret, token), "kms", region).add_auth(request)
    return {name.lower(): str(value) for name, value in request.headers.items()}


@pytest.fixture
def callers(tmp_path: Path) -> Callers:
    register(tmp_path, KEY_ID, RoleCredentials(ROLE_ARN, "s"))
    return Callers(tmp_path, region="us-east-1", account="000000000000")


def identify(callers: Callers, headers: Headers, *, body: bytes = BODY, later_s: float = 0) -> Caller:
    return callers.identify(headers, body, at_s=wall_clock_ms() / 1000 + later_s)


def refusal(callers: Callers, headers: Headers, *, body: bytes = BODY, later_s: float = 0) -> str:
    with pytest.raises(KMSError) as refused:
        identify(callers, headers, body=body, later_s=later_s)
    return refused.value.name


def without_signed(name: str) -> Callable[[Headers], Headers]:
    return lambda headers: headers | {"authorization": headers["authorization"].replace(f"{name};", "")}


@pytest.mark.parametrize(
    "change",
    [
        lambda headers: headers | {"x-amz-target": "TrentService.ReEncrypt"},
        lambda headers: headers | {"host": "kms.eu-west-1.amazonaws.com"},
        lambda headers: headers | {"x-amz-injected": "1"},
        lambda headers: headers | {"x-amz-date": "yesterday"},
        lambda headers: headers | {"x-amz-date": "20200101T000000Z"},
        lambda headers: (
            headers | {"authorization": headers["authorization"][:-1] + "0"}
            if headers["authorization"][-1] != "0"
            else headers | {"authorization": headers["authorization"][:-1] + "1"}
        ),
        without_signed("host"),
        without_signed("x-amz-date"),
        lambda headers: {name: value for name, value in headers.items() if name != "host"},
    ],
)
def test_what_was_not_signed_so_is_refused(callers: Callers, change: Callable[[Headers], Headers]) -> None:
    assert refusal(callers, change(signed())) == "InvalidSignatureException"


def test_another_body_is_refused(callers: Callers) -> None:
    assert refusal(callers, signed(), body=BODY + b" ") == "InvalidSignatureException"


def test_another_secret_is_refused(callers: Callers) -> None:
    assert refusal(callers, signed(secret="t")) == "InvalidSignatureException"


def test_another_region_is_refused(callers: Callers) -> None:
    assert refusal(callers, signed(region="eu-west-1")) == "InvalidSignatureException"


@pytest.mark.parametrize("later_s", [-302.0, 302.0])
def test_an_old_signature_is_refused(callers: Callers, later_s: float) -> None:
    assert refusal(callers, signed(), later_s=later_s) == "InvalidSignatureException"


def test_an_absent_or_broken_header_is_refused(callers: Callers) -> None:
    assert refusal(callers, {}) == "MissingAuthenticationTokenException"
    assert refusal(callers, signed() | {"authorization": "Bearer x"}) == "IncompleteSignatureException"


@pytest.mark.parametrize(("kept", "sent"), [("token", None), ("token", "other"), (None, "token")])
def test_another_session_token_is_refused(tmp_path: Path, kept: str | None, sent: str | None) -> None:
    register(tmp_path, KEY_ID, RoleCredentials(ROLE_ARN, "s", kept))
    callers = Callers(tmp_path, region="us-east-1", account="000000000000")
    assert refusal(callers, signed(token=sent)) == "UnrecognizedClientException"


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"A": {}}', '{"A": {"role_arn": "arn:aws:iam::000000000000:role/R", "secret_access_key": "s", "x": 1}}',
     '{"A": {"role_arn": "nobody", "secret_access_key": "s"}}'],
)  # fmt: skip
def test_a_file_that_cannot_be_read_stops_everyone(tmp_path: Path, content: str) -> None:
    (tmp_path / "credentials.json").write_text(content)
    callers = Callers(tmp_path, region="us-east-1", account="000000000000")
    assert refusal(callers, signed()) == "KMSInternalException"


def test_only_roles_can_be_registered(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="role"):
        register(tmp_path, KEY_ID, RoleCredentials("arn:aws:iam::000000000000:user/U", "s"))
    assert not (tmp_path / "credentials.json").exists()


def test_a_secret_is_not_shown() -> None:
    assert "hidden" not in repr(RoleCredentials(ROLE_ARN, "hidden", "hidden"))


def test_a_role_is_recognised(callers: Callers) -> None:
    assert identify(callers, signed()) == Caller("000000000000", ROLE_ARN)


def test_a_session_is_recognised(tmp_path: Path) -> None:
    register(tmp_path, KEY_ID, RoleCredentials(ROLE_ARN, "s", "token"))
    callers = Callers(tmp_path, region="us-east-1", account="000000000000")
    assert identify(callers, signed(token="token")).arn == ROLE_ARN


def test_anyone_else_is_the_accounts_root(callers: Callers) -> None:
    assert identify(callers, signed(key_id="anyone", secret="anything")) == Caller.root_of("000000000000")


def test_the_file_is_read_again_when_it_changes(callers: Callers, tmp_path: Path) -> None:
    assert identify(callers, signed(key_id="AKIANEW")).is_root
    register(tmp_path, "AKIANEW", RoleCredentials(ROLE_ARN, "new"))
    assert identify(callers, signed(key_id="AKIANEW", secret="new")).arn == ROLE_ARN
    assert identify(callers, signed()).arn == ROLE_ARN
    (tmp_path / "credentials.json").unlink()
    assert identify(callers, signed()).is_root
