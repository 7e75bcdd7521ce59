"""Verification of AWS Signature Version 4, as far as KMS uses it: one POST to `/` without a query.

Source: "Create a signed AWS API request", https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from strongroom.simulator.kms.errors import KMSError

MAX_CLOCK_DIFFERENCE_S = 300
_ALGORITHM = "AWS4-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    _ALGORITHM + r" Credential=([^/,\s]{1,128})/([0-9]{8})/([a-z0-9-]{1,32})/([a-z0-9-]{1,32})/aws4_request,"
    r" ?SignedHeaders=([a-z0-9;-]{1,1024}), ?Signature=([0-9a-f]{64})"
)
_ALWAYS_SIGNED = ("host", "x-amz-date", "x-amz-target")


@dataclass(frozen=True, slots=True)
class Authorization:
    """A parsed `Authorization` header."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Self:
        """Parse; `headers` has lower-case names. Raises `KMSError` (missing or incomplete)."""
        if "authorization" not in headers:
            raise KMSError("MissingAuthenticationTokenException", "Request is missing Authentication Token")
        match = _AUTHORIZATION.fullmatch(headers["authorization"])
        if match is None:
            raise KMSError("IncompleteSignatureException", "Authorization header requires a full SigV4 signature.")
        access_key_id, date, region, service, signed, signature = match.groups()
        return cls(access_key_id, date, region, service, tuple(signed.split(";")), signature)

    def verify(self, headers: Mapping[str, str], body: bytes, *, secret: str, region: str, at_s: float) -> None:
        """Check the signature over `headers` and `body`. Raises `KMSError` (InvalidSignatureException)."""
        if (self.region, self.service) != (region, "kms"):
            raise _invalid(f"Credential should be scoped to a valid region: {region}, and to the service kms.")
        must = {*_ALWAYS_SIGNED, *(name for name in headers if name.startswith("x-amz-"))}
        if not must <= set(self.signed_headers) <= set(headers):
            raise _invalid("The signed headers are not those that have to be signed.")
        self._check_time(headers["x-amz-date"], at_s)
        expected = hmac.new(self._signing_key(secret), self._string_to_sign(headers, body), hashlib.sha256)
        if not hmac.compare_digest(expected.hexdigest(), self.signature):
            raise _invalid("The request signature we calculated does not match the signature you provided.")

    def _check_time(self, stamp: str, at_s: float) -> None:
        try:
            signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise _invalid("X-Amz-Date is not a date.") from error
        if not stamp.startswith(self.date) or abs(signed_at.timestamp() - at_s) > MAX_CLOCK_DIFFERENCE_S:
            raise _invalid(
                f"Signature expired: {stamp} is more than {MAX_CLOCK_DIFFERENCE_S} s from the server's time."
            )

    def _string_to_sign(self, headers: Mapping[str, str], body: bytes) -> bytes:
        lines = [f"{name}:{' '.join(headers[name].split())}" for name in self.signed_headers]
        canonical = "\n".join(
            ["POST", "/", "", *lines, "", ";".join(self.signed_headers), hashlib.sha256(body).hexdigest()]
        )
        scope = f"{self.date}/{self.region}/{self.service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        return "\n".join([_ALGORITHM, headers["x-amz-date"], scope, digest]).encode()

    def _signing_key(self, secret: str) -> bytes:
        key = f"AWS4{secret}".encode()
        for part in (self.date, self.region, self.service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key


def _invalid(message: str) -> KMSError:
    return KMSError("InvalidSignatureException", message)
