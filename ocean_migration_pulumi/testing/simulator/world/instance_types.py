"""EC2 instance types: their capacity, and the resource requests of pods."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ocean_migration_pulumi.testing.simulator.world.pods import SimPod

GPU = "nvidia.com/gpu"
DEFAULT_REQUESTS = {"cpu": "250m", "memory": "256Mi"}
"""The resource requests of a pod without any of its own."""

_MEMORY_GIB_PER_CPU = {"c": 2, "r": 8, "x": 16}
_GPUS = {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8}
_PODS = {"medium": 17, "large": 29, "xlarge": 58, "2xlarge": 58}
_RESERVED_MIB = 1192
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "": 1}


@dataclass(frozen=True, kw_only=True)
class SimInstanceType:
    """The capacity of an EC2 instance type."""

    cpus: int
    """vCPUs."""
    memory_mib: int
    """Memory in MiB."""
    gpus: int
    """GPUs."""
    max_pods: int
    """The most pods that the kubelet runs."""
    architecture: str
    """``amd64`` or ``arm64``, as in the label ``kubernetes.io/arch``."""

    @property
    def usable_milli_cpu(self) -> int:
        """Allocatable CPU in thousandths: the kubelet reserves 6 % of the first vCPU, 1 % of the second, and so on."""
        reserved = 60 + 10 + (10 + (self.cpus - 4) * 5 // 2 if self.cpus > 2 else 0)
        return 1000 * self.cpus - reserved

    @property
    def usable_memory_mib(self) -> int:
        """Allocatable memory in MiB."""
        return self.memory_mib - min(_RESERVED_MIB, self.memory_mib * 15 // 100)


@lru_cache(maxsize=256)
def get_instance_type(instance_type: str) -> SimInstanceType:
    """Derive the capacity from the name of an instance type; an unknown size is that of ``m5.large``."""
    family, _, size = instance_type.partition(".")
    times = re.fullmatch(r"(\d*)xlarge", size)
    cpus = 4 * int(times[1] or 1) if times else 2
    small = 4096 if size == "medium" else 0
    return SimInstanceType(
        cpus=cpus,
        memory_mib=small or 1024 * cpus * _MEMORY_GIB_PER_CPU.get(family[:1], 4),
        gpus=_GPUS.get(size, 1) if re.match(r"[gp]\d", family) else 0,
        max_pods=_PODS.get(size, 234),
        architecture="arm64" if re.match(r"[a-z]+\d+g", family) else "amd64",
    )


def parse_milli_cpu(quantity: str) -> int:
    """Parse a quantity of CPU, such as ``500m`` or ``2``, into thousandths."""
    return int(quantity[:-1]) if quantity.endswith("m") else round(float(quantity) * 1000)


def parse_mebibytes(quantity: str) -> int:
    """Parse a quantity of memory, such as ``512Mi`` or ``1G``, into whole MiB; raises ``ValueError``."""
    parts = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity)
    if parts is None or parts[2] not in _UNITS:
        raise ValueError(f"{quantity!r} is not a quantity")
    return int(float(parts[1]) * _UNITS[parts[2]] / _UNITS["Mi"])


def get_requests(pod: SimPod) -> dict[str, str]:
    """Return the resource requests of a pod."""
    return DEFAULT_REQUESTS if pod.requests is None else pod.requests


def sum_requests(pods: Iterable[SimPod]) -> tuple[int, int, int]:
    """Return the sum of the requests of pods: thousandths of a CPU, MiB and GPUs."""
    cpu = memory = gpus = 0
    for pod in pods:
        requests = get_requests(pod)
        cpu += parse_milli_cpu(requests.get("cpu", "0"))
        memory += parse_mebibytes(requests.get("memory", "0"))
        gpus += int(requests.get(GPU, "0"))
    return cpu, memory, gpus
