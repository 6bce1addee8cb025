"""The brake: what stops a migration, and all the honest slow workloads that do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.health.brake import BELOW, HARD_FAILURES, BrakeCause, BrakeLook, find_brake_cause
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadController, WorkloadId, WorkloadPod
from ocean_migration_pulumi.migration.spec.stop_conditions import StopConditions
from tests.migration.health.support import CART, START, baseline, brake_look, old, pod, pulling, starting, warn

MINUTE = 60.0
EVERYTHING = StopConditions(broken_workloads=True, below_required_for=900.0, unscheduled_for=900.0)
THREE = baseline(old("a"), old("b"), old("c"))
Frame = Callable[[float], tuple[Sequence[WorkloadPod], dict[str, Any]]]


def play(frame: Frame, minutes: int, rules: StopConditions = HARD_FAILURES) -> tuple[BrakeCause, float] | None:
    """Show the brake a look each minute; return what it fires for, and when."""
    looks: list[BrakeLook | None] = []
    for minute in range(minutes + 1):
        pods, more = frame(float(minute))
        looks.append(brake_look(THREE, *pods, at=minute * MINUTE, **more))
        cause = find_brake_cause(looks, rules)
        if cause is not None:
            return cause, float(minute)
    return None


def exited(minute: float, seconds_ago: float = 30.0) -> Any:
    """Return when a container ended, as a look at that minute shows it."""
    return START + timedelta(seconds=minute * MINUTE - seconds_ago)


def broken_image(minute: float) -> tuple[Sequence[WorkloadPod], dict[str, Any]]:
    """Show an image that cannot be pulled, whose reasons alternate."""
    waiting = "ErrImagePull" if int(minute) % 2 else "ImagePullBackOff"
    return [pulling("d", waiting), old("b"), old("c")], {}


def crash_loop(minute: float) -> tuple[Sequence[WorkloadPod], dict[str, Any]]:
    """Show a crash loop without a probe: the container is ready for a moment at each start."""
    crashing = pod(
        "d",
        ready=int(minute) % 3 == 0,
        waiting="" if int(minute) % 3 == 0 else "CrashLoopBackOff",
        restarts=3 + int(minute) // 5,
        last_exit_at=exited(minute),
    )
    return [crashing, old("b"), old("c")], {}


def subnet_full(minute: float) -> tuple[Sequence[WorkloadPod], dict[str, Any]]:
    """Show a subnet of Ocean nodes without a free address."""
    failed = warn("d", "FailedCreatePodSandBox", "failed to assign an IP address to container", at=minute * MINUTE)
    return [starting("d", waiting="ContainerCreating"), old("b"), old("c")], {"warnings": [failed]}


def volume_elsewhere(minute: float) -> tuple[Sequence[WorkloadPod], dict[str, Any]]:
    """Show a volume that never detaches."""
    failed = warn("d", "FailedAttachVolume", "Multi-Attach error", at=minute * MINUTE)
    return [starting("d"), old("b"), old("c")], {"warnings": [failed]}


def missing_secret(minute: float) -> tuple[Sequence[WorkloadPod], dict[str, Any]]:
    """Show a container that cannot be configured."""
    return [starting("d", waiting="CreateContainerConfigError"), old("b"), old("c")], {}


@pytest.mark.parametrize(
    ("frame", "cause"),
    [
        (broken_image, "image"),
        (crash_loop, "crashing"),
        (subnet_full, "no address"),
        (volume_elsewhere, "volume"),
        (missing_secret, "configuration"),
    ],
)
def test_hard_failures_stop_after_ten_minutes(frame: Frame, cause: str) -> None:
    """Not a minute earlier, and with the workload and the pod that show it."""
    fired = play(frame, 30)
    assert fired is not None
    found, minute = fired
    assert (found.cause, found.workloads, found.pod, minute) == (cause, (CART,), "shop/d", 10.0)


@pytest.mark.parametrize("frame", [broken_image, crash_loop, subnet_full, volume_elsewhere, missing_secret])
@pytest.mark.parametrize("skew", [-4.0, 4.0])
def test_clock_of_the_cluster_may_differ_by_some_minutes(frame: Frame, skew: float) -> None:
    """Pods, events and exits have its times, the looks have those of the service."""
    shift = timedelta(minutes=skew)

    def skewed(minute: float) -> tuple[Sequence[WorkloadPod], dict[str, Any]]:
        pods, more = frame(minute)
        made = [
            replace(
                each,
                created_at=each.created_at + timedelta(minutes=4) + shift if each.created_at else None,
                last_exit_at=each.last_exit_at + shift if each.last_exit_at else None,
            )
            for each in pods
        ]
        warnings = [replace(each, at=each.at + shift) for each in more.get("warnings", ()) if each.at]
        return made, {**more, "warnings": warnings}

    fired = play(skewed, 30)
    assert fired is not None
    assert fired[1] == 10.0


def test_template_that_changed_in_the_middle_ends_the_series() -> None:
    """The pods of a Deployment that was rolled out are somebody's, however broken; they may be repaired by it."""
    pods = [pulling("d"), old("b"), old("c")]
    looks: list[BrakeLook | None] = [brake_look(THREE, *pods, at=minute * MINUTE) for minute in range(9)]
    rolled = [pulling("e", template="t2"), pod("f", template="t2"), pod("g", template="t2")]
    looks += [brake_look(THREE, *rolled, at=minute * MINUTE) for minute in range(9, 30)]
    assert find_brake_cause(looks) is None


