"""Decides what is to be done for each resource that a program registers, in the order and way of the real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ocean_migration_pulumi.testing.offline.engine.events import EventRecorder
from ocean_migration_pulumi.testing.offline.plugin.providers import Difference, Provider, ResourceTarget
from ocean_migration_pulumi.testing.offline.state.state import StateResource, deletion_order
from ocean_migration_pulumi.testing.offline.state.values import (
    UNKNOWN,
    Properties,
    changed_keys,
    is_secret,
    keep_ignored,
    reveal,
)


class Refused(Exception):
    """What was registered cannot be done; the reason has been reported, or is the exception's text."""

    def __init__(self, message: str, *, reported: bool = False) -> None:
        self.reported = reported
        super().__init__(message)


@dataclass(slots=True, kw_only=True)
class Goal:
    """A resource as the program wants it. Timeouts are seconds by operation."""

    type: str
    name: str
    custom: bool
    inputs: Properties = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    protect: bool = False
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    delete_before_replace: bool | None = None
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    retain_on_delete: bool = False
    deleted_with: str = ""
    aliases: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False)
class Action:
    """One operation: it leads to `resource`, or takes it away; `old` is what was there before, if anything.

    `pending` marks a deletion whose creation is still to come, or a creation whose deletion is.
    """

    op: str
    resource: StateResource
    old: StateResource | None = None
    keys: list[str] = field(default_factory=list)
    pending: bool = False

    @property
    def deletes(self) -> bool:
        """Whether the operation takes the resource away."""
        return self.op in ("delete", "delete-replaced")

    @property
    def new(self) -> StateResource | None:
        """The resource that there is afterwards."""
        return None if self.deletes else self.resource


