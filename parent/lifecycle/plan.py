"""The arithmetic of memory and CPUs, before anything is started.

Where the numbers come from (aws-nitro-enclaves-cli 1.5.0; AWS Nitro Enclaves user guide, "Working with multiple
enclaves"):

* nitro-cli refuses an enclave with less memory than four times its EIF.
* The root file system is memory: while it boots, an enclave holds its EIF and what that unpacks to.
* nitro-cli takes huge pages, of 2 MiB and 1 GiB. The allocator service reserves the sum for all enclaves in pages as
  large as possible, so of several enclaves each takes whole GiB: a rest would not find the small pages it needs.
* An enclave gets full cores, the parent keeps one; up to four enclaves share an instance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from parent.lifecycle.errors import DoesNotFit
from parent.lifecycle.instances import Instance

MIN_CPUS = 2
EIF_RATIO = 4
_MIB = 1 << 20
_HUGE_PAGE_MIB, _GIB_MIB = 2, 1024
_SYSTEM_MIB = 512
"""Kernel, Python and its libraries, threads, requests of the usual size: docs/operations.md, "Memory for models"."""
_PAGE_TABLES = 64
"""The kernel's bookkeeping: 64 bytes for each page of 4 KiB, one part in 64."""
_PARENT_MIB = 2048
"""Operating system, gateway and proxy of the parent instance."""


@dataclass(frozen=True)
class Needs:
    """What one enclave holds in memory, in bytes."""

    eif_bytes: int
    unpacked_bytes: int
    models_bytes: int
    requests_bytes: int


@dataclass(frozen=True)
class Line:
    """One line of the sum, in MiB."""

    what: str
    mib: int


@dataclass(frozen=True)
class Size:
    """What each enclave gets, and how its memory came about."""

    memory_mib: int
    cpus: int
    enclaves: int
    lines: tuple[Line, ...]

    @property
    def total_memory_mib(self) -> int:
        """What the allocator service must reserve."""
        return self.memory_mib * self.enclaves

    @property
    def total_cpus(self) -> int:
        """Likewise."""
        return self.cpus * self.enclaves


def size(needs: Needs, *, enclaves: int, cpus: int = MIN_CPUS) -> Size:
    """What each of so many enclaves needs."""
    lines = tuple(_sum(needs))
    summed_mib = sum(line.mib for line in lines)
    summed_mib += _mib(summed_mib * _MIB // _PAGE_TABLES)
    least_mib = EIF_RATIO * _mib(needs.eif_bytes)
    unit_mib = _HUGE_PAGE_MIB if enclaves == 1 else _GIB_MIB
    closing = (
        Line("kernel's page tables, 1/64", summed_mib - sum(line.mib for line in lines)),
        Line(f"at least {EIF_RATIO} x the EIF (nitro-cli)", least_mib),
    )
    memory_mib = _rounded(max(summed_mib, least_mib), unit_mib)
    rounded = Line(f"rounded up to huge pages, {unit_mib} MiB", memory_mib)
    return Size(memory_mib, cpus, enclaves, (*lines, *closing, rounded))


def require_memory(memory_mib: int, eif_bytes: int) -> None:
    """Refuse what nitro-cli refuses, before anything is started. Raises DoesNotFit."""
    least_mib = _mib(EIF_RATIO * eif_bytes)
    if memory_mib < least_mib:
        raise DoesNotFit(f"memory: expected at least {least_mib} MiB, {EIF_RATIO} x the EIF, got {memory_mib} MiB")


def check_fits(size: Size, instance: Instance) -> Sequence[str]:
    """What the instance has left, one sentence each; raise DoesNotFit with the first line that does not fit."""
    return [_cpus_left(size, instance), _memory_left(size, instance)]


def _sum(needs: Needs) -> Iterator[Line]:
    yield Line("EIF", _mib(needs.eif_bytes))
    yield Line("root file system, unpacked", _mib(needs.unpacked_bytes))
    yield Line("models", _mib(needs.models_bytes))
    yield Line("request bodies, one a connection", _mib(needs.requests_bytes))
    yield Line("kernel, Python, libraries", _SYSTEM_MIB)


def _cpus_left(size: Size, instance: Instance) -> str:
    threads, asked = instance.threads_per_core, f"{size.enclaves} x {size.cpus} CPUs"
    if size.cpus % threads:
        raise DoesNotFit(f"CPUs: expected full cores, a multiple of {threads} for each enclave, got {size.cpus}")
    free = instance.vcpus - threads
    if size.total_cpus > free:
        raise DoesNotFit(
            f"CPUs: expected at most {free} for enclaves (the instance's {instance.vcpus}, "
            f"less one core of {threads} that the parent keeps), got {asked}"
        )
    return f"CPUs: {asked}; the parent keeps {instance.vcpus - size.total_cpus} of {instance.vcpus}"


def _memory_left(size: Size, instance: Instance) -> str:
    asked = f"{size.enclaves} x {size.memory_mib} MiB"
    free_mib = instance.memory_mib - _PARENT_MIB
    if size.total_memory_mib > free_mib:
        raise DoesNotFit(
            f"memory: expected at most {max(free_mib, 0)} MiB for enclaves (the instance's {instance.memory_mib}, "
            f"less {_PARENT_MIB} that the parent keeps), got {asked} = {size.total_memory_mib} MiB"
        )
    kept_mib = instance.memory_mib - size.total_memory_mib
    return f"memory: {asked}; the parent keeps {kept_mib} MiB of {instance.memory_mib}"


def _mib(count: int) -> int:
    return -(-count // _MIB)


def _rounded(mib: int, unit_mib: int) -> int:
    return -(-mib // unit_mib) * unit_mib
