"""The planner, without any process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ocean_migration_pulumi.testing.offline.engine.actions import Goal
from ocean_migration_pulumi.testing.offline.engine.events import EventRecorder
from ocean_migration_pulumi.testing.offline.engine.planner import Planner, RegistrationRefused
from ocean_migration_pulumi.testing.offline.plugin.mocks import MockProvider, ResourceMocks
from ocean_migration_pulumi.testing.offline.plugin.providers import CheckedInputs, Difference, ResourceTarget
from ocean_migration_pulumi.testing.offline.state.state import StateResource
from ocean_migration_pulumi.testing.offline.state.values import Properties, contains_unknown, make_secret

TYPE = "pkg:index:Thing"


class Picky(MockProvider):
    """Refuses what has a `bad` input; replaces for another `place`, deleting first."""

    def __init__(self) -> None:
        super().__init__(ResourceMocks(), "pkg")

    def check(self, target: ResourceTarget, news: Properties) -> CheckedInputs:
        """Refuse what is under `bad`."""
        return CheckedInputs(dict(news), [("bad", "no")] if "bad" in news else [])

    def diff(self, target: ResourceTarget, news: Properties, ignore_changes: Sequence[str]) -> Difference:
        """Compare, and look at `place`."""
        moved = news.get("place") != target.inputs.get("place") or contains_unknown(news.get("place"))
        return Difference(None if not moved else True, ["place"] if moved else [], moved)


def urn(name: str) -> str:
    """Return the URN of a thing."""
    return f"urn:pulumi:dev::p::{TYPE}::{name}"


def thing(name: str, **options: Any) -> StateResource:
    """Return a thing of the state."""
    return StateResource(urn=urn(name), type=TYPE, custom=True, id=name, provider="p::1", **options)


def goal(name: str, **options: Any) -> Goal:
    """Return what a program wants of a thing."""
    return Goal(type=TYPE, name=name, custom=True, provider="p::1", **options)


def planner(*base: StateResource, recorder: EventRecorder | None = None) -> Planner:
    """Return a planner over a state."""
    return Planner(base, lambda each: Picky() if each.custom else None, recorder or EventRecorder("up"))


def ops(plan: Planner, name: str, **options: Any) -> list[str]:
    """Return the operations planned for a thing."""
    return [action.op for action in plan.plan(urn(name), goal(name, **options))]


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0, "{0}"),
        (12.5, "{12.5}"),
        ("ten", "{ten}"),
        (None, "{<nil>}"),
        (True, "{true}"),
        (["a", 1], "{[{a} {1}]}"),
        ({"b": 1, "a": None}, "{map[a:{<nil>} b:{1}]}"),
        (make_secret("canary"), "{[secret]}"),
    ],
)
def test_invalid_values_are_formatted_like_the_engine(value: Any, printed: str) -> None:
    """A secret is never shown."""
    recorder = EventRecorder("up")
    with pytest.raises(RegistrationRefused) as refused:
        ops(planner(recorder=recorder), "a", inputs={"bad": value})
    assert refused.value.reported
    (said,) = recorder.result.diagnostics
    assert said.message == f"{TYPE} resource 'a': property bad value {printed} has a problem: no"
    assert (said.severity, said.urn) == ("error", urn("a"))


def test_replace_on_changes() -> None:
    """A change of one of its paths, or of any with `*`, forces a replacement."""
    old = thing("a", inputs={"size": {"x": 1}, "note": 1})
    new = {"size": {"x": 2}, "note": 1}
    assert ops(planner(old), "a", inputs=new) == ["update"]
    assert ops(planner(old), "a", inputs=new, replace_on_changes=["note"]) == ["update"]
    for path in ("size", "size.x", "size[0]", "*"):
        assert ops(planner(old), "a", inputs=new, replace_on_changes=[path]) == ["create-replacement", "replace"]


def test_components_and_providers_compare_their_inputs() -> None:
    """They are updated when their inputs differ; a component that becomes a resource is replaced."""
    old = StateResource(urn=urn("a"), type=TYPE, custom=False, inputs={"x": 1})
    for inputs, op in (({"x": 1}, "same"), ({"x": 2}, "update")):
        wanted = Goal(type=TYPE, name="a", custom=False, inputs=inputs)
        assert [action.op for action in planner(old).plan(urn("a"), wanted)] == [op]
    assert ops(planner(old), "a", inputs={"x": 1}) == ["create-replacement", "replace"]


def test_dependents_are_replaced_only_if_they_must_be() -> None:
    """Before a resource is deleted, the dependents are deleted whose replacement it forces."""
    root = thing("root", inputs={"place": "x"})
    base = [
        root,
        thing("moved", inputs={"place": "y"}, property_dependencies={"place": [urn("root")]}),
        thing("next", inputs={"place": "z"}, property_dependencies={"place": [urn("moved")]}),
        thing("noted", inputs={"note": "y"}, property_dependencies={"note": [urn("root")]}),
        thing("with", deleted_with=urn("root")),
        StateResource(urn=urn("group"), type=TYPE, custom=False, property_dependencies={"x": [urn("root")]}),
    ]
    plan = planner(*base)
    actions = plan.plan(urn("root"), goal("root", inputs={"place": "elsewhere"}))
    assert [(action.op, action.resource.name) for action in actions] == [
        ("delete-replaced", "with"),
        ("delete-replaced", "next"),
        ("delete-replaced", "moved"),
        ("delete-replaced", "root"),
        ("replace", "root"),
        ("create-replacement", "root"),
    ]
    assert ops(plan, "moved", inputs={"place": "y"}) == ["replace", "create-replacement"]


def test_a_protected_dependent_prevents_a_replacement() -> None:
    """A replacement that would delete a protected resource is refused."""
    base = [
        thing("root", inputs={"place": "x"}),
        thing("kept", inputs={"place": "y"}, property_dependencies={"place": [urn("root")]}, protect=True),
    ]
    with pytest.raises(RegistrationRefused, match="which depends on"):
        ops(planner(*base), "root", inputs={"place": "elsewhere"})


def test_a_resource_is_replaced_with_the_one_it_is_deleted_with() -> None:
    """`deleted_with` also applies to replacements."""
    plan = planner(thing("root", inputs={"size": 1}), thing("with", deleted_with=urn("root")))
    assert ops(plan, "root", inputs={"size": 2}, replace_on_changes=["size"]) == ["create-replacement", "replace"]
    assert ops(plan, "with", deleted_with=urn("root")) == ["create-replacement", "replace"]


def test_a_resource_that_was_only_read_is_created() -> None:
    """The state replaces the entry of the read resource by the managed one."""
    old = thing("a", external=True, inputs={"size": 1})
    actions = planner(old).plan(urn("a"), goal("a", inputs={"size": 1}))
    assert [(action.op, action.pending) for action in actions] == [("create-replacement", True), ("replace", False)]
