"""The CycloneDX document (JSON, specification 1.6): the image, our measured modules, the wheels beside them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
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

from deploy.release.errors import ReleaseError
from deploy.release.wheels import Wheel

_LICENCES = LicenseFactory()
_DECLARED = LicenseAcknowledgement.DECLARED
_NO_SERIAL = uuid.UUID(int=0)


def document(wheels: Sequence[Wheel], version: str, measured_sha384: bytes, at: datetime | None) -> str:
    """The document's text, valid by the specification's strict schema; without a time if `at` is None.

    Its serial number is a digest of everything else. Raises ReleaseError when the schema refuses it.
    """
    image = Component(type=ComponentType.CONTAINER, name="strongroom-enclave", version=version, bom_ref="image")
    modules = _modules(version, measured_sha384)
    libraries = [_library(wheel) for wheel in wheels]
    bom = Bom(components=[modules, *libraries], serial_number=_NO_SERIAL)
    bom.metadata.component = image
    bom.metadata.timestamp = at  # None leaves it out, as the specification allows
    bom.register_dependency(image, [modules, *libraries])
    bom.serial_number = uuid.uuid5(_NO_SERIAL, _text(bom))
    return _valid(_text(bom) + "\n")


def _modules(version: str, measured_sha384: bytes) -> Component:
    return Component(
        type=ComponentType.APPLICATION,
        name="strongroom",
        version=version,
        bom_ref="strongroom",
        description="The measured modules of Strongroom; the hash is over their paths and contents",
        hashes=[HashType(alg=HashAlgorithm.SHA_384, content=measured_sha384.hex())],
        licenses=[_LICENCES.make_with_id("Apache-2.0", acknowledgement=_DECLARED)],
    )


def _library(wheel: Wheel) -> Component:
    purl = PackageURL("pypi", name=wheel.name, version=wheel.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=wheel.name,
        version=wheel.version,
        bom_ref=str(purl),
        purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)],
        licenses=_licences(wheel),
        properties=[Property(name="strongroom:wheel", value=wheel.file_name)],
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


def _text(bom: Bom) -> str:
    text: str = JsonV1Dot6(bom).output_as_string(indent=2)
    return text


def _valid(text: str) -> str:
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ReleaseError(f"SBOM: expected what the schema of CycloneDX 1.6 allows, got another document: {error}")
    return text
