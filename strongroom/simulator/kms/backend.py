"""moto's KMS as the keeper of keys: its models hold them, its responses do the administrative work.

moto ignores `Recipient`, most of key policies and key states; all that is decided before it is called.
"""

import json
import re
from collections.abc import Iterator, Mapping

from moto.core.exceptions import JsonRESTError
from moto.core.utils import camelcase_to_underscores
from moto.kms.models import Key, kms_backends
from moto.kms.responses import KmsResponse

from strongroom.simulator.kms.errors import KMSError

_ARN = re.compile(r"arn:aws:kms:([a-z0-9-]{1,32}):([0-9]{12}):((?:key|alias)/.{1,256})")
_KEY_ID = re.compile(r"(mrk-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Backend:
    """The keys of one region as a caller of `account` names them. They live as long as the process."""

    def __init__(self, *, account: str, region: str) -> None:
        self._account = account
        self._region = region

    def key(self, name: str) -> Key:
        """The key that an id, ARN, alias or alias ARN names; only ARNs reach other accounts.

        Raises `KMSError` (NotFoundException).
        """
        match = _ARN.fullmatch(name)
        region, account, local = match.groups() if match else (self._region, self._account, name)
        key = self._local(account, local) if region == self._region else None
        if key is None:
            arn = name if match else f"arn:aws:kms:{region}:{account}:{name}"
            raise KMSError("NotFoundException", f"Key '{arn}' does not exist")
        return key

    def all_keys(self) -> Iterator[Key]:
        """Every key of the region, in every account."""
        for account in list(kms_backends):
            yield from kms_backends[account][self._region].keys.values()

    def call(self, operation: str, members: Mapping[str, object], *, on: Key | None = None) -> dict[str, object]:
        """Let moto carry out `operation` and return its answer without nulls. Raises `KMSError`.

        It runs in the account of the key `on`, whose id becomes the `KeyId`; without one, in the caller's.
        """
        response = KmsResponse()
        response.body = json.dumps({**members, "KeyId": on.id} if on else members)
        response.region = self._region
        response.current_account = on.account_id if on else self._account
        try:
            answer = json.loads(getattr(response, camelcase_to_underscores(operation))())
        except JsonRESTError as error:
            raise KMSError(error.error_type, error.message) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # moto indexes members and identifiers that it has not looked at.
            raise KMSError("ValidationException", f"moto cannot carry out this {operation}") from error
        return without_nulls(answer or {})

    def _local(self, account: str, name: str) -> Key | None:
        regions = kms_backends.get(account)  # indexing would make the account
        keys = regions[self._region].keys if regions is not None else {}
        if name.startswith("alias/"):
            return next((key for key in keys.values() if name in key.aliases), None)
        key_id = name.removeprefix("key/")
        return keys.get(key_id) if _KEY_ID.fullmatch(key_id) else None


def without_nulls(answer: dict[str, object]) -> dict[str, object]:
    """KMS leaves out what moto writes as null."""
    return {
        name: without_nulls(value) if isinstance(value, dict) else value
        for name, value in answer.items()
        if value is not None
    }
