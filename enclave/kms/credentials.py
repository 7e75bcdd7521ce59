"""AWS credentials, pushed by the parent. They are not a boundary: the parent could push another account's, so the key's
ARN, the KeyId of every answer and the encryption context come from the measured configuration (review R23).
"""

import threading
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from botocore.credentials import CredentialProvider, Credentials, RefreshableCredentials
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

    @classmethod
    def from_bytes(cls, data: bytes) -> "PushedCredentials":
        """Parse the JSON; raise BootRefused without quoting it."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BootRefused("bad-credentials", "credentials: expected the four fields within their limits") from None


class PushedCredentialProvider(CredentialProvider):
    """botocore's provider interface over the last push; botocore asks again shortly before they expire."""

    METHOD = "strongroom-parent"

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._pushed: PushedCredentials | None = None

    def push(self, credentials: PushedCredentials) -> None:
        """Replace the credentials."""
        with self._lock:
            self._pushed = credentials

    def load(self) -> Credentials:
        """For botocore: credentials that refresh themselves from the last push."""
        return RefreshableCredentials.create_from_metadata(self._metadata(), self._metadata, self.METHOD)

    def _metadata(self) -> dict[str, Any]:
        with self._lock:
            pushed = self._pushed
        if pushed is None:
            raise KMSUnreachable("credentials: expected the parent to push some first")
        return {
            "access_key": pushed.access_key_id,
            "secret_key": pushed.secret_access_key,
            "token": pushed.session_token or None,
            "expiry_time": datetime.fromtimestamp(pushed.expires_ms / 1000, UTC).isoformat(),
        }
