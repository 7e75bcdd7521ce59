"""Rules 12 to 19: each field of the payload."""

from __future__ import annotations

from collections.abc import Iterator

from tests.attestation.vectors.case import ARCHIVED, Case, accepted, rejected, under
from tests.attestation.vectors.cbor import Pairs, indefinite_map
from tests.attestation.vectors.chains import (
    INSTANCE,
    INSTANCE_ID,
    LEAF,
    MODULE_ID,
    ROOT,
    SOUND,
    TPM_MODULE_ID,
    chain_for,
    issue,
    padded,
)
from tests.attestation.vectors.documents import PCRS, TPM_PCRS, document, fields, of_pairs, pcr, tpm_document

_TPM = ("--kind", "nitrotpm", *ARCHIVED)
_OPTIONALS = ("public_key", "user_data", "nonce")
_MAX_PAYLOAD_BYTES = 16_384


def cases() -> Iterator[Case]:
    """All of this module's."""
    yield from _module_id()
    yield from _digest()
    yield from _timestamp()
    yield from _kinds()
    yield from _pcr_maps()
    yield from _pcr_entries()
    yield from _certificate()
    yield from _cabundle()
    yield from _optionals()


def _module_id() -> Iterator[Case]:
    short, code = "i-01234567-enc01", "module-id"
    yield accepted(12, "module-id-short", "shorter ids than today's", document(chain_for(short), module_id=short))
    for slug, title, module_id, *rows in (
        ("module-id-empty", "an empty module id", "", 30),
        ("module-id-of-a-tpm", "a NitroTPM's module id in an enclave's document", TPM_MODULE_ID),
        ("module-id-newline", "a newline after the module id", f"{MODULE_ID}\n"),
        ("module-id-too-long", "a module id of more than 256 characters", f"{INSTANCE_ID}-enc{'0' * 256}"),
    ):
        yield rejected(code, slug, title, document(chain_for(module_id), module_id=module_id), *rows)
    octets = document(module_id=MODULE_ID.encode())
    yield rejected(code, "module-id-bytes", "a byte string as module id", octets, 30)
    long = f"{INSTANCE_ID}-enc".ljust(256, "0")
    longest = document(chain_for(long), module_id=long)
    yield accepted(12, "module-id-of-256", "a module id of 256 characters", longest)


def _digest() -> Iterator[Case]:
    for digest in ("SHA256", "SHA512"):
        yield rejected("digest", f"digest-{digest.lower()}", f"digest {digest}", document(digest=digest), 31)
    yield rejected("digest", "digest-lower-case", "digest sha384 in lower case", document(digest="sha384"), 31)


def _timestamp() -> Iterator[Case]:
    for slug, title, timestamp, *rows in (
        ("timestamp-0", "timestamp 0", 0, 32),
        ("timestamp-negative", "a timestamp one millisecond before the epoch", -1, 32),
        ("timestamp-bool", "true as timestamp", True, 32),
        ("timestamp-2-63", "timestamp 2^63", 1 << 63),
    ):
        yield rejected("timestamp", slug, title, document(timestamp=timestamp), *rows)


def _kinds() -> Iterator[Case]:
    code, tpm = "wrong-kind", tpm_document()
    yield accepted(15, "nitrotpm", "a NitroTPM's document where one is asked for", tpm, arguments=_TPM)
    yield rejected(code, "nitrotpm-as-enclave", "a NitroTPM's document where an enclave's is asked for", tpm, 28)
    title = "an enclave's document where a NitroTPM's is asked for"
    yield rejected(code, "enclave-as-nitrotpm", title, document(), 28, arguments=_TPM)
    both = of_pairs([*fields().items(), ("nitrotpm_pcrs", TPM_PCRS)])
    yield rejected("both-kinds", "both-kinds", "pcrs and nitrotpm_pcrs", both, 28)


def _first(count: int) -> dict[object, object]:
    return {index: pcr(index) for index in range(count)}