class Planner:
    """Plans one update: a chain of actions for each registration, the deletions at the end.

    Not thread-safe: the engine, too, plans one resource after the other, whatever runs meanwhile.
    """

    def __init__(
        self,
        base: Iterable[StateResource],
        provider_of: Callable[[StateResource], Provider | None],
        recorder: EventRecorder,
    ) -> None:
        self._base = list(base)
        self._olds = {each.urn: each for each in self._base if not each.delete}
        self._provider_of = provider_of
        self._recorder = recorder
        self._seen: set[str] = set()
        self._recreating: set[str] = set()
        self._replaced: set[str] = set()

    def old(self, urn: str, aliases: Iterable[str] = ()) -> StateResource | None:
        """Return the resource of an earlier update that is registered under the URN, or under an alias."""
        return next((self._olds[each] for each in (urn, *aliases) if each in self._olds), None)

    def plan(self, urn: str, goal: Goal) -> list[Action]:
        """Return the actions for a registration, the last one of which leads to the new resource.

        Raises `Refused` for bad inputs (each reported), a URN used twice, or a protected resource to be replaced.
        """
        if urn in self._seen:
            msg = f"Duplicate resource URN '{urn}'; try giving it a unique name"
            raise Refused(msg)
        self._seen.add(urn)
        old = self.old(urn, goal.aliases)
        if old is not None:
            self._seen.add(old.urn)
        new = _new_resource(urn, goal, old)
        provider = self._provider_of(new)
        recreating = urn in self._recreating
        known = old if old is not None and not recreating and not old.external else None
        if provider is not None:
            news = keep_ignored(goal.inputs, old.inputs, goal.ignore_changes) if old else goal.inputs
            new.inputs = self._checked(provider, new, known, news)
        elif known is not None:
            new.inputs = keep_ignored(goal.inputs, known.inputs, goal.ignore_changes)
        if old is None:
            return [Action(op="create", resource=new)]
        if recreating:
            self._replaced.add(urn)
            return [
                Action(op="replace", old=old, resource=new),
                Action(op="create-replacement", old=old, resource=new),
            ]
        if old.external:
            return [
                Action(op="create-replacement", old=old, resource=new, pending=True),
                Action(op="replace", old=old, resource=new),
            ]
        return self._changed(goal, old, new, provider)

    def plan_read(self, urn: str, goal: Goal, id_: str) -> list[Action]:
        """Return the action that reads a resource which something else manages."""
        self._seen.add(urn)
        new = _new_resource(urn, goal, None)
        new.external = True
        new.id = id_
        return [Action(op="read", old=self._olds.get(urn), resource=new)]

    def deletions(self) -> list[list[Action]]:
        """Return, in groups to be done one after the other, what no program registered any more."""
        condemned = {
            each: Action(op="delete-replaced" if each.delete else "delete", resource=each)
            for each in self._base
            if each.delete or each.urn not in self._seen
        }
        return [[condemned[each] for each in group] for group in deletion_order(condemned)]

    def _checked(
        self, provider: Provider, new: StateResource, known: StateResource | None, news: Properties
    ) -> Properties:
        checked = provider.check(ResourceTarget(new.urn, inputs=known.inputs if known else {}), news)
        for name, reason in checked.failures:
            problem = f"has a problem: {reason}"
            if name:
                problem = f"property {name} value {{{_printed(news.get(name))}}} {problem}"
            text = f"{new.type} resource '{new.name}'{':' if name else ''} {problem}"
            self._recorder.say("error", text, new.urn)
        if checked.failures:
            msg = f"resource {new.urn} is invalid"
            raise Refused(msg, reported=True)
        return checked.inputs

    def _changed(self, goal: Goal, old: StateResource, new: StateResource, provider: Provider | None) -> list[Action]:
        difference = self._difference(goal, old, new, provider)
        if difference.changes or old.pending_replacement:
            if difference.replaces or old.pending_replacement:
                return self._replacement(goal, old, new, provider, difference)
            return [Action(op="update", old=old, resource=new, keys=difference.keys)]
        if old.init_errors:
            # What did not become ready is asked again, whatever its inputs say.
            return [Action(op="update", old=old, resource=new)]
        return [Action(op="same", old=old, resource=new)]

    def _difference(self, goal: Goal, old: StateResource, new: StateResource, provider: Provider | None) -> Difference:
        if new.deleted_with in self._replaced:
            return Difference(changes=True, replaces=["deletedWith"])
        if bool(old.provider) != bool(new.provider):
            return Difference(changes=True, replaces=["provider"])
        keys = changed_keys(old.inputs, new.inputs)
        if provider is None:
            return Difference(changes=bool(keys), keys=keys)
        difference = provider.diff(_target(old), new.inputs, goal.ignore_changes)
        if difference.changes is None:
            difference.changes = bool(keys)
        difference.keys = difference.keys or keys
        if difference.changes:
            forced = {path.partition(".")[0].partition("[")[0] for path in goal.replace_on_changes}
            difference.replaces += [key for key in difference.keys if key in forced or "*" in forced]
        return difference

    def _replacement(
        self, goal: Goal, old: StateResource, new: StateResource, provider: Provider | None, difference: Difference
    ) -> list[Action]:
        if new.protect and old.protect:
            msg = (
                f'unable to replace resource "{new.urn}" as it is protected: '
                "remove its `protect` option and run the update again"
            )
            raise Refused(msg)
        self._replaced.add(new.urn)
        if provider is not None:
            # Defaults that were carried over from the old resource are not the new one's.
            new.inputs = self._checked(provider, new, None, goal.inputs)
        keys = difference.replaces
        first = difference.delete_before_replace
        if goal.delete_before_replace is not None:
            first = goal.delete_before_replace
        if not first:
            return [
                Action(op="create-replacement", old=old, resource=new, keys=keys, pending=True),
                Action(op="replace", old=old, resource=new, keys=keys),
            ]
        dependents = self._dependents_to_replace(old)
        actions = [Action(op="delete-replaced", resource=each, pending=True) for each in reversed(dependents)]
        self._recreating.update(each.urn for each in dependents)
        if not old.pending_replacement:
            actions.append(Action(op="delete-replaced", resource=old, pending=True))
        actions.append(Action(op="replace", old=old, resource=new, keys=keys))
        actions.append(Action(op="create-replacement", old=old, resource=new, keys=keys))
        return actions

    def _dependents_to_replace(self, root: StateResource) -> list[StateResource]:
        """Return what must be deleted before `root` is, because its inputs come from it and force a replacement."""
        replaced = {root.urn}
        found = []
        for each in self._base:
            if each.urn in self._seen or not each.custom or each.external or each.is_provider or each.delete:
                continue
            lost = {key for key, urns in each.property_dependencies.items() if replaced.intersection(urns)}
            must = each.deleted_with in replaced
            if lost and not must:
                provider = self._provider_of(each)
                news = {key: UNKNOWN if key in lost else value for key, value in each.inputs.items()}
                must = provider is not None and bool(provider.diff(_target(each), news, each.ignore_changes).replaces)
            if must:
                if each.protect:
                    msg = f'unable to replace resource "{each.urn}", which depends on "{root.urn}", as it is protected'
                    raise Refused(msg)
                replaced.add(each.urn)
                found.append(each)
        return found


def _new_resource(urn: str, goal: Goal, old: StateResource | None) -> StateResource:
    return StateResource(
        urn=urn,
        type=goal.type,
        custom=goal.custom,
        inputs=goal.inputs,
        parent=goal.parent,
        protect=goal.protect,
        dependencies=goal.dependencies,
        provider=goal.provider,
        property_dependencies=goal.property_dependencies,
        additional_secret_outputs=goal.additional_secret_outputs,
        custom_timeouts=goal.custom_timeouts,
        retain_on_delete=goal.retain_on_delete,
        deleted_with=goal.deleted_with,
        ignore_changes=goal.ignore_changes,
        replace_on_changes=goal.replace_on_changes,
        created=old.created if old else "",
        modified=old.modified if old else "",
    )


def _target(resource: StateResource) -> ResourceTarget:
    return ResourceTarget(resource.urn, resource.id, resource.inputs, resource.outputs)


def _printed(value: Any) -> str:
    """Print a value as the engine's message about bad input does."""
    if is_secret(value):
        return "[secret]"
    value = reveal(value)
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + " ".join(f"{{{_printed(item)}}}" for item in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{{{_printed(value[key])}}}" for key in sorted(value)) + "]"
    return str(value)
