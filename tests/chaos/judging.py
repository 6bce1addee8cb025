"""Whether what a command has said is true: judged by the world of the simulator, not by what the package saw.

Of the outputs only the claims are read: that a migration has succeeded, which nodes it names as unverified or as nodes
that need manual migration, and why nodes remain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ocean_migration_pulumi.migration.state.evidence import OutcomeReason
from tests.chaos.schedule import Command, LieKind, Schedule
from tests.chaos.service import Service
from tests.chaos.stories import Story
from tests.scenarios.driver import Driver

_STAYING: Final = frozenset({"DaemonSet", "Node"})
_NOTHING_CLAIMED: Final[Mapping[str, Any]] = {"manual_nodes": [], "manual_pods": []}
_ENDED: Final = frozenset({"Succeeded", "Failed"})
_CUT_SHORT: Final = frozenset({"STOPPED", "FINISHED_ERROR"})


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is true at one moment."""

    nodes: Mapping[str, Mapping[str, Any]]
    """Every node by its instance id."""
    migrations: Sequence[Mapping[str, Any]]
    """Every migration, oldest first."""

    @classmethod
    def observe(cls, service: Service) -> World:
        """Return the world of a simulator."""
        nodes = service.control.nodes(service.ocean_id)
        return cls(
            nodes={node["instance_id"]: node for node in nodes},
            migrations=service.control.migrations(service.ocean_id),
        )

    def pods(self, instance_id: str) -> set[str]:
        """Return the names of the pods on a node that a drain evicts."""
        node = self.nodes.get(instance_id)
        if node is None or node["terminated"]:
            return set()
        return {pod["name"] for pod in node["pods"] if pod["controller"] not in _STAYING and pod["phase"] not in _ENDED}

    def is_free(self, instance_id: str, at: float) -> bool:
        """Return whether a node is without such pods, or gone, since a time or longer."""
        node = self.nodes.get(instance_id)
        if node is None:
            return True
        if self.pods(instance_id):
            return False
        since = [time for time in (node["drained_at"], node["terminated_at"]) if time is not None]
        return not since or min(since) <= at

    def running(self, at: float, nodes: frozenset[str] | None = None) -> list[str]:
        """Return the migrations of ours that ran at a time: those of some of these nodes, None for all."""
        return [
            each["id"]
            for each in self.migrations
            if not each["foreign"]
            and each["created_at"] <= at
            and (not each["terminal"] or each["entered_at"] > at)
            and (nodes is None or nodes & set(each["instance_ids"]))
        ]

    def is_drained(self, instance_id: str) -> bool:
        """Return whether a node exists that a migration has drained, and that is still free."""
        node = self.nodes.get(instance_id)
        exists = node is not None and not node["terminated"]
        return exists and node["drained_at"] is not None and not self.pods(instance_id)

    def find_last_migration(self, instance_id: str) -> Mapping[str, Any] | None:
        """Return the last migration, of anyone, that held a node; None when none did."""
        return next((each for each in reversed(self.migrations) if instance_id in each["instance_ids"]), None)


