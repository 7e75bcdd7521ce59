"""Chains shaped like AWS Nitro's: root, regional, zonal, instance, leaf, under a root of our own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count

from tests.attestation.vectors.certificates import (
    COMMON_NAME,
    COUNTRY,
    LOCALITY,
    ORGANIZATION,
    STATE,
    UNIT,
    Certificate,
    name,
)
from tests.attestation.vectors.der import UTF8_STRING
from tests.attestation.vectors.extensions import (
    CRL_SIGN,
    DIGITAL_SIGNATURE,
    KEY_CERT_SIGN,
    NON_REPUDIATION,
    Extension,
    authority,
    authority_key,
    key_usage,
    no_authority,
    revocation_list,
    subject_key,
    unheard_of,
)
from tests.attestation.vectors.keys import Key

ROOT, REGIONAL, ZONAL, INSTANCE, LEAF = range(5)

INSTANCE_ID = "i-0123456789abcdef0"
MODULE_ID = f"{INSTANCE_ID}-enc0123456789abcdef"
TPM_MODULE_ID = f"{INSTANCE_ID}-tpm0000000000000000"
MADE = datetime(2025, 10, 9, 9, 0, tzinfo=UTC)
"""The documents' timestamp."""

_OWNER = ((ORGANIZATION, "Strongroom"), (UNIT, "not AWS"))
_SEATTLE = ((COUNTRY, "US"), (STATE, "Washington"), (LOCALITY, "Seattle"), *_OWNER)
ZONE_NAME = (
    (COMMON_NAME, "fedcba9876543210.zonal.us-east-1.vectors"),
    *reversed(_OWNER),
    *((COUNTRY, "US"), (STATE, "WA"), (LOCALITY, "Seattle")),
)
"""A zonal authority's, common name first as in genuine ones: names have an order."""
_DAY, _HOUR, _SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
_AGES = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC))
_EXTENSION_HEADS = 21

Chain = tuple[Certificate, ...]


@dataclass(frozen=True)
class Issued:
    """A chain in DER, root first, and the key that signs documents under it."""

    certificates: tuple[bytes, ...]
    key: Key


def leaf_name(common_name: str, string: int = UTF8_STRING) -> bytes:
    """The name of an instance or a leaf."""
    return name(*_SEATTLE, (COMMON_NAME, common_name), string=string)


def region_name(common_name: str) -> bytes:
    """The name of the root or a regional authority."""
    return name((COUNTRY, "US"), *_OWNER, (COMMON_NAME, common_name))


def _root(owner: str) -> Certificate:
    key = Key(f"{owner} root")
    usage = key_usage(DIGITAL_SIGNATURE, KEY_CERT_SIGN, CRL_SIGN)
    until = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
    return Certificate(
        subject=region_name("Strongroom vectors root, not AWS"),
        key=key,
        not_before=datetime(2019, 10, 28, 13, 28, 5, tzinfo=UTC),
        not_after=until,
        extensions=(authority(None), subject_key(key), usage),
    )


def _regional(owner: str) -> Certificate:
    key = Key(f"{owner} regional")
    usage = key_usage(DIGITAL_SIGNATURE, KEY_CERT_SIGN, CRL_SIGN)
    keys = (authority_key(Key(f"{owner} root")), subject_key(key))
    return Certificate(
        subject=region_name("0123456789abcdef.us-east-1.vectors"),
        key=key,
        not_before=MADE - 5 * _DAY,
        not_after=MADE + 15 * _DAY + _HOUR,
        extensions=(authority(2), *keys, usage, revocation_list("regional")),
    )


def _zonal(owner: str) -> Certificate:
    key = Key(f"{owner} zonal")
    usage = key_usage(DIGITAL_SIGNATURE, KEY_CERT_SIGN, CRL_SIGN)
    keys = (authority_key(Key(f"{owner} regional")), subject_key(key))
    return Certificate(
        subject=name(*ZONE_NAME),
        key=key,
        not_before=MADE - 2 * _DAY,
        not_after=MADE + 4 * _DAY - 3 * _HOUR,
        extensions=(authority(1), *keys, usage, revocation_list("zonal")),
    )


