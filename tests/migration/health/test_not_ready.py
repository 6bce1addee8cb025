"""The classes of reasons for which a pod is not ready."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ocean_migration_pulumi.migration.health.not_ready import NotReadyClass, explain_not_ready, index_warnings
from tests.migration.health.support import START, pod, warn

HOST_LOCAL = "failed to allocate for range 0: no IP addresses available in range set: 10.60.28.1-10.60.28.254"
CILIUM = "unable to allocate IP via local cilium agent: [POST /ipam][502] postIpamFailure range is full"
CALICO = "failed to request IPv4 addresses: Assigned 0 out of 1 requested IPv4 addresses"
NOT_INITIALIZED = "network is not ready: cni plugin not initialized"
NO_IP = 'plugin type="aws-cni" failed (add): add cmd: failed to assign an IP address to container'


@pytest.mark.parametrize(
    ("fields", "kind", "hard"),
    [
        ({"waiting": "ErrImagePull"}, NotReadyClass.IMAGE, True),
        ({"waiting": "ImagePullBackOff"}, NotReadyClass.IMAGE, True),
        ({"waiting": "InvalidImageName"}, NotReadyClass.IMAGE, True),
        ({"waiting": "CreateContainerConfigError"}, NotReadyClass.CONFIGURATION, True),
        ({"waiting": "CreateContainerError"}, NotReadyClass.CONFIGURATION, False),
        ({"waiting": "CrashLoopBackOff", "restarts": 3}, NotReadyClass.CRASHING, True),
        ({"waiting": "CrashLoopBackOff", "restarts": 2}, NotReadyClass.CRASHING, False),
        ({"restarts": 3, "last_exit_at": START - timedelta(seconds=60)}, NotReadyClass.CRASHING, True),
        ({"restarts": 3, "last_exit_at": START - timedelta(hours=1)}, NotReadyClass.STARTING, False),
        ({"node_name": "", "message": "0/3 nodes are available"}, NotReadyClass.UNSCHEDULABLE, False),
        ({"node_name": ""}, NotReadyClass.STARTING, False),
        ({"waiting": "ContainerCreating"}, NotReadyClass.STARTING, False),
        ({"waiting": "RunContainerError", "restarts": 3}, NotReadyClass.CRASHING, True),
        ({"waiting": "PostStartHookError", "restarts": 1}, NotReadyClass.CRASHING, False),
        ({"waiting": "ErrImageNeverPull"}, NotReadyClass.IMAGE, True),
        ({}, NotReadyClass.STARTING, False),
    ],
)
def test_status_tells_the_class(fields: dict[str, Any], kind: NotReadyClass, hard: bool) -> None:
    """What the kubelet and the scheduler write into the status of a pod."""
    node = fields.pop("node_name", "node-ocean")
    reason = explain_not_ready(pod("cart-1", node=node, ready=False, **fields), {}, START)
    assert reason is not None
    assert (reason.kind, reason.hard) == (kind, hard)


@pytest.mark.parametrize(
    ("reason", "message", "kind", "hard"),
    [
        ("FailedCreatePodSandBox", NO_IP, NotReadyClass.NO_ADDRESS, True),
        ("FailedCreatePodSandBox", "containerd is restarting", NotReadyClass.STARTING, False),
        ("FailedCreatePodSandBox", HOST_LOCAL, NotReadyClass.NO_ADDRESS, True),
        ("FailedCreatePodSandBox", CILIUM, NotReadyClass.NO_ADDRESS, True),
        ("FailedCreatePodSandBox", CALICO, NotReadyClass.NO_ADDRESS, True),
        ("FailedCreatePodSandBox", NOT_INITIALIZED, NotReadyClass.STARTING, False),
        ("FailedAttachVolume", "Multi-Attach error for volume", NotReadyClass.VOLUME, True),
        ("FailedMount", "timed out waiting for the condition", NotReadyClass.VOLUME, False),
        ("FailedMount", 'configmap "cart" not found', NotReadyClass.CONFIGURATION, False),
        ("Unhealthy", "Readiness probe failed", NotReadyClass.STARTING, False),
    ],
)
def test_warnings_tell_the_class(reason: str, message: str, kind: NotReadyClass, hard: bool) -> None:
    """What only an event says of a pod whose containers have not started."""
    warnings = index_warnings([warn("cart-1", reason, message)], START)
    found = explain_not_ready(pod("cart-1", ready=False, waiting="ContainerCreating"), warnings, START)
    assert found is not None
    assert (found.kind, found.hard) == (kind, hard)


def test_old_warning_counts_no_more() -> None:
    """A volume that could not be attached half an hour ago does not explain today's start."""
    warnings = index_warnings([warn("cart-1", "FailedAttachVolume", "in use", at=-1800)], START)
    found = explain_not_ready(pod("cart-1", ready=False), warnings, START)
    assert found is not None
    assert found.kind is NotReadyClass.STARTING


def test_crash_says_why_the_container_ended() -> None:
    """The kubelet only says how long it waits."""
    crashed = pod("cart-1", ready=False, waiting="CrashLoopBackOff", restarts=4, last_exit="OOMKilled")
    found = explain_not_ready(replace(crashed, message="back-off 1m20s restarting failed container"), {}, START)
    assert found is not None
    assert found.detail == "OOMKilled, 4 restarts, back-off 1m20s restarting failed container"


def test_ready_pod_has_no_reason() -> None:
    """Restarts of long ago do not make a ready pod a broken one."""
    assert explain_not_ready(pod("cart-1", restarts=9, last_exit_at=START - timedelta(hours=1)), {}, START) is None


def test_container_without_a_probe_is_ready_between_two_crashes() -> None:
    """It crashes all the same."""
    crashed = pod("cart-1", ready=True, restarts=4, last_exit_at=START - timedelta(seconds=20))
    found = explain_not_ready(crashed, {}, START)
    assert found is not None
    assert found.kind is NotReadyClass.CRASHING
