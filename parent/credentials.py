"""AWS credentials of the parent, to be handed to the enclave. They are no secret from the parent, and no boundary."""

import json
from dataclasses import dataclass, field

import botocore.session

from parent.errors import CredentialsUnavailable

_STEP_S = 60
_MAX_LIFETIME_S = 3600


@dataclass(frozen=True)
class Credentials:
    """One set of keys; `session_token` may be empty. Usable until `expires_ms` at least."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_ms: int

    def to_bytes(self) -> bytes:
        """The body of PUT /boot/credentials."""
        return json.dumps(
            {
                "access_key_id": self.access_key_id,
                "secret_access_key": self.secret_access_key,
                "session_token": self.session_token,
                "expires_ms": self.expires_ms,
            }
        ).encode()


def read_credentials(at_ms: int) -> Credentials:
    """Read botocore's default chain anew: environment, profile, container, IMDSv2. Blocks; call it in a thread.

    Raises CredentialsUnavailable when there are none, or none that last another minute.
    """
    try:
        found = botocore.session.Session().get_credentials()
        frozen = found.get_frozen_credentials() if found else None
    except Exception as error:  # the chain runs processes and parsers, and raises whatever they raise
        raise CredentialsUnavailable(f"expected credentials, got {type(error).__name__}") from None
    if found is None or frozen is None or not frozen.access_key or not frozen.secret_key:
        raise CredentialsUnavailable("expected credentials in the environment, a profile or the instance role")
    lifetime_s = _lifetime_s(found)
    if lifetime_s == 0:
        raise CredentialsUnavailable(f"expected credentials that last another {_STEP_S} s")
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "", at_ms + lifetime_s * 1000)


def _lifetime_s(found: botocore.credentials.Credentials) -> int:
    """How long the credentials last at least, in steps of a minute and at most an hour: long-lived ones say no more."""
    if not isinstance(found, botocore.credentials.RefreshableCredentials):
        return _MAX_LIFETIME_S
    steps = range(_MAX_LIFETIME_S, 0, -_STEP_S)
    return next((step for step in steps if not found.refresh_needed(refresh_in=step)), 0)
