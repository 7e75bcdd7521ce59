"""Rules 27 and 28, and what genuine certificates have or lack: revocation lists, key identifiers, common names."""

from __future__ import annotations

from collections.abc import Iterator

from tests.attestation.vectors.case import Case, accepted, under
from tests.attestation.vectors.certificates import COMMON_NAME, name
from tests.attestation.vectors.chains import (
    INSTANCE,
    INSTANCE_ID,
    LEAF,
    MODULE_ID,
    REGIONAL,
    ROOT,
    SOUND,
    ZONAL,
    Chain,
    instead,
    leaf_name,
    with_changed,
)
from tests.attestation.vectors.documents import document
from tests.attestation.vectors.extensions import REVOCATION_LIST


def cases() -> Iterator[Case]:
    """All of this module's."""
    yield from _optional()
    yield from _common_names()


def _optional() -> Iterator[Case]:
    yield accepted(27, "revocation-list-named", "revocation lists named that nobody can fetch", document())
    bare = instead(ZONAL, REVOCATION_LIST, chain=instead(REGIONAL, REVOCATION_LIST))
    yield accepted(27, "no-revocation-list", "no revocation list named", document(bare))
    without = with_changed(INSTANCE, extensions=SOUND[INSTANCE].extensions[:2])
    title = "an instance certificate without key identifiers, like the older ones"
    yield accepted(25, "no-key-identifiers", title, document(without))


def _leaf_called(common_name: str) -> Chain:
    return with_changed(LEAF, subject=leaf_name(f"{common_name}.us-east-1.vectors"))


def _common_names() -> Iterator[Case]:
    code = "common-name"
    other = _leaf_called(f"{MODULE_ID[:-1]}0")
    yield under(code, "leaf-of-another-module", "the leaf of another enclave of the instance", other, 30)
    longer = _leaf_called(f"{MODULE_ID}0")
    yield under(code, "leaf-name-longer", "the leaf's name goes on where the module id ends", longer, 30)
    instance = with_changed(INSTANCE, subject=leaf_name(f"{INSTANCE_ID[:-1]}1.us-east-1.vectors"))
    yield under(code, "other-instance", "another instance's authority issued the leaf", instance)
    both = name((COMMON_NAME, f"{MODULE_ID}.us-east-1.vectors"), (COMMON_NAME, "another"))
    yield under(code, "leaf-with-two-names", "a leaf of two common names", with_changed(LEAF, subject=both))
    yield under(code, "leaf-under-root", "the leaf issued by the root itself", (SOUND[ROOT], SOUND[LEAF]))
    instance = with_changed(INSTANCE, subject=leaf_name(f"{INSTANCE_ID}0.us-east-1.vectors"))
    yield under(code, "instance-name-longer", "the issuer's name goes on where the instance id ends", instance)
