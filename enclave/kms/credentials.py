"""AWS credentials, pushed by the parent. They are not a boundary: the parent could push another account's, so the key's
ARN, the KeyId of every answer and the encryption context come from the measured configuration (review R23).

botocore's own refreshing credentials are not used: they read the wall clock, which the host sets (review R19), and keep
a push that was replaced until it is about to expire.
"""

from collections.abc import Callable
from typing import Annotated

import msgspec
from botocore.credentials import CredentialProvider, Credentials, ReadOnlyCredentials
from msgspec import Meta, Struct

from enclave.errors import BootRefused, KMSUnreachable

MAX_CREDENTIALS_BYTES = 8 << 10
_Token = Annotated[str, Meta(pattern=r"^[\x21-\x7e]*\Z", max_length=4096)]
_Key = Annotated[str, Meta(pattern=r"^[\x21-\x7e]+\Z", max_length=256)]


class PushedCredentials(Struct, frozen=True, forbid_unknown_fields=True):
    """What the parent pushes; `session_token` may be empty, `expires_ms` is milliseconds since the epoch."""

    access_key_id: _Key
    secret_access_key: _Key
    session_token: _Token
    expires_ms: Annotated[int, Meta(ge=0, le=1 << 53)]

    def __repr__(self) -> str:
        return f"PushedCredentials(access_key_id={self.access_key_id!r})"

    @classmethod
    def from_bytes(cls, data: bytes) -> "PushedCredentials":
        """Parse the JSON; raise BootRefused without quoting it."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BootRefused("bad-credentials", "credentials: expected the four fields within their limits") from None


class _LatestPush(Credentials):
    """Credentials that are looked up for each signature."""

    def __init__(self, latest: Callable[[], PushedCredentials], method: str) -> None:
        super().__init__("", "", method=method)
        self._latest = latest

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """What one request is signed with; raise KMSUnreachable when there is nothing to sign with."""
        pushed = self._latest()
        return ReadOnlyCredentials(pushed.access_key_id, pushed.secret_access_key, pushed.session_token or None)


class PushedCredentialProvider(CredentialProvider):
    """botocore's provider interface over the last push. `now_ms` is the enclave's own time."""

    METHOD = "strongroom-parent"

    def __init__(self, now_ms: Callable[[], int]) -> None:
        super().__init__()
        self._now_ms = now_ms
        self._pushed: PushedCredentials | None = None

    def push(self, credentials: PushedCredentials) -> None:
        """Replace the credentials; the next request is signed with these."""
        self._pushed = credentials

    def load(self) -> Credentials:
        """For botocore."""
        return _LatestPush(self._latest, self.METHOD)

    def _latest(self) -> PushedCredentials:
        pushed = self._pushed
        if pushed is None:
            raise KMSUnreachable("credentials: expected the parent to push some first")
        if pushed.expires_ms <= self._now_ms():
            raise KMSUnreachable("credentials: expected some that have not expired; push new ones")
        return pushed
