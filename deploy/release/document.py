"""The CycloneDX document (JSON, specification 1.6): the image, our measured modules, wheels and Debian's packages."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cyclonedx.contrib.license.exceptions import InvalidLicenseExpressionException, InvalidSpdxLicenseException
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from deploy.release.debs import Deb
from deploy.release.errors import ReleaseError
from deploy.release.wheels import Wheel

_LICENCES = LicenseFactory()
_DECLARED = LicenseAcknowledgement.DECLARED
_NO_SERIAL = uuid.UUID(int=0)
_NOT_IN_THE_IMAGE = "kernel and first process, which nitro-cli or a local build puts beside the image"
_SUITE = "trixie"


@dataclass(frozen=True)
class Contents:
    """What the image holds."""

    version: str
    """Of Strongroom."""
    measured_sha384: bytes
    wheels: Sequence[Wheel]
    debs: Sequence[Deb]
    unrecorded: Sequence[str]
    """Names of Debian's packages of which nothing more is known here."""


def document(contents: Contents, at: datetime | None) -> str:
    """The document's text, valid by the specification's strict schema; without a time if `at` is None.

    Its serial number is a digest of everything else. Raises ReleaseError when the schema refuses it.
    """
    image, compositions = _image(contents), _compositions(contents)
    parts = [_modules(contents), *map(_wheel, contents.wheels), *map(_deb, contents.debs)]
    bom = Bom(components=parts, serial_number=_NO_SERIAL)
    bom.metadata.component = image
    bom.metadata.timestamp = at  # None leaves it out, as the specification allows
    bom.register_dependency(image, parts)
    bom.serial_number = uuid.uuid5(_NO_SERIAL, _text(bom, compositions))
    return _valid(_text(bom, compositions))


def _image(contents: Contents) -> Component:
    left_out = [_NOT_IN_THE_IMAGE]
    if contents.unrecorded:
        left_out.append(f"Debian's packages, of which no build's record was given: {' '.join(contents.unrecorded)}")
    return Component(
        type=ComponentType.CONTAINER,
        name="strongroom-enclave",
        version=contents.version,
        bom_ref="image",
        properties=[Property(name="strongroom:left-out", value=each) for each in left_out],
    )


def _compositions(contents: Contents) -> list[dict[str, object]]:
    """How complete it is: of the image by what is left out; a wheel may hold other people's libraries, none named."""
    aggregate = "incomplete" if contents.unrecorded else "complete"
    return [
        {"aggregate": aggregate, "assemblies": ["image"], "dependencies": ["image"]},
        {"aggregate": "unknown", "assemblies": [str(_wheel_purl(wheel)) for wheel in contents.wheels]},
    ]


def _modules(contents: Contents) -> Component:
    return Component(
        type=ComponentType.APPLICATION,
        name="strongroom",
        version=contents.version,
        bom_ref="strongroom",
        description="The measured modules of Strongroom; the hash is over their paths and contents",
        hashes=[HashType(alg=HashAlgorithm.SHA_384, content=contents.measured_sha384.hex())],
        licenses=[_LICENCES.make_with_id("Apache-2.0", acknowledgement=_DECLARED)],
    )


def _wheel_purl(wheel: Wheel) -> PackageURL:
    return PackageURL("pypi", name=wheel.name, version=wheel.version)


def _wheel(wheel: Wheel) -> Component:
    return _library(_wheel_purl(wheel), wheel.sha256, ("strongroom:wheel", wheel.file_name), _licences(wheel))


def _deb(deb: Deb) -> Component:
    qualifiers = {"arch": deb.architecture, "distro": _SUITE}
    purl = PackageURL("deb", "debian", deb.name, deb.version, qualifiers)
    return _library(purl, deb.sha256, ("strongroom:deb", deb.file_name))


def _library(purl: PackageURL, sha256: str, file: tuple[str, str], licences: Sequence[License] = ()) -> Component:
    kind, name = file
    return Component(
        type=ComponentType.LIBRARY,
        name=purl.name,
        version=purl.version,
        bom_ref=str(purl),
        purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
        licenses=licences,
        properties=[Property(name=kind, value=name)],
    )


def _licences(wheel: Wheel) -> list[License]:
    """The first statement that SPDX knows; else what the package index calls it; else the words themselves."""
    for stated in wheel.stated_licences:
        for make in (_LICENCES.make_with_id, _LICENCES.make_with_expression):
            try:
                return [make(stated, acknowledgement=_DECLARED)]
            except (InvalidSpdxLicenseException, InvalidLicenseExpressionException):
                pass
    names = wheel.classified_licences or wheel.stated_licences[:1]
    return [_LICENCES.make_with_name(name, acknowledgement=_DECLARED) for name in names]


def _text(bom: Bom, compositions: list[dict[str, object]]) -> str:
    """The library has no compositions; the schema, by which all of it is judged, has."""
    content = json.loads(JsonV1Dot6(bom).output_as_string())
    return json.dumps({**content, "compositions": compositions}, indent=2) + "\n"


def _valid(text: str) -> str:
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ReleaseError(f"SBOM: expected what the schema of CycloneDX 1.6 allows, got another document: {error}")
    return text
