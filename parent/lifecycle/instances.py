"""vCPUs and memory of common instance types, for planning without the instance at hand.

A rule for these families: memory grows with the vCPUs, and a vCPU is a thread on Intel's processors and a core on
Graviton (Amazon EC2 User Guide, "CPU options for Amazon EC2 instances"). A test holds every type against AWS's own
answer to DescribeInstanceTypes, as moto 5.2.5 keeps it (moto/ec2/resources/instance_types.json.gz), which also says
that each supports enclaves. Sizes below xlarge have no room for one of two vCPUs. What an instance says of itself
(lscpu, /proc/meminfo) goes before it.
"""

import re
from dataclasses import dataclass
from typing import Self

from parent.lifecycle.errors import UnknownInstanceType

_GIB_PER_VCPU = {"c": 2, "m": 4, "r": 8}
_THREADS_PER_CORE = {"6i": 2, "7i": 2, "8i": 2, "6g": 1, "7g": 1, "8g": 1}
_VCPUS = {"xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32, "12xlarge": 48, "16xlarge": 64}
_TYPE = re.compile(r"([cmr])([678][gi])\.([0-9]*xlarge)")


@dataclass(frozen=True)
class Instance:
    """What an instance offers; `threads_per_core` is 1 where a vCPU is a core."""

    vcpus: int
    memory_mib: int
    threads_per_core: int = 2

    @classmethod
    def of_type(cls, name: str) -> Self:
        """An instance type of the table; raise UnknownInstanceType."""
        match = _TYPE.fullmatch(name)
        if match is None or match[3] not in _VCPUS:
            known = f"{{c,m,r}}{{{','.join(_THREADS_PER_CORE)}}}.{{{','.join(_VCPUS)}}}"
            raise UnknownInstanceType(
                f"instance type: expected one of {known}, got {name!r}; "
                "of any other give --vcpus, --instance-memory-mib and --threads-per-core"
            )
        vcpus = _VCPUS[match[3]]
        return cls(vcpus, vcpus * _GIB_PER_VCPU[match[1]] << 10, _THREADS_PER_CORE[match[2]])