def _instance(owner: str, instance_id: str) -> Certificate:
    key = Key(f"{owner} instance")
    keys = (subject_key(key), authority_key(Key(f"{owner} zonal")))
    return Certificate(
        subject=leaf_name(f"{instance_id}.us-east-1.vectors"),
        key=key,
        not_before=MADE - 8 * _HOUR,
        not_after=MADE + 16 * _HOUR,
        extensions=(authority(0), key_usage(KEY_CERT_SIGN), *keys),
    )


def _leaf(owner: str, module_id: str) -> Certificate:
    return Certificate(
        subject=leaf_name(f"{module_id}.us-east-1.vectors"),
        key=Key(f"{owner} leaf"),
        not_before=MADE - _HOUR,
        not_after=MADE + 2 * _HOUR + 3 * _SECOND,
        extensions=(no_authority(), key_usage(DIGITAL_SIGNATURE, NON_REPUDIATION, critical=False)),
    )


def chain_for(module_id: str = MODULE_ID, owner: str = "our") -> Chain:
    """The five certificates with the windows of genuine ones around MADE; another owner has other keys."""
    instance_id = module_id.rpartition("-")[0]
    return (_root(owner), _regional(owner), _zonal(owner), _instance(owner, instance_id), _leaf(owner, module_id))


SOUND = chain_for()
STRANGERS = chain_for(owner="a stranger's")
"""The same names, other keys."""


def lasting(chain: Chain) -> Chain:
    """Below the root valid from 2025 to 2049: for documents that a verifier judges by its own clock."""
    start, end = _AGES
    return (chain[ROOT], *(replace(each, not_before=start, not_after=end) for each in chain[REGIONAL:]))


def with_changed(position: int, /, chain: Chain = SOUND, **changes: object) -> Chain:
    """The chain in which the certificate at ``position`` says something else."""
    return (*chain[:position], replace(chain[position], **changes), *chain[position + 1 :])  # type: ignore[arg-type]  # its own fields


def instead(position: int, oid: str, /, *others: Extension, chain: Chain = SOUND) -> Chain:
    """The chain in which one extension of the certificate at ``position`` makes room for others, or for none."""
    extensions = chain[position].extensions
    at = [each.oid for each in extensions].index(oid)
    return with_changed(position, chain, extensions=(*extensions[:at], *others, *extensions[at + 1 :]))


def beside(position: int, /, *others: Extension) -> Chain:
    """The sound chain in which the certificate at ``position`` has further extensions."""
    return with_changed(position, extensions=(*SOUND[position].extensions, *others))


def relinked(chain: Chain) -> Chain:
    """The chain with the key identifiers that belong to its keys."""
    issuers = (chain[0], *chain[:-1])
    return tuple(_identified(each, issuer.key) for each, issuer in zip(chain, issuers, strict=True))


def _identified(certificate: Certificate, issuer: Key) -> Certificate:
    fresh = {each.oid: each for each in (subject_key(certificate.key), authority_key(issuer))}
    return replace(certificate, extensions=tuple(fresh.get(each.oid, each) for each in certificate.extensions))


@cache
def issue(chain: Chain) -> Issued:
    """Sign each certificate by the one before it, the first by itself."""
    issuers = (chain[0], *chain[:-1])
    ders = tuple(each.issued_by(issuer) for each, issuer in zip(chain, issuers, strict=True))
    return Issued(ders, chain[-1].key)


def padded(position: int, length: int) -> Chain:
    """The sound chain in which the DER at ``position`` is ``length`` bytes long, by an extension that nobody knows."""
    room = length - len(issue(SOUND).certificates[position]) - _EXTENSION_HEADS
    filled = beside(position, unheard_of(critical=False, length=room))
    for serial in count(1 << 126):  # signatures are not all equally long
        chain = with_changed(position, filled, serial=serial)
        if len(issue(chain).certificates[position]) == length:
            return chain
    raise AssertionError("counting ends never")


def with_short_number(position: int) -> Chain:
    """The sound chain in which r or s of the signature at ``position`` takes fewer than 48 bytes in DER."""
    for serial in count(1 << 126):
        chain = with_changed(position, serial=serial)
        if min(chain[position].signature_by(chain[position - 1])).bit_length() < 376:
            return chain
    raise AssertionError("counting ends never")