def _pcr_maps() -> Iterator[Case]:
    yield accepted(16, "one-pcr", "PCR0 and no other", document(pcrs=_first(1)))
    yield accepted(16, "17-pcrs", "PCR0 to PCR16", document(pcrs=PCRS | {16: pcr(16)}))
    yield accepted(16, "32-pcrs", "PCR0 to PCR31", document(pcrs=_first(32)))
    yield rejected("pcrs", "pcrs-empty", "no PCR", document(pcrs={}), 34)
    yield rejected("pcrs", "33-pcrs", "PCR0 to PCR32", document(pcrs=_first(33)), 34)
    title = "PCR24 of a NitroTPM, which has 24"
    yield rejected("pcrs", "nitrotpm-pcr-24", title, tpm_document(pcrs=_first(25)), arguments=_TPM)


def _pcr_entries() -> Iterator[Case]:
    others = [pair for pair in PCRS.items() if pair[0] != 1]  # some languages hold true and 1 for the same key
    for slug, title, index in (
        ("pcr-32", "a PCR index 32", 32),
        ("pcr-minus-1", "a PCR index -1", -1),
        ("pcr-text-index", "a PCR index in text, 1", "1"),
        ("pcr-bool-index", "a PCR index true", True),
    ):
        yield rejected("pcrs", slug, title, document(pcrs=Pairs((*others, (index, pcr(1))))), 35)
    for slug, title, value in (
        ("pcr-empty", "PCR8 of no bytes", b""),
        ("pcr-32-bytes", "PCR8 of 32 bytes under SHA384", pcr(8)[:32]),
        ("pcr-47-bytes", "PCR8 of 47 bytes", pcr(8)[:47]),
        ("pcr-49-bytes", "PCR8 of 49 bytes", pcr(8) + b"\0"),
        ("pcr-text", "PCR8 a text of 48 characters", "0" * 48),
    ):
        yield rejected("pcrs", slug, title, document(pcrs=PCRS | {8: value}), 36)


def _certificate() -> Iterator[Case]:
    code = "certificate"
    yield accepted(17, "certificate-1024-bytes", "a leaf of 1,024 bytes", document(padded(LEAF, 1024)))
    yield under(code, "certificate-1025-bytes", "a leaf of 1,025 bytes", padded(LEAF, 1025))
    yield rejected(code, "certificate-empty", "a leaf of no bytes", document(certificate=b""))


def _cabundle() -> Iterator[Case]:
    code, (*bundle, _) = "cabundle", issue(SOUND).certificates
    yield accepted(18, "entry-1024-bytes", "an instance certificate of 1,024 bytes", document(padded(INSTANCE, 1024)))
    yield under(code, "entry-1025-bytes", "an instance certificate of 1,025 bytes", padded(INSTANCE, 1025), 39)
    yield rejected(code, "entry-empty", "an empty entry after the others", document(cabundle=[*bundle, b""]), 39)
    yield rejected(code, "cabundle-empty", "an empty cabundle", document(cabundle=[]), 38)
    yield rejected(code, "cabundle-bytes", "the root alone, in no array", document(cabundle=bundle[ROOT]), 38)


def _optionals() -> Iterator[Case]:
    code = "optional-field"
    for length in (0, 1024):
        title = f"public_key, user_data and nonce of {length:,} bytes"
        full = dict.fromkeys(_OPTIONALS, b"\xa5" * length)
        yield accepted(19, f"optionals-{length}-bytes", title, document(**full))
    for name in _OPTIONALS:
        slug = f"{name.replace('_', '-')}-1025-bytes"
        yield rejected(code, slug, f"{name} of 1,025 bytes", document(**{name: bytes(1025)}), 60)
    yield rejected(code, "nonce-text", "a text as nonce", document(nonce="text"), 60)
    longest = bytes(1025 + _MAX_PAYLOAD_BYTES - len(_payload(user_data=bytes(1025))))
    title = "user_data that fills the payload up to 16,384 bytes"
    yield rejected(code, "payload-of-16384-bytes", title, document(user_data=longest), 60)


def _payload(**changes: object) -> bytes:
    return indefinite_map(fields(**changes).items())