@dataclass(slots=True)
class Judge:
    """Judges the commands of one run."""

    driver: Driver
    """The stack."""
    service: Service
    """The simulator."""
    story: Story
    """Who plans which nodes."""
    kubernetes: bool
    """Whether the user has access to Kubernetes."""
    claims: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The last known outputs of each migration, also after its destruction."""

    def find_lies(self, command: Command, exit_code: int, at: float | None = None) -> list[str]:
        """Return what a command that has just ended claims, and the world contradicts.

        Args:
            command: The command.
            exit_code: How it ended.
            at: The simulated time at which the claims must be true; None for that of the last request.
        """
        world = World.observe(self.service)
        requests = self.service.requests(api="all")
        if at is None:
            at = max((entry["now"] for entry in requests if entry["now"] is not None), default=0.0)
        claims = {each["urn"].rpartition("::")[2]: each["outputs"] for each in self.driver.resources()}
        self.claims |= claims
        found = list(self._gates(world, requests))
        if command is Command.DESTROY and exit_code == 0:
            found += [f"destroy succeeds while {migration} runs" for migration in world.running(at)]
        for name in self.story.planned:
            outputs = claims.get(name)
            nodes = self._nodes(name)
            if outputs is not None and outputs.get("succeeded"):
                # Whoever was killed may have left the claim of an earlier program.
                planned = nodes if command is Command.UP and exit_code == 0 else nodes & set(outputs["planned_nodes"])
                found += [f"{name} has succeeded, but {text}" for text in self._success(world, planned, outputs, at)]
            elif command is Command.UP and exit_code == 0:
                found.append(f"up succeeds, but {name} does not say that it has")
        return found

    def find_needless_remedies(self, schedule: Schedule) -> list[str]:
        """Return the nodes that remain although `pulumi up` alone has to prove or migrate them, once all lies are over.

        A user who has to help must have a reason in the world: see ``_needs_remedy``.
        """
        world = World.observe(self.service)
        reasons = {
            instance_id: reason
            for each in self.driver.resources()
            if each["urn"].rpartition("::")[2] in self.story.planned
            for instance_id, reason in (each["outputs"].get("remaining_reasons") or {}).items()
        }
        if not reasons:
            return ["`up` fails, but no node remains that a remedy could help"]
        return [
            f"{instance_id} remains ({reason}), but `up` alone has to prove or migrate it"
            for instance_id, reason in sorted(reasons.items())
            if not self._needs_remedy(world, schedule, instance_id, reason)
        ]

    def _needs_remedy(self, world: World, schedule: Schedule, instance_id: str, reason: str) -> bool:
        """Return whether nothing but a remedy of the user can prove or migrate a node that remains for a reason.

        With access to Kubernetes nothing needs one: a node with pods is started again, any other is proven. Without it
        there are two cases. A migration that was stopped or failed has drained the node, so discovery does not return
        it, but Ocean counts the pods of its DaemonSets: nothing proves that it is free. Or a migration is FINISHED
        although pods are left: its nodes are not started again without other triggers.
        """
        last = world.find_last_migration(instance_id)
        if self.kubernetes or last is None:
            return False
        if reason == OutcomeReason.NOT_DRAINED:
            is_counted = schedule.count_daemonset_pods and world.is_drained(instance_id)
            return is_counted and last["state"] in _CUT_SHORT
        if reason == OutcomeReason.CONTRADICTED:
            is_told = any(lie.kind is LieKind.FINISHED_WITH_PODS for lie in schedule.lies)
            return is_told and last["state"] == "FINISHED" and any(map(world.pods, last["instance_ids"]))
        return False

    def _success(self, world: World, planned: frozenset[str], outputs: Mapping[str, Any], at: float) -> Iterator[str]:
        """Yield what is not as a migration of some nodes claims that was successful at a time."""
        for instance_id in sorted(planned):
            if not self._excused(world, instance_id, outputs, at):
                pods = ", ".join(sorted(world.pods(instance_id))) or "none now, but at that time some"
                yield f"{instance_id} has pods: {pods}"
        yield from (f"{migration} runs" for migration in world.running(at, planned))

    def _excused(self, world: World, instance_id: str, outputs: Mapping[str, Any], at: float) -> bool:
        """Return whether a node is free, or has exactly what the outputs say."""
        if world.is_free(instance_id, at):
            return True
        if instance_id in (outputs.get("unverified_nodes") or ()):
            return not self.kubernetes
        node_name = world.nodes[instance_id]["node_name"]
        named = {pod["pod"] for pod in outputs["manual_pods"] if pod["node"] == node_name}
        return instance_id in outputs["manual_nodes"] and world.pods(instance_id) <= named

    def _gates(self, world: World, requests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Yield what was wrong when a migration started that waits for another one."""
        for name, before in self.story.after.items():
            outputs = self.claims.get(before, _NOTHING_CLAIMED)
            for entry in requests:
                nodes = frozenset(entry["body"]["migration"]["instanceIds"]) if entry["effective"] else frozenset()
                if not nodes & self._nodes(name):
                    continue
                for text in self._success(world, self._nodes(before), outputs, entry["now"]):
                    yield f"{name} starts after {before}, but {text}"

    def _nodes(self, name: str) -> frozenset[str]:
        return frozenset(self.service.nodes(*self.story.planned[name]))
