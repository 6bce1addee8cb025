"""What the control verbs of all areas share."""

from __future__ import annotations

from ocean_migration_pulumi.testing.simulator.server.simulation import Simulation
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimMigration, World


class ControlBase:
    """Gives the control verbs access to a simulation.

    Each public method of a subclass is a verb, with the name that it has in ``SimulatorControl``. Keyword arguments and
    results are JSON, and a result may be an object, which becomes its attributes. A ``KeyError`` reports that something
    does not exist, a ``ValueError`` or ``TypeError`` that an argument is invalid.
    """

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    @property
    def _world(self) -> World:
        return self._simulation.world

    @property
    def _now(self) -> float:
        return self._simulation.clock.now()

    def _find_cluster(self, ocean_id: str) -> SimCluster:
        return self._world.clusters[ocean_id]

    def _find_migration(self, ocean_id: str, migration_id: str) -> tuple[SimCluster, SimMigration]:
        cluster = self._find_cluster(ocean_id)
        return cluster, cluster.migrations[migration_id]
