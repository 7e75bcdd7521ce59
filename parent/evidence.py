"""Fetching evidence: an attestation document with the bytes that it binds."""

from attestation.evidence import MAX_EVIDENCE_BYTES
from parent.link import EnclaveLink
from strongroom.protocol.constants import MEDIA_EVIDENCE, PATH_EVIDENCE


async def fetch_evidence(link: EnclaveLink, suffix: str = "", *, timeout_s: float | None = None) -> bytes:
    """The enclave's current evidence; `?nonce=HEX` and `/DIGEST` ask for other. Raises EnclaveError, EnclaveProblem."""
    path = PATH_EVIDENCE + suffix
    return await link.fetch(path, media_type=MEDIA_EVIDENCE, max_bytes=MAX_EVIDENCE_BYTES, timeout_s=timeout_s)
