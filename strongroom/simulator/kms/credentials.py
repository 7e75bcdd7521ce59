"""Who calls: access keys of roles, from `credentials.json` in the state folder.

    {"AKIA…": {"role_arn": "arn:aws:iam::…:role/…", "secret_access_key": "…", "session_token": null}}

The file is read again whenever it changes. An access key that is not in it belongs to the account's root: that is how
an operator sets the demo up with any credentials at all.
"""

import re
import secrets
from collections.abc import Mapping
from hmac import compare_digest
from pathlib import Path

import msgspec

from strongroom.simulator import state
from strongroom.simulator.key_policy import Caller
from strongroom.simulator.kms.errors import KMSError
from strongroom.simulator.kms.sigv4 import Authorization

_ROLE_ARN = re.compile(r"arn:aws:iam::([0-9]{12}):role/[\w+=,.@/-]{1,512}", re.ASCII)


class RoleCredentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One access key of a role; `session_token` as STS gives it, None for a long-lived key."""

    role_arn: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"RoleCredentials(role_arn={self.role_arn!r})"

    @property
    def caller(self) -> Caller:
        """The role, in its account. Raises ValueError if the ARN is not a role's."""
        match = _ROLE_ARN.fullmatch(self.role_arn)
        if match is None:
            raise ValueError(f"expected a role's ARN, arn:aws:iam::<account>:role/<name>, got {self.role_arn!r}")
        return Caller(match[1], self.role_arn)


_FILE = dict[str, RoleCredentials]


def register(state_dir: Path, access_key_id: str, credentials: RoleCredentials) -> None:
    """Add or replace one access key in `state_dir`; a running dev KMS sees it with the next request."""
    _ = credentials.caller
    path = state_dir / "credentials.json"
    known = msgspec.json.decode(path.read_bytes(), type=_FILE) if path.exists() else {}
    state.write(path, msgspec.json.encode(known | {access_key_id: credentials}))


def issue(state_dir: Path, role_arn: str, session_token: str | None = None) -> tuple[str, str]:
    """A fresh access key of that role in `state_dir`: its id and its secret."""
    access_key_id, secret = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20)
    register(state_dir, access_key_id, RoleCredentials(role_arn, secret, session_token))
    return access_key_id, secret


class Callers:
    """Turns a signed request into the caller who signed it."""

    def __init__(self, state_dir: Path, *, region: str, account: str) -> None:
        self._path = state_dir / "credentials.json"
        self._region = region
        self._root = Caller.root_of(account)
        self._read_at: tuple[int, int] | None = None
        self._known: dict[str, RoleCredentials] = {}

    def identify(self, headers: Mapping[str, str], body: bytes, *, at_s: float) -> Caller:
        """The caller; the signature of a registered access key is verified. Raises `KMSError`."""
        authorization = Authorization.from_headers(headers)
        self._reload()
        credentials = self._known.get(authorization.access_key_id)
        if credentials is None:
            return self._root
        token = headers.get("x-amz-security-token", "")
        if not compare_digest(token.encode(), (credentials.session_token or "").encode()):
            raise KMSError("UnrecognizedClientException", "The security token included in the request is invalid.")
        authorization.verify(headers, body, secret=credentials.secret_access_key, region=self._region, at_s=at_s)
        return credentials.caller

    def _reload(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._known, self._read_at = {}, None
            return
        # Files are replaced, never edited in place: a new inode or time is a new content.
        if self._read_at != (status.st_ino, status.st_mtime_ns):
            self._known = _read(self._path)
            self._read_at = (status.st_ino, status.st_mtime_ns)


def _read(path: Path) -> dict[str, RoleCredentials]:
    try:
        known = msgspec.json.decode(path.read_bytes(), type=_FILE)
        for credentials in known.values():
            _ = credentials.caller
    except ValueError as error:  # msgspec's errors are ValueErrors
        raise KMSError("KMSInternalException", f"{path.name} cannot be used: {error}", 500) from error
    return known