def slow_start(minute: float) -> tuple[Sequence[WorkloadPod], dict[str, Any]]:
    """Show a JVM that takes five minutes, pod after pod."""
    started = int(minute // 5)
    moved = [pod(name) if place < started else starting(name) for place, name in enumerate("def")]
    return moved[: min(3, started + 1)] + [old(name) for name in "abc"][min(3, started + 1) :], {}


def single_replica(minute: float) -> tuple[Sequence[WorkloadPod], dict[str, Any]]:
    """Show one pod that takes nine minutes."""
    return [pod("d") if minute >= 9 else starting("d")], {"desired": {CART: 1}}


def ordered_set(minute: float) -> tuple[Sequence[WorkloadPod], dict[str, Any]]:
    """Show a StatefulSet whose pods come one after the other, eight minutes each."""
    started = int(minute // 8)
    return [*[pod(name) for name in "def"[:started]], *[starting(name) for name in "def"[started : started + 1]]], {
        "desired": {CART: 3}
    }


def volume_detach(minute: float) -> tuple[Sequence[WorkloadPod], dict[str, Any]]:
    """Show a volume that detaches after six minutes, by force."""
    failed = warn("d", "FailedAttachVolume", "Multi-Attach error", at=min(minute, 6.0) * MINUTE)
    return [pod("d") if minute > 7 else starting("d"), old("b"), old("c")], {"warnings": [failed]}


def autoscaled(minute: float) -> tuple[Sequence[WorkloadPod], dict[str, Any]]:
    """Show an autoscaler that goes up and down; the new pods start slowly."""
    desired = 3 + int(minute) % 4
    moved = [pod(name) for name in "def"]
    return [*moved, *[starting(f"x{n}-{int(minute) // 4}") for n in range(desired - 3)]], {"desired": {CART: desired}}


def rollout(minute: float) -> tuple[Sequence[WorkloadPod], dict[str, Any]]:
    """Show a rollout of a broken image while the migration runs."""
    rolling = [WorkloadController(id=CART, uid="u1", desired=3, rolling=minute < 12)]
    return [pulling("d", template="t2"), old("b"), old("c")], {"controllers": rolling}


def slow_dependency(minute: float) -> tuple[Sequence[WorkloadPod], dict[str, Any]]:
    """Show containers that crash a few times until their database answers."""
    crashing = pod(
        "d",
        ready=minute >= 6,
        waiting="CrashLoopBackOff" if minute < 6 else "",
        restarts=min(4, int(minute)),
        last_exit_at=exited(min(minute, 6.0)),
    )
    return [crashing, old("b"), old("c")], {}


@pytest.mark.parametrize(
    "frame",
    [slow_start, single_replica, ordered_set, volume_detach, autoscaled, rollout, slow_dependency],
)
@pytest.mark.parametrize("rules", [HARD_FAILURES, EVERYTHING], ids=["default", "everything"])
def test_honest_slow_workloads_do_not_stop_a_migration(frame: Frame, rules: StopConditions) -> None:
    """Also with everything watched that can be."""
    assert play(frame, 40, rules) is None


def test_nodes_and_templates_of_others_do_not_count() -> None:
    """Pods on old nodes, pods from before the start, pods of another template."""
    for broken in (
        pulling("d", node="node-later"),
        pulling("d", created_at=START - timedelta(hours=1)),
        pulling("d", template="t2"),
    ):
        assert find_brake_cause(brake_frames([broken, old("b"), old("c")])) is None


def test_workload_that_was_unhealthy_before_does_not_count() -> None:
    """It was broken in the first place."""
    before = baseline(old("a"), pulling("b"))
    looks: list[BrakeLook | None] = [
        brake_look(before, pulling("d"), old("a"), at=minute * MINUTE) for minute in range(30)
    ]
    assert find_brake_cause(looks) is None


def image_looks(minutes: int) -> list[BrakeLook | None]:
    """Return looks at a broken image."""
    return [brake_look(THREE, *broken_image(float(minute))[0], at=minute * MINUTE) for minute in range(minutes + 1)]


def test_missed_look_resets() -> None:
    """What was not seen in between may have been well."""
    looks = image_looks(15)
    assert find_brake_cause(looks) is not None
    looks[8] = None
    assert find_brake_cause(looks) is None
    looks[-1] = None
    assert find_brake_cause(looks) is None


def test_two_looks_are_not_enough() -> None:
    """However far they are apart."""
    looks = image_looks(20)
    assert find_brake_cause([looks[0], looks[-1]]) is None
    assert find_brake_cause([looks[0], looks[10], looks[-1]]) is not None


def test_moved_workload_alone_does_not_stop_the_others() -> None:
    """With no pod left to move, three workloads and 10 % must share the cause."""
    names = [WorkloadId("Deployment", "shop", f"app-{number}") for number in range(40)]
    before = baseline(*[old(f"o-{each.name}", workload=each) for each in names])

    def looks(broken: int) -> list[BrakeLook | None]:
        pods = [
            (pulling if place < broken else pod)(f"n-{each.name}", workload=each) for place, each in enumerate(names)
        ]
        return [brake_look(before, *pods, at=minute * MINUTE) for minute in range(12)]

    assert find_brake_cause(looks(1)) is None
    assert find_brake_cause(looks(3)) is None
    fired = find_brake_cause(looks(4))
    assert fired is not None
    assert fired.workloads == tuple(names[:4])


def test_opted_in_conditions() -> None:
    """Too few ready pods, and pods that find no node, each after its own time."""
    below = brake_frames([starting("d"), old("b"), old("c")])
    waiting = brake_frames([pod("d", node="", ready=False, message="0/9 nodes"), old("b"), old("c")])
    for looks, rules, cause in (
        (below, StopConditions(below_required_for=900.0), BELOW),
        (waiting, StopConditions(unscheduled_for=900.0), "unschedulable"),
    ):
        assert find_brake_cause(looks) is None
        assert find_brake_cause(looks[:15], rules) is None
        fired = find_brake_cause(looks, rules)
        assert fired is not None
        assert fired.cause == cause


def brake_frames(pods: Sequence[WorkloadPod]) -> list[BrakeLook | None]:
    """Return a look at the same pods each minute."""
    return [brake_look(THREE, *pods, at=minute * MINUTE) for minute in range(16)]


@given(st.lists(st.sampled_from(["broken", "well", "missed"]), max_size=40))
def test_fires_only_for_an_unbroken_series(kinds: list[str]) -> None:
    """Whatever came before: the last looks, ten minutes and three of them, all succeeded and show it."""
    pods = {"broken": [pulling("d"), old("b"), old("c")], "well": [pod("d"), old("b"), old("c")]}
    looks = [
        None if kind == "missed" else brake_look(THREE, *pods[kind], at=place * MINUTE)
        for place, kind in enumerate(kinds)
    ]
    expected = len(kinds) > 10 and all(kind == "broken" for kind in kinds[-11:])
    assert (find_brake_cause(looks) is not None) == expected
