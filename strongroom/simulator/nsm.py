"""A Nitro Security Module in software, with the limits, locks and errors of the real one.

Its documents differ from AWS's in one thing: the chain ends in the simulator's root, never in AWS's.
"""

import hashlib
import itertools
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import cbor2

from attestation.measurements import extend, parent_instance_pcr4, parent_role_pcr3
from enclave.nsm.interface import (
    MAX_RANDOM_BYTES,
    MAX_REQUEST_BYTES,
    PCR_BYTES,
    PCR_COUNT,
    NSMDescription,
    NSMErrorCode,
    NSMRefused,
    PCRState,
)
from strongroom.simulator.document import attestation_document
from strongroom.simulator.pki import Signer

_FIRST_FREE_PCR = 16
_IMAGE_PCRS = frozenset({0, 1, 2, 8})
_LEAF_MARGIN_MS = 40 * 60 * 1000
"""Real leaves serve up to 8,277 of their 10,803 seconds."""


class Issuer(Protocol):
    """What the module needs of a PKI (`SimulatedPKI`)."""

    def signer(self, module_id: str, *, at_ms: int) -> Signer:
        """A fresh leaf and its bundle."""


def wall_clock_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class SoftwareNSM:
    """An `NSM` for one boot of one simulated enclave.

    `image_pcrs` holds the 48-byte values of PCRs 0, 1, 2 and, for a signed image, 8; zeros in 0 to 2 make
    a debug enclave. PCR3 follows from the parent's role (None: no role, zeros), PCR4 from its instance id.
    PCRs 0 to 15 are locked from the start, 16 to 31 are zero and free. With a `seed`, module id and random bytes
    follow from it; so, with a seeded PKI and a given clock, does every byte of every document.
    """

    def __init__(
        self,
        pki: Issuer,
        *,
        image_pcrs: Mapping[int, bytes],
        parent_role_arn: str | None,
        parent_instance_id: str,
        module_id: str | None = None,
        clock: Callable[[], int] = wall_clock_ms,
        seed: bytes | None = None,
    ) -> None:
        self._pki = pki
        self._clock = clock
        self._random = secrets.token_bytes if seed is None else _seeded(seed)
        self._module_id = module_id or f"{parent_instance_id}-enc{self._random(8).hex()}"
        self._values = _values_at_boot(image_pcrs, parent_role_arn, parent_instance_id)
        self._locked = set(range(_FIRST_FREE_PCR))
        self._signer = pki.signer(self._module_id, at_ms=clock())

    def describe_nsm(self) -> NSMDescription:
        """See `enclave.nsm.NSM`."""
        return NSMDescription(self._module_id, (1, 0, 0), PCR_COUNT, frozenset(self._locked), "SHA384")

    def describe_pcr(self, index: int) -> PCRState:
        """See `enclave.nsm.NSM`."""
        _check_index(index)
        return PCRState(index in self._locked, self._values[index])

    def extend_pcr(self, index: int, data: bytes) -> bytes:
        """See `enclave.nsm.NSM`."""
        _check_request({"ExtendPCR": {"index": index, "data": data}})
        self._check_free(index)
        self._values[index] = extend(self._values[index], data)
        return self._values[index]

    def lock_pcr(self, index: int) -> None:
        """See `enclave.nsm.NSM`."""
        self._check_free(index)
        self._locked.add(index)

    def lock_pcrs(self, range_: int) -> None:
        """See `enclave.nsm.NSM`. Locking what is locked is no error here, as in QEMU's model."""
        if not 0 <= range_ <= PCR_COUNT:
            raise NSMRefused(NSMErrorCode.INVALID_INDEX)
        self._locked.update(range(range_))

    def get_random(self) -> bytes:
        """See `enclave.nsm.NSM`."""
        return self._random(MAX_RANDOM_BYTES)

    def attest(
        self, *, user_data: bytes | None = None, nonce: bytes | None = None, public_key: bytes | None = None
    ) -> bytes:
        """See `enclave.nsm.NSM`. Raises `NSMTruncated` where the driver would cut the answer at 12 KiB."""
        at_ms = self._clock()
        signer = self._current_signer(at_ms)
        pcrs = {index: self._values[index] for index in sorted(self._locked)}
        return attestation_document(
            signer, self._module_id, at_ms, pcrs, public_key=public_key, user_data=user_data, nonce=nonce
        )

    def _current_signer(self, at_ms: int) -> Signer:
        if not self._signer.not_before_ms <= at_ms <= self._signer.not_after_ms - _LEAF_MARGIN_MS:
            self._signer = self._pki.signer(self._module_id, at_ms=at_ms)
        return self._signer

    def _check_free(self, index: int) -> None:
        _check_index(index)
        if index in self._locked:
            raise NSMRefused(NSMErrorCode.READ_ONLY_INDEX)


def _seeded(seed: bytes) -> Callable[[int], bytes]:
    counter = itertools.count()
    return lambda length: hashlib.shake_256(next(counter).to_bytes(8) + seed).digest(length)


def _values_at_boot(image_pcrs: Mapping[int, bytes], role_arn: str | None, instance_id: str) -> dict[int, bytes]:
    if not {0, 1, 2} <= set(image_pcrs) <= _IMAGE_PCRS:
        raise ValueError(f"expected PCRs 0, 1, 2 and perhaps 8 of the image, got {sorted(image_pcrs)}")
    if any(len(value) != PCR_BYTES for value in image_pcrs.values()):
        raise ValueError(f"expected PCR values of {PCR_BYTES} bytes")
    values = dict.fromkeys(range(PCR_COUNT), bytes(PCR_BYTES)) | dict(image_pcrs)
    if role_arn is not None:
        values[3] = parent_role_pcr3(role_arn)
    values[4] = parent_instance_pcr4(instance_id)
    return values


def _check_index(index: int) -> None:
    if not 0 <= index < PCR_COUNT:
        raise NSMRefused(NSMErrorCode.INVALID_INDEX)


def _check_request(request: object) -> None:
    if len(cbor2.dumps(request)) > MAX_REQUEST_BYTES:
        raise NSMRefused(NSMErrorCode.INPUT_TOO_LARGE)
