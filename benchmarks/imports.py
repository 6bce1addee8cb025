"""What an import of the package adds to `import pulumi`, which every program and every plugin pays anyway."""

from __future__ import annotations

from benchmarks.children import python
from benchmarks.table import Row

_MODULES = {"the package's top level": "ocean_migration_pulumi", "the provider": "ocean_migration_pulumi.provider"}
_SOURCE = """
import time
begun = time.process_time()
import pulumi
known = time.process_time()
import {module}
print(time.process_time() - known, known - begun)
"""


def measure(short: bool) -> list[Row]:
    """Import in fresh processes, in turns; of each module the best counts, as the first may have to compile it.

    The short form compares with the import of pulumi: how fast the machine is and what else it does counts less so.
    """
    added: dict[str, list[float]] = {what: [] for what in _MODULES}
    pulumi: list[float] = []
    for _ in range(4 if short else 25):
        for what, module in _MODULES.items():
            one, other = map(float, python("-c", _SOURCE.format(module=module)).split())
            added[what].append(one * 1000)
            pulumi.append(other * 1000)
    note = f"CPU; import pulumi: {min(pulumi):.0f} ms"
    if short:
        return [
            Row(
                what=f"import of {what}, against that of pulumi",
                measured=min(added[what]) / min(pulumi),
                bound=bound,
                unit="times",
                note=note,
            )
            for what, bound in zip(_MODULES, (0.05, 0.35), strict=True)
        ]
    return [
        Row(what=f"import of {what}, on top of pulumi", measured=min(added[what]), bound=bound, unit="ms", note=note)
        for what, bound in zip(_MODULES, (10, 25), strict=True)
    ]
