"""The table of instance types, held against what AWS answers of them."""

import gzip
import json
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from parent.lifecycle.errors import UnknownInstanceType
from parent.lifecycle.instances import Instance

KINDS, GENERATIONS = "cmr", ("6i", "7i", "8i", "6g", "7g", "8g")
SIZES = ("xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """DescribeInstanceTypes, as moto keeps it, by type; found without importing moto, which takes a second."""
    spec = find_spec("moto")
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / "ec2" / "resources" / "instance_types.json.gz"
    types: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    return types


def test_every_type_of_the_table_is_as_aws_describes_it(described: dict[str, Any]) -> None:
    for kind, generation, size in product(KINDS, GENERATIONS, SIZES):
        name = f"{kind}{generation}.{size}"
        says = described[name]
        cpus, memory_mib = says["VCpuInfo"], says["MemoryInfo"]["SizeInMiB"]
        expected = Instance(cpus["DefaultVCpus"], memory_mib, cpus["DefaultThreadsPerCore"])
        assert Instance.of_type(name) == expected, name
        assert says["NitroEnclavesSupport"] == "supported", name


def test_an_example() -> None:
    assert Instance.of_type("r7g.2xlarge") == Instance(vcpus=8, memory_mib=64 << 10, threads_per_core=1)


@pytest.mark.parametrize(
    "name", ["", "m7i.large", "m7i.3xlarge", "t3.xlarge", "m7i.xlarge ", "m7i", "M7I.xlarge", "m5.xlarge", "m7a.xlarge"]
)
def test_other_types_are_told_what_to_give(name: str) -> None:
    with pytest.raises(UnknownInstanceType, match="--vcpus, --instance-memory-mib"):
        Instance.of_type(name)
