"""Rules 20, 21 and, for issuers, 22: which certificates the cabundle holds, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.attestation.vectors.case import Case, accepted, rejected, under
from tests.attestation.vectors.certificates import name
from tests.attestation.vectors.chains import (
    INSTANCE,
    INSTANCE_ID,
    LEAF,
    ROOT,
    SOUND,
    STRANGERS,
    ZONAL,
    ZONE_NAME,
    Chain,
    chain_for,
    issue,
    leaf_name,
    relinked,
    with_changed,
)
from tests.attestation.vectors.der import PRINTABLE_STRING
from tests.attestation.vectors.documents import document
from tests.attestation.vectors.extensions import authority
from tests.attestation.vectors.keys import Key

_ROOT, _REGIONAL, _ZONAL, _INSTANCE, _LEAF = issue(SOUND).certificates
_THEIRS = issue(STRANGERS).certificates
_SUBJECT = f"{INSTANCE_ID}.us-east-1.vectors"


def cases() -> Iterator[Case]:
    """All of this module's."""
    yield from _depths()
    yield from _anchors()
    yield from _first()
    yield from _twice()
    yield from _links()
    yield from _issuer_names()


def _holding(code: str, slug: str, title: str, bundle: list[bytes], *rows: int) -> Case:
    """A document whose cabundle holds other certificates."""
    return rejected(code, slug, title, document(cabundle=bundle), *rows)


def _deeper(more: int) -> Chain:
    """The sound chain with ``more`` authorities between the zonal one and the instance's, and room for them."""
    names = [leaf_name(f"further-{number}.us-east-1.vectors") for number in range(more)]
    further = [replace(SOUND[ZONAL], subject=each, key=Key(f"our further {each.hex()}")) for each in names]
    chain = [*SOUND[:INSTANCE], *further, *SOUND[INSTANCE:]]
    for below, position in enumerate(range(len(chain) - 2, ROOT, -1)):
        _, *others = chain[position].extensions
        chain[position] = replace(chain[position], extensions=(authority(below), *others))
    return relinked(tuple(chain))


def _depths() -> Iterator[Case]:
    yield accepted(18, "cabundle-of-8", "eight authorities", document(_deeper(4)))
    yield under("cabundle", "cabundle-of-9", "nine authorities", _deeper(5), 39)


def _anchors() -> Iterator[Case]:
    aws = ("--archived", "--any-measurement")
    title = "under the vectors' root, judged by the AWS root"
    yield rejected("trust-anchor", "own-root", title, document(), arguments=aws)
    ours = (*aws, "--trust-anchor", "../root.pem")
    title = "the vectors' root given, but no simulated one allowed"
    yield rejected("simulated-anchor", "own-root-not-allowed", title, document(), arguments=ours)
    theirs = (*aws, "--trust-anchor", "../stranger.pem", "--allow-simulated")
    title = "judged by a stranger's root of the same name"
    yield rejected("trust-anchor", "other-anchor", title, document(), arguments=theirs)


def _first() -> Iterator[Case]:
    code = "trust-anchor"
    yield _holding(code, "cabundle-reversed", "the root last", [_INSTANCE, _ZONAL, _REGIONAL, _ROOT], 40)
    yield _holding(code, "cabundle-without-root", "no root", [_REGIONAL, _ZONAL, _INSTANCE], 41)
    other = replace(SOUND[ROOT], serial=4711)
    twin = [other.issued_by(other), _REGIONAL, _ZONAL, _INSTANCE]
    yield _holding(code, "root-twin", "the root's name and key under another serial number", twin)
    yield under(code, "stranger", "a stranger's chain of the same names", STRANGERS, 44)
    appended = document(STRANGERS, cabundle=[*_THEIRS[:LEAF], _ROOT])
    yield rejected(code, "stranger-and-root", "a stranger's chain, the genuine root appended", appended, 45)


def _twice() -> Iterator[Case]:
    code = "duplicate-certificate"
    zonal = [_ROOT, _REGIONAL, _ZONAL, _ZONAL, _INSTANCE]
    yield _holding(code, "zonal-twice", "the zonal certificate twice", zonal, 42)
    root = [_ROOT, _ROOT, _REGIONAL, _ZONAL, _INSTANCE]
    yield _holding(code, "root-twice", "the root, which issued itself, twice", root, 42)
    leaf = [_ROOT, _REGIONAL, _ZONAL, _INSTANCE, _LEAF]
    yield _holding(code, "leaf-in-cabundle", "the leaf at the end of the cabundle as well", leaf)


def _links() -> Iterator[Case]:
    code = "issuer"
    stray = chain_for(f"{INSTANCE_ID[:-1]}1-enc01", "a stray")[INSTANCE].issued_by(SOUND[ZONAL])
    unrelated = [_ROOT, _REGIONAL, _ZONAL, stray, _INSTANCE]
    yield _holding(code, "unrelated-certificate", "another instance's certificate added", unrelated, 42)
    missing = [_ROOT, _REGIONAL, _INSTANCE]
    yield _holding(code, "no-zonal", "the zonal certificate left out", missing, 43)
    exchanged = [_ROOT, _ZONAL, _REGIONAL, _INSTANCE]
    yield _holding(code, "zonal-before-regional", "two certificates exchanged", exchanged)
    leaf = SOUND[LEAF]
    alone = with_changed(LEAF, issuer=leaf.subject, signer=leaf.key)
    yield under(code, "leaf-self-signed", "the leaf signed by itself", alone, 46)


def _issuer_names() -> Iterator[Case]:
    """Soundly signed; a library that compares what names mean would accept the last two."""
    code = "issuer"
    other = with_changed(LEAF, issuer=leaf_name(f"{_SUBJECT}.invalid"))
    yield under(code, "issuer-other-name", "the issuer under another name", other, 58)
    printable = with_changed(LEAF, issuer=leaf_name(_SUBJECT, PRINTABLE_STRING))
    yield under(code, "issuer-other-string-type", "the issuer's name in another string type", printable, 58)
    reordered = with_changed(INSTANCE, issuer=name(*reversed(ZONE_NAME)))
    yield under(code, "issuer-other-order", "the issuer's attributes in another order", reordered, 58)
