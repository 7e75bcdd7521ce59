"""docs/protocol.md, "What a client must check": for each line the vectors that a client fails which leaves it out.

Lines about the document are kept by the conformance vectors of attestation documents, a folder each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.protocol.vectors.vector import Group

_DOCUMENT = {
    1: ("20-01-own-root", "20-02-own-root-not-allowed", "20-03-other-anchor"),
    2: ("15-02-nitrotpm-as-enclave", "29-02-debug"),
    3: (
        *("30-28-tuple-pcr-0-differs", "30-29-tuple-pcr-1-differs", "30-30-tuple-pcr-2-differs"),
        *("30-31-tuple-pcr-3-differs", "30-32-tuple-pcr-16-differs", "30-33-tuple-pcr-17-differs"),
        *("30-34-tuple-pcr-0-absent", "30-35-tuple-pcr-1-absent", "30-36-tuple-pcr-2-absent"),
        *("30-37-tuple-pcr-3-absent", "30-38-tuple-pcr-16-absent", "30-39-tuple-pcr-17-absent"),
        *("30-40-tuples-pcr-1-mixed", "30-41-tuples-pcr-17-mixed"),
    ),
    4: ("31-08-nonce-prefix", "31-10-nonce-other", "31-12-recent-too-old"),
}
_CHECKS: dict[int, dict[str, tuple[str, ...]]] = {
    5: {"evidence": ("binding-purpose", "binding-version", "binding-absent", "binding-public-key")},
    6: {"evidence": ("binding-other-key-list", "binding-other-receipt-key", "binding-other-document")},
    7: {"evidence": ("suite-floor",)},
    8: {
        "replies": (
            *("plain-text", "plain-json", "plain-events", "empty"),
            *("as-octet-stream", "as-no-media-type", "as-stream", "as-request", "as-parameter"),
            *("status-201", "status-203", "status-206"),
            *("status-302", "status-400", "status-422", "status-500", "status-503"),
        )
    },
    9: {"responses-whole": ("head-other-suite", "head-other-id")},
    10: {"responses-whole": ("tag", "counter"), "responses-streamed": ("swapped", "repeated", "left-out")},
    11: {
        "responses-whole": ("trailing", "flag-set"),
        "responses-streamed": ("cut-before-last", "unfinished", "after-last"),
    },
    12: {"responses-whole": ("no-receipt", "receipt-first", "receipt-twice", "no-end", "two-ends", "text-after-end")},
    13: {
        "witnesses": (
            *("other-boot", "other-key-list", "other-document"),
            *("other-image", "other-role", "other-configuration", "expired", "unbound"),
        ),
        "receipts": ("other-document", "other-keys", "own-key"),
    },
    14: {
        "receipts": ("stranger", "before", "after", "other-request", "other-response"),
        "witnesses": ("receipt-request-id", "receipt-model", "receipt-outcome", "receipt-chunks"),
    },
    15: {
        "kept-answers": (
            *("other-image", "other-role", "other-configuration", "before", "unbound"),
            *("other-document", "late", "stranger"),
        )
    },
}


def page(groups: Mapping[str, Group]) -> bytes:
    """The file: number of the line → folders below tests/vectors, ids of the protocol's vectors."""
    lines: dict[int, dict[str, list[str]]] = {number: {"documents": list(names)} for number, names in _DOCUMENT.items()}
    for number, chosen in _CHECKS.items():
        ids = [groups[name].id_of(groups[name].by_slug(slug)) for name, slugs in chosen.items() for slug in slugs]
        lines[number] = {"vectors": ids}
    return (json.dumps(lines, indent=1) + "\n").encode()
