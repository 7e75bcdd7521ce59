"""moto's KMS as the keeper of keys: its models hold them, its responses do the administrative work.

moto ignores `Recipient`, most of key policies and key states; all that is decided before it is called.
"""

import json
import re
from collections.abc import Mapping

from moto.core.exceptions import JsonRESTError
from moto.core.utils import camelcase_to_underscores
from moto.kms.models import Key, kms_backends
from moto.kms.responses import KmsResponse

from strongroom.simulator.kms.errors import KMSError

_KEY_ID = re.compile(r"(mrk-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Backend:
    """The keys of one account in one region. They live as long as the process."""

    def __init__(self, *, account: str, region: str) -> None:
        self._account = account
        self._region = region
        self._keys: dict[str, Key] = kms_backends[account][region].keys

    def key(self, name: str) -> Key:
        """The key that an id, ARN, alias or alias ARN names. Raises `KMSError` (NotFoundException)."""
        prefix = f"arn:aws:kms:{self._region}:{self._account}:"
        local = name.removeprefix(prefix).removeprefix("key/") if name.startswith(prefix) else name
        key = self._aliased(local) if local.startswith("alias/") else self.key_by_id(local)
        if key is None:
            raise KMSError("NotFoundException", f"Key '{prefix}{local}' does not exist")
        return key

    def key_by_id(self, key_id: str) -> Key | None:
        """The key with this bare id, None if there is none."""
        return self._keys.get(key_id) if _KEY_ID.fullmatch(key_id) else None

    def call(self, operation: str, members: Mapping[str, object]) -> dict[str, object]:
        """Let moto carry out `operation` and return its answer without nulls. Raises `KMSError`."""
        response = KmsResponse()
        response.body = json.dumps(members)
        response.region = self._region
        response.current_account = self._account
        try:
            answer = json.loads(getattr(response, camelcase_to_underscores(operation))())
        except JsonRESTError as error:
            raise KMSError(error.error_type, error.message) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # moto indexes members and identifiers that it has not looked at.
            raise KMSError("ValidationException", f"moto cannot carry out this {operation}") from error
        return without_nulls(answer or {})

    def _aliased(self, alias: str) -> Key | None:
        return next((key for key in self._keys.values() if alias in key.aliases), None)


def without_nulls(answer: dict[str, object]) -> dict[str, object]:
    """KMS leaves out what moto writes as null."""
    return {
        name: without_nulls(value) if isinstance(value, dict) else value
        for name, value in answer.items()
        if value is not None
    }
