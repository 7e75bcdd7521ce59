"""Rule 31: nonce and age, judged by the verifier's own clock under certificates that last until 2049."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tests.attestation.vectors.case import ANY, Case, accepted, rejected
from tests.attestation.vectors.cases.validity import at
from tests.attestation.vectors.chains import MADE, TPM_MODULE_ID, chain_for, lasting
from tests.attestation.vectors.documents import LEFT_OUT, NONCE, document, tpm_document

_LASTING = lasting(chain_for())
_ANSWER = document(_LASTING, nonce=NONCE)
_IN_2049_MS = int(datetime(2049, 6, 1, tzinfo=UTC).timestamp()) * 1000


def _live(max_age_s: int = 900_000_000) -> tuple[str, ...]:
    return ("--live", "--nonce", NONCE.hex(), "--max-age", str(max_age_s), *ANY)


def _recent(max_age_s: int = 900_000_000) -> tuple[str, ...]:
    return ("--recent", "--max-age", str(max_age_s), *ANY)


def cases() -> Iterator[Case]:
    """All of this module's."""
    yield from _controls()
    yield from _nonces()
    yield from _ages()


def _controls() -> Iterator[Case]:
    yield accepted(31, "live", "the nonce asked with", _ANSWER, arguments=_live())
    tpm = tpm_document(lasting(chain_for(TPM_MODULE_ID)), nonce=NONCE)
    arguments = ("--kind", "nitrotpm", *_live())
    yield accepted(31, "live-nitrotpm", "the nonce asked a NitroTPM with", tpm, arguments=arguments)
    yield accepted(31, "recent", "young enough", document(_LASTING), arguments=_recent())
    yield accepted(31, "recent-any-nonce", "young enough, with another's nonce", _ANSWER, arguments=_recent())


def _nonces() -> Iterator[Case]:
    for slug, title, nonce in (
        ("nonce-absent", "no nonce", LEFT_OUT),
        ("nonce-null", "the nonce null", None),
        ("nonce-empty", "an empty nonce", b""),
        ("nonce-prefix", "the nonce but for its last byte", NONCE[:-1]),
        ("nonce-longer", "the nonce and a further byte", NONCE + b"\0"),
        ("nonce-other", "another nonce of the same length", NONCE[::-1]),
    ):
        yield rejected("nonce", slug, title, document(_LASTING, nonce=nonce), 61, arguments=_live())


def _ages() -> Iterator[Case]:
    code = "too-old"
    yield rejected(code, "live-too-old", "the right nonce, more than a minute ago", _ANSWER, 62, arguments=_live(60))
    yield rejected(code, "recent-too-old", "more than a minute old", _ANSWER, 62, arguments=_recent(60))
    code, future = "from-the-future", document(_LASTING, nonce=NONCE, timestamp=_IN_2049_MS)
    yield rejected(code, "live-from-2049", "the right nonce, but made in 2049", future, 62, arguments=_live())
    yield rejected(code, "recent-from-2049", "made in 2049", future, 62, arguments=_recent())
    before = at(MADE - timedelta(minutes=10))
    title = "made ten minutes after the instant that it is judged at"
    yield rejected(code, "judged-before-made", title, document(), 62, arguments=before)
