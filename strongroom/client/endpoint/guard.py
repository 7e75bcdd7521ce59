"""Who may ask a local endpoint: programs that were told its key, and no page in a browser.

A page can make its reader's browser send requests to 127.0.0.1, under a name of its own that resolves there (DNS
rebinding) or with an Origin; to fetch an image it sends no Origin, but browsers add Sec-Fetch-Site. Other users of the
machine can connect as well, but do not know the key.
"""

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from strongroom.surfaces.refusals import Refused

_OF_BROWSERS: Final = frozenset({"origin", "sec-fetch-site"})


@dataclass(frozen=True, slots=True)
class Guard:
    """`hosts` are the values that the header Host may have, None for any; `key` is the bearer token, None for none."""

    hosts: Collection[str] | None
    key: str | None = field(repr=False)

    def check(self, headers: Mapping[str, str]) -> None:
        """Raise Refused for a request that may not be answered; names of headers are in lower case."""
        if self.hosts is not None and headers.get("host") not in self.hosts:
            raise Refused(421, "other-host", f"Host: expected {' or '.join(self.hosts)}, got another")
        if headers.keys() & _OF_BROWSERS:
            message = "Origin, Sec-Fetch-Site: expected neither, got one: no web page may ask here"
            raise Refused(HTTPStatus.FORBIDDEN, "browser", message)
        if self.key is not None and not _bears(headers.get("authorization", ""), self.key):
            message = "Authorization: expected Bearer and the key that serve-local printed, got another"
            raise Refused(HTTPStatus.UNAUTHORIZED, "invalid-api-key", message)


def _bears(given: str, key: str) -> bool:
    """A scheme is in either case, and any number of spaces follows it (RFC 9110, 11.1 and 11.4)."""
    scheme, _, token = given.partition(" ")
    known = hmac.compare_digest(token.lstrip(" ").encode(errors="replace"), key.encode())
    return known and scheme.lower() == "bearer"
