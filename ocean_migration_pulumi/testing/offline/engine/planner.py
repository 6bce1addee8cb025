"""Plans the operations for each resource that a program registers, like the real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ocean_migration_pulumi.testing.offline.engine.actions import Action, Goal
from ocean_migration_pulumi.testing.offline.engine.events import EventRecorder
from ocean_migration_pulumi.testing.offline.plugin.providers import Difference, Provider, ResourceTarget
from ocean_migration_pulumi.testing.offline.state.state import StateResource, group_deletions
from ocean_migration_pulumi.testing.offline.state.values import (
    UNKNOWN,
    Properties,
    find_changed_keys,
    is_secret,
    restore_ignored,
    reveal,
)


class RegistrationRefused(Exception):
    """A registration cannot be carried out.

    Args:
        message: The reason.
        reported: Whether the reason has already been recorded as diagnostics.
    """

    def __init__(self, message: str, *, reported: bool = False) -> None:
        self.reported = reported
        super().__init__(message)


class Planner:
    """Plans an update: a list of actions for each registration, and the deletions at the end.

    Not thread-safe: like the engine, it plans one resource after the other.

    Args:
        base: The resources before the update.
        get_provider: Returns the provider of a resource, `None` when it has none.
        recorder: Receives the errors of invalid inputs.
    """

    def __init__(
        self,
        base: Iterable[StateResource],
        get_provider: Callable[[StateResource], Provider | None],
        recorder: EventRecorder,
    ) -> None:
        self._base = list(base)
        self._olds = {resource.urn: resource for resource in self._base if not resource.delete}
        self._get_provider = get_provider
        self._recorder = recorder
        self._registered: set[str] = set()
        self._former: dict[str, str] = {}
        self._recreating: set[str] = set()
        self._replaced: set[str] = set()

    def find_old(self, urn: str, aliases: Iterable[str] = ()) -> StateResource | None:
        """Return the resource that the state has under the URN or an alias, `None` when it has none."""
        return next((self._olds[candidate] for candidate in (urn, *aliases) if candidate in self._olds), None)

    def plan(self, urn: str, goal: Goal) -> list[Action]:
        """Plan a registration.

        Args:
            urn: The URN of the resource.
            goal: The registered resource.

        Returns:
            The actions in order.

        Raises:
            RegistrationRefused: The inputs are invalid, the URN is registered twice, or a protected resource would be
                replaced.
        """
        if urn in self._registered:
            msg = f"Duplicate resource URN '{urn}'; try giving it a unique name"
            raise RegistrationRefused(msg)
        self._registered.add(urn)
        old = self.find_old(urn, self._inherit_aliases(goal))
        if old is not None:
            self._registered.add(old.urn)
            if old.urn != urn:
                self._former[urn] = old.urn
        new = _new_resource(urn, goal, old)
        provider = self._get_provider(new)
        recreating = urn in self._recreating
        kept = old if old is not None and not recreating and not old.external else None
        if provider is not None:
            news = restore_ignored(goal.inputs, old.inputs, goal.ignore_changes) if old else goal.inputs
            new.inputs = self._check_inputs(provider, new, kept, news)
        elif kept is not None:
            new.inputs = restore_ignored(goal.inputs, kept.inputs, goal.ignore_changes)
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
        return self._plan_changes(goal, old, new, provider)

    def _inherit_aliases(self, goal: Goal) -> list[str]:
        """Return the aliases of a resource, and those under a parent that was found by an alias itself.

        As in the engine, a child whose name begins with the new name of its parent had one that began with the former
        name.
        """
        former = self._former.get(goal.parent)
        if former is None:
            return goal.aliases
        parent_name = goal.parent.rpartition("::")[2]
        head, _, former_name = former.rpartition("::")
        inherited = []
        for type_, name in [(goal.type, goal.name), *map(_split_alias, goal.aliases)]:
            began = former_name + name.removeprefix(parent_name) if name.startswith(parent_name) else name
            inherited.append(f"{head}${type_}::{began}")
        return [*goal.aliases, *inherited]

    def plan_read(self, urn: str, goal: Goal, id_: str) -> list[Action]:
        """Plan to read a resource that the stack does not manage."""
        self._registered.add(urn)
        new = _new_resource(urn, goal, None)
        new.external = True
        new.id = id_
        return [Action(op="read", old=self._olds.get(urn), resource=new)]

    def plan_deletions(self) -> list[list[Action]]:
        """Plan to delete the resources that the program did not register, in groups to delete one after the other."""
        deletions = {
            resource: Action(op="delete-replaced" if resource.delete else "delete", resource=resource)
            for resource in self._base
            if resource.delete or resource.urn not in self._registered
        }
        return [[deletions[resource] for resource in group] for group in group_deletions(deletions)]

    def _check_inputs(
        self, provider: Provider, new: StateResource, old: StateResource | None, news: Properties
    ) -> Properties:
        checked = provider.check(ResourceTarget(new.urn, inputs=old.inputs if old else {}), news)
        for name, reason in checked.failures:
            problem = f"has a problem: {reason}"
            if name:
                problem = f"property {name} value {{{_format_value(news.get(name))}}} {problem}"
            text = f"{new.type} resource '{new.name}'{':' if name else ''} {problem}"
            self._recorder.record_message("error", text, new.urn)
        if checked.failures:
            msg = f"resource {new.urn} is invalid"
            raise RegistrationRefused(msg, reported=True)
        return checked.inputs

    def _plan_changes(
        self, goal: Goal, old: StateResource, new: StateResource, provider: Provider | None
    ) -> list[Action]:
        difference = self._compare(goal, old, new, provider)
        if difference.changes or old.pending_replacement:
            if difference.replaces or old.pending_replacement:
                return self._plan_replacement(goal, old, new, provider, difference)
            return [Action(op="update", old=old, resource=new, keys=difference.keys)]
        if old.init_errors:
            # A resource that is not ready is updated, even without changed inputs.
            return [Action(op="update", old=old, resource=new)]
        return [Action(op="same", old=old, resource=new)]

    def _compare(self, goal: Goal, old: StateResource, new: StateResource, provider: Provider | None) -> Difference:
        if new.deleted_with in self._replaced:
            return Difference(changes=True, replaces=["deletedWith"])
        if bool(old.provider) != bool(new.provider):
            return Difference(changes=True, replaces=["provider"])
        keys = find_changed_keys(old.inputs, new.inputs)
        if provider is None:
            return Difference(changes=bool(keys), keys=keys)
        difference = provider.diff(ResourceTarget.from_resource(old), new.inputs, goal.ignore_changes)
        if difference.changes is None:
            difference.changes = bool(keys)
        difference.keys = difference.keys or keys
        if difference.changes:
            forced = {path.partition(".")[0].partition("[")[0] for path in goal.replace_on_changes}
            difference.replaces += [key for key in difference.keys if key in forced or "*" in forced]
        return difference

    def _plan_replacement(
        self, goal: Goal, old: StateResource, new: StateResource, provider: Provider | None, difference: Difference
    ) -> list[Action]:
        if new.protect and old.protect:
            msg = (
                f'unable to replace resource "{new.urn}" as it is protected: '
                "remove its `protect` option and run the update again"
            )
            raise RegistrationRefused(msg)
        self._replaced.add(new.urn)
        if provider is not None:
            # A new resource must not have defaults that a check took from the old one.
            new.inputs = self._check_inputs(provider, new, None, goal.inputs)
        keys = difference.replaces
        delete_first = difference.delete_before_replace
        if goal.delete_before_replace is not None:
            delete_first = goal.delete_before_replace
        if not delete_first:
            return [
                Action(op="create-replacement", old=old, resource=new, keys=keys, pending=True),
                Action(op="replace", old=old, resource=new, keys=keys),
            ]
        dependents = self._find_dependents_to_replace(old)
        actions = [Action(op="delete-replaced", resource=dependent, pending=True) for dependent in reversed(dependents)]
        self._recreating.update(dependent.urn for dependent in dependents)
        if not old.pending_replacement:
            actions.append(Action(op="delete-replaced", resource=old, pending=True))
        actions.append(Action(op="replace", old=old, resource=new, keys=keys))
        actions.append(Action(op="create-replacement", old=old, resource=new, keys=keys))
        return actions

    def _find_dependents_to_replace(self, root: StateResource) -> list[StateResource]:
        """Return the dependents to delete before `root`, because losing its outputs forces their replacement."""
        replaced = {root.urn}
        dependents = []
        for resource in self._base:
            ineligible = not resource.custom or resource.external or resource.is_provider or resource.delete
            if ineligible or resource.urn in self._registered:
                continue
            lost = {key for key, urns in resource.property_dependencies.items() if replaced.intersection(urns)}
            replaces = resource.deleted_with in replaced
            if lost and not replaces:
                replaces = self._is_replaced_without(resource, lost)
            if replaces:
                if resource.protect:
                    msg = (
                        f'unable to replace resource "{resource.urn}", which depends on "{root.urn}", '
                        "as it is protected"
                    )
                    raise RegistrationRefused(msg)
                replaced.add(resource.urn)
                dependents.append(resource)
        return dependents

    def _is_replaced_without(self, resource: StateResource, lost: set[str]) -> bool:
        """Return whether unknown values of the lost inputs force a replacement."""
        provider = self._get_provider(resource)
        if provider is None:
            return False
        news = {key: UNKNOWN if key in lost else value for key, value in resource.inputs.items()}
        return bool(provider.diff(ResourceTarget.from_resource(resource), news, resource.ignore_changes).replaces)


def _split_alias(urn: str) -> tuple[str, str]:
    """Return the type, without those of its parents, and the name of a URN."""
    _, _, qualified, name = urn.split("::", 3)
    return qualified.rpartition("$")[2], name


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


def _format_value(value: Any) -> str:
    """Format a value as in the engine's message about an invalid input."""
    if is_secret(value):
        return "[secret]"
    value = reveal(value)
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + " ".join(f"{{{_format_value(item)}}}" for item in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{{{_format_value(value[key])}}}" for key in sorted(value)) + "]"
    return str(value)
