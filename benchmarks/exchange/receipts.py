"""One answer's receipt and its leaf, as the enclave makes them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from attestation.merkle import Frontier
from attestation.receipt_claims import Outcome, ReceiptClaims
from attestation.receipts import IssuedReceipt, ReceiptSalts, commitment, issue_receipt
from attestation.signing import receipt_key_bytes

_CONTENT_BYTES: Final = 1 << 10
_DIGEST: Final = bytes(range(48))


def issuing() -> Callable[[], IssuedReceipt]:
    """What issues the next receipt of a boot: everything that an answer needs beside its sealing."""
    key, log, content = generate_private_key(SECP256R1()), Frontier(), secrets.token_bytes(_CONTENT_BYTES)
    receipt_key, secret, salt = receipt_key_bytes(key), secrets.token_bytes(32), secrets.token_bytes(32)

    def issue() -> IssuedReceipt:
        salts = ReceiptSalts.derive(secret, salt)
        claims = ReceiptClaims(
            request_id=secret[:16],
            time_ms=1_700_000_000_000,
            duration_ms=250,
            model="tiny-decoder",
            model_version="1",
            manifest_sha384=_DIGEST,
            catalogue_sha384=_DIGEST,
            document_sha384=_DIGEST,
            keys_sha384=_DIGEST,
            receipt_key=receipt_key,
            key_policies={"models": _DIGEST, "requests": _DIGEST},
            kms_leg=2,
            request_commitment=commitment(salts.request, content),
            response_commitment=commitment(salts.response, content),
            boot_id=salt,
            leaf_index=log.size,
            root_before=log.root(),
            outcome=Outcome.COMPLETE,
            generated_chunks=64,
            sent_chunks=64,
        )
        issued = issue_receipt(claims, key, salts.leaf)
        log.append(issued.leaf)
        return issued

    return issue
