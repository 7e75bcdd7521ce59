"""What models take of an enclave's memory, by the enclave's own estimate from their manifests."""

from collections.abc import Sequence

from enclave.engine.capacity import Capacity
from enclave.engine.footprint import footprint
from strongroom.models.errors import PackageInvalid
from strongroom.protocol.catalogue import ModelManifest


def memory_of_all(manifests: Sequence[ModelManifest]) -> int:
    """Bytes that they take together when each is loaded, the one that needs most room on its way in as the last."""
    estimates = [footprint(manifest, Capacity()) for manifest in manifests]
    on_the_way = max((each.loading_bytes - each.resident_bytes for each in estimates), default=0)
    return sum(each.resident_bytes for each in estimates) + on_the_way


def require_each_fits(manifests: Sequence[ModelManifest], budget_bytes: int) -> None:
    """Raise PackageInvalid for a model that would not fit even alone: it would end the boot."""
    for manifest in manifests:
        needed_bytes = memory_of_all([manifest])
        if needed_bytes > budget_bytes:
            raise PackageInvalid(
                f"{manifest.id}: expected to need at most the configuration's model_memory_mib of "
                f"{budget_bytes >> 20}, got {-(-needed_bytes >> 20)}"
            )
