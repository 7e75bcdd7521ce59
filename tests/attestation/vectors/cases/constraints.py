"""Rules 23 to 25: what authorities and leaves may do, and which extensions they may have."""

from __future__ import annotations

from collections.abc import Iterator

from tests.attestation.vectors.case import Case, accepted, under
from tests.attestation.vectors.chains import (
    INSTANCE,
    LEAF,
    REGIONAL,
    SOUND,
    ZONAL,
    beside,
    instead,
    relinked,
    with_changed,
)
from tests.attestation.vectors.documents import document
from tests.attestation.vectors.extensions import (
    BASIC_CONSTRAINTS,
    CRL_SIGN,
    DIGITAL_SIGNATURE,
    KEY_CERT_SIGN,
    KEY_ENCIPHERMENT,
    KEY_USAGE,
    NON_REPUDIATION,
    authority,
    key_usage,
    name_constraints,
    no_authority,
    unheard_of,
)
from tests.attestation.vectors.keys import Key


def cases() -> Iterator[Case]:
    """All of this module's."""
    yield from _authorities()
    yield from _path_lengths()
    yield from _leaves()
    yield from _extensions()


def _authorities() -> Iterator[Case]:
    code = "not-an-authority"
    no = instead(ZONAL, BASIC_CONSTRAINTS, no_authority())
    yield under(code, "zonal-ca-false", "a zonal certificate that is no authority", no, 47)
    bare = instead(ZONAL, BASIC_CONSTRAINTS)
    yield under(code, "zonal-no-constraints", "a zonal certificate without BasicConstraints", bare, 47)
    lenient = instead(ZONAL, BASIC_CONSTRAINTS, authority(1, critical=False))
    yield under(code, "zonal-constraints-not-critical", "an authority's BasicConstraints not critical", lenient, 48)
    code, other = "authority-key-usage", key_usage(DIGITAL_SIGNATURE, CRL_SIGN)
    unfit = instead(ZONAL, KEY_USAGE, other)
    yield under(code, "zonal-no-cert-sign", "a zonal certificate without keyCertSign", unfit, 49)
    unfit = instead(INSTANCE, KEY_USAGE, other)
    yield under(code, "instance-no-cert-sign", "an instance certificate without keyCertSign", unfit, 49)
    bare = instead(ZONAL, KEY_USAGE)
    yield under(code, "zonal-no-key-usage", "a zonal certificate without KeyUsage", bare, 50)


def _path_lengths() -> Iterator[Case]:
    code = "path-length"
    one = instead(REGIONAL, BASIC_CONSTRAINTS, authority(1))
    yield under(code, "regional-path-length", "path length 1 above two authorities", one, 51)
    zero = instead(ZONAL, BASIC_CONSTRAINTS, authority(0))
    yield under(code, "zonal-path-length", "path length 0 above the instance's authority", zero, 51)
    roomy = instead(REGIONAL, BASIC_CONSTRAINTS, authority(3), chain=instead(ZONAL, BASIC_CONSTRAINTS, authority(2)))
    second = with_changed(INSTANCE, key=Key("our second instance"))
    chain = relinked((*roomy[:LEAF], *second[INSTANCE:]))
    yield under(code, "instance-path-length", "the instance's authority issued a further one", chain, 51)


def _leaves() -> Iterator[Case]:
    critical = instead(LEAF, KEY_USAGE, key_usage(DIGITAL_SIGNATURE, NON_REPUDIATION))
    yield accepted(24, "leaf-usage-critical", "the leaf's KeyUsage critical", document(critical))
    code = "leaf-is-authority"
    ca = instead(LEAF, BASIC_CONSTRAINTS, authority(None))
    yield under(code, "leaf-is-ca", "a leaf that is an authority", ca, 52)
    last = instead(LEAF, BASIC_CONSTRAINTS, authority(0))
    yield under(code, "leaf-is-ca-path-length-0", "a leaf that is an authority of path length 0", last, 52)
    yield under(code, "signed-by-instance", "the instance's authority stands as the leaf", SOUND[:LEAF], 54)
    code = "leaf-key-usage"
    other = instead(LEAF, KEY_USAGE, key_usage(NON_REPUDIATION, KEY_ENCIPHERMENT, critical=False))
    yield under(code, "leaf-no-digital-signature", "a leaf without digitalSignature", other, 53)
    yield under(code, "leaf-no-key-usage", "a leaf without KeyUsage", instead(LEAF, KEY_USAGE), 50)


def _extensions() -> Iterator[Case]:
    unknown, critical = unheard_of(critical=False), unheard_of(critical=True)
    yield accepted(25, "leaf-unknown-extension", "an unknown uncritical extension", document(beside(LEAF, unknown)))
    code = "extension"
    yield under(code, "leaf-unknown-critical", "an unknown critical extension in the leaf", beside(LEAF, critical), 55)
    zonal = beside(ZONAL, critical)
    yield under(code, "zonal-unknown-critical", "an unknown critical extension in an authority", zonal, 55)
    yield under(code, "name-constraints", "name constraints, not critical", beside(ZONAL, name_constraints()))
    twice = beside(LEAF, key_usage(KEY_CERT_SIGN))
    yield under(code, "leaf-usage-twice", "KeyUsage twice, with different bits", twice)
