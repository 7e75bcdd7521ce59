"""The arithmetic of memory and CPUs."""

import pytest

from parent.lifecycle.errors import DoesNotFit
from parent.lifecycle.instances import Instance
from parent.lifecycle.plan import Needs, check_fits, require_memory, size

MIB = 1 << 20
M7I_XLARGE = Instance(4, 16384)
NEEDS = Needs(eif_bytes=100 * MIB, unpacked_bytes=300 * MIB, models_bytes=1000 * MIB, requests_bytes=80 * MIB)


def test_the_sum_is_that_of_its_lines_and_one_part_in_64() -> None:
    sized = size(NEEDS, enclaves=1)
    summed = 100 + 300 + 1000 + 80 + 512
    assert [line.mib for line in sized.lines] == [100, 300, 1000, 80, 512, 32, 400, 2024]
    assert sized.memory_mib == summed + 32  # 1992 / 64 = 31.1, and 2024 is even
    assert (sized.total_memory_mib, sized.total_cpus) == (2024, 2)


def test_of_several_enclaves_each_takes_whole_gib() -> None:
    assert [size(NEEDS, enclaves=count).memory_mib for count in (1, 2, 4)] == [2024, 2048, 2048]


def test_four_times_the_eif_is_the_least() -> None:
    small = Needs(1000 * MIB + 1, 0, 0, 0)
    assert size(small, enclaves=1).memory_mib == 4004


def test_less_is_refused_with_what_would_do() -> None:
    require_memory(4001, 1000 * MIB + 1)
    with pytest.raises(DoesNotFit, match=r"^memory: expected at least 4001 MiB, 4 x the EIF, got 4000 MiB$"):
        require_memory(4000, 1000 * MIB + 1)
    require_memory(4000, 1000 * MIB)


def test_an_odd_sum_fills_its_huge_page() -> None:
    assert size(Needs(0, 0, 0, 0), enclaves=1).memory_mib == 520  # 512 and 8
    assert size(Needs(0, MIB, 0, 0), enclaves=1).memory_mib == 522  # 513 and 9


def test_what_fits_says_what_is_left() -> None:
    cpus, memory = check_fits(size(NEEDS, enclaves=1), M7I_XLARGE)
    assert cpus == "CPUs: 1 x 2 CPUs; the parent keeps 2 of 4"
    assert memory == "memory: 1 x 2024 MiB; the parent keeps 14360 MiB of 16384"


@pytest.mark.parametrize(
    ("enclaves", "cpus", "instance", "line"),
    [
        (2, 2, M7I_XLARGE, r"CPUs: expected at most 2 for enclaves .* got 2 x 2 CPUs"),
        (1, 3, Instance(8, 16384), "CPUs: expected full cores, a multiple of 2 for each enclave, got 3"),
        (1, 2, Instance(4, 4000), r"memory: expected at most 1952 MiB for enclaves .* got 1 x 2024 MiB"),
        (4, 2, Instance(64, 10000), r"got 4 x 2048 MiB = 8192 MiB"),
    ],
)
def test_what_does_not_fit_is_the_line_that_does_not(enclaves: int, cpus: int, instance: Instance, line: str) -> None:
    with pytest.raises(DoesNotFit, match=line):
        check_fits(size(NEEDS, enclaves=enclaves, cpus=cpus), instance)


def test_where_a_vcpu_is_a_core_an_odd_number_will_do() -> None:
    check_fits(size(NEEDS, enclaves=1, cpus=3), Instance(4, 16384, threads_per_core=1))
