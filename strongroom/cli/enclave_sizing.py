"""How much memory and how many CPUs: the options that `plan` and `run` share, and the sum that they make."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from strongroom.cli.failures import CommandFailed
from strongroom.cli.files import read_bounded

if TYPE_CHECKING:
    from parent.lifecycle.image import Image
    from parent.lifecycle.plan import Needs
    from strongroom.protocol.catalogue import ModelManifest
    from strongroom.protocol.configuration import Limits

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

eif_option = click.option("--eif", type=FILE, required=True, help="The enclave image file.")
enclaves_option = click.option(
    "--enclaves", type=click.IntRange(1, 4), default=1, show_default=True, help="Behind the one gateway."
)
_OPTIONS = (
    click.option("--model", "models", type=FOLDER, multiple=True, help="A package that it will serve; repeat."),
    click.option("--configuration", type=FILE, help="The deployment configuration: its limits, not the defaults."),
    enclaves_option,
    click.option("--cpus", type=click.IntRange(2, 512), default=2, show_default=True, help="Of each enclave."),
)


def sizing_options(command: F) -> F:
    """Add what the sum is made of."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def needs_of(image: "Image", models: Sequence[Path], configuration: Path | None) -> "Needs":
    """What one enclave holds. With a configuration its models may take what that allows, and take turns within it."""
    from parent.lifecycle.plan import Needs
    from strongroom.models.memory import memory_of_all, require_each_fits

    limits, manifests = _limits(configuration), manifests_of(models)
    models_bytes = memory_of_all(manifests)
    if configuration is not None or not models:
        models_bytes = limits.model_memory_mib << 20
        require_each_fits(manifests, models_bytes)
    connections = 4 * limits.max_in_flight + 16  # as enclave.server allows
    return Needs(image.file_bytes, image.unpacked_bytes, models_bytes, connections * limits.max_body_bytes)


def manifests_of(packages: Sequence[Path]) -> "list[ModelManifest]":
    """Of packages that one enclave serves. Raises CommandFailed when two are of one model, and what reading raises."""
    manifests = [_manifest(package) for package in packages]
    if twice := {each.id for each in manifests if sum(each.id == other.id for other in manifests) > 1}:
        raise CommandFailed("model-twice", f"models: expected each id once, got {', '.join(sorted(twice))} twice", 2)
    return manifests


def _limits(configuration: Path | None) -> "Limits":
    from strongroom.protocol.configuration import DeploymentConfiguration, Limits
    from strongroom.protocol.constants import MAX_CONFIGURATION_BYTES

    if configuration is None:
        return Limits()
    return DeploymentConfiguration.from_bytes(read_bounded(configuration, MAX_CONFIGURATION_BYTES)).limits


def _manifest(package: Path) -> "ModelManifest":
    from strongroom.models.package import MANIFEST
    from strongroom.protocol.catalogue import ModelManifest
    from strongroom.protocol.constants import MAX_MANIFEST_BYTES

    return ModelManifest.from_bytes(read_bounded(package / MANIFEST, MAX_MANIFEST_BYTES))
