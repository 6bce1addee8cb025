"""What an EC2 instance type has to give, and what pods ask for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ocean_migration_pulumi.testing.simulator.world.world import SimPod

GPU = "nvidia.com/gpu"
USUAL_REQUESTS = {"cpu": "250m", "memory": "256Mi"}
"""What a pod asks for of which nothing else is said."""

_MEMORY_GIB_PER_CPU = {"c": 2, "r": 8, "x": 16}
_GPUS = {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8}
_PODS = {"medium": 17, "large": 29, "xlarge": 58, "2xlarge": 58}
_RESERVED_MIB = 1192
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "": 1}


@dataclass(frozen=True, kw_only=True)
class SimInstanceType:
    """An instance type: what it has, what of it pods may use, and the architecture in Kubernetes' words."""

    cpus: int
    memory_mib: int
    gpus: int
    max_pods: int
    architecture: str

    @property
    def usable_milli_cpu(self) -> int:
        """What the kubelet leaves of the processors: it keeps 6 % of the first, 1 % of the second, and so on."""
        kept = 60 + 10 + (10 + (self.cpus - 4) * 5 // 2 if self.cpus > 2 else 0)
        return 1000 * self.cpus - kept

    @property
    def usable_memory_mib(self) -> int:
        """What the kubelet leaves of the memory."""
        return self.memory_mib - min(_RESERVED_MIB, self.memory_mib * 15 // 100)


@lru_cache(maxsize=256)
def machine(instance_type: str) -> SimInstanceType:
    """Return an instance type by its name, as far as the name tells; what it does not is that of ``m5.large``."""
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


def milli_cpu(quantity: str) -> int:
    """Return a quantity of processors, such as ``500m`` or ``2``, in thousandths."""
    return int(quantity[:-1]) if quantity.endswith("m") else round(float(quantity) * 1000)


def mebibytes(quantity: str) -> int:
    """Return a quantity of memory, such as ``512Mi`` or ``1G``, in whole MiB; raises ``ValueError``."""
    parts = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity)
    if parts is None or parts[2] not in _UNITS:
        raise ValueError(f"{quantity!r} is no quantity")
    return int(float(parts[1]) * _UNITS[parts[2]] / _UNITS["Mi"])


def requests_of(pod: SimPod) -> dict[str, str]:
    """Return what a pod asks for."""
    return USUAL_REQUESTS if pod.requests is None else pod.requests


def requested(pods: Iterable[SimPod]) -> tuple[int, int, int]:
    """Return what pods ask for together: thousandths of processors, MiB and GPUs."""
    cpu = memory = gpus = 0
    for pod in pods:
        spec = requests_of(pod)
        cpu += milli_cpu(spec.get("cpu", "0"))
        memory += mebibytes(spec.get("memory", "0"))
        gpus += int(spec.get(GPU, "0"))
    return cpu, memory, gpus
