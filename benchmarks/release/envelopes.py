"""What requests under a data key cost: one call of KMS for the key, none for the requests after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.release.account import WrappedKey
from benchmarks.release.releases import WrongKey
from enclave.kms.data_keys import DataKeys
from strongroom.protocol.configuration import KeyEntry
from strongroom.simulator.nsm import wall_clock_ms


@dataclass(frozen=True)
class Envelopes:
    """How often the dev KMS was called during the first request of each data key, and during all later ones."""

    data_keys: int
    first_kms_calls: int
    later_requests: int
    later_kms_calls: int


async def envelopes(
    cache: DataKeys, entry: KeyEntry, keys: Sequence[WrappedKey], kms_calls: Callable[[], int], *, each: int
) -> Envelopes:
    """One request under each of ``keys``, then ``each`` more. Raises EnclaveError, and WrongKey for another key."""

    async def round_of_requests() -> None:
        for key in keys:
            if await cache.get(entry, entry.fixed_context, key.wrapped, wall_clock_ms()) != key.data_key:
                raise WrongKey

    before = kms_calls()
    await round_of_requests()
    after_first = kms_calls()
    for _ in range(each):
        await round_of_requests()
    return Envelopes(len(keys), after_first - before, each * len(keys), kms_calls() - after_first)
