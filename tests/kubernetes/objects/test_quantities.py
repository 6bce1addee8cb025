"""Quantities, and what the scheduler counts for a pod."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.kubernetes.objects.decoding import UnexpectedFormError, decode_pod
from ocean_migration_pulumi.kubernetes.objects.quantities import parse_quantity, read_allocatable, sum_requests
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Resources

NANO = 10**9
FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18, "Ki": 2**10, "Gi": 2**30}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0", Fraction(0)),
        ("1", Fraction(1)),
        ("+2.", Fraction(2)),
        (".5", Fraction(1, 2)),
        ("250m", Fraction(1, 4)),
        ("100u", Fraction(1, 10**4)),
        ("1n", Fraction(1, NANO)),
        ("0.1n", Fraction(1, NANO)),
        ("1e3", Fraction(1000)),
        ("1E-3", Fraction(1, 1000)),
        ("1E", Fraction(10**18)),
        ("1.5Gi", Fraction(3 * 2**29)),
        ("966367641600m", Fraction(9663676416, 10)),
    ],
)
def test_forms(written: str, expected: Fraction) -> None:
    """All that the API reference has, what is finer than a billionth rounded up."""
    assert parse_quantity(written) == expected * NANO


@pytest.mark.parametrize("written", ["", "x", "1 Gi", "1gi", "1e", "1KI", "--1", "1e999999999", "9" * 50, "1.5.2", "٣"])
def test_everything_else_is_refused(written: str) -> None:
    """A quantity that cannot be read is not zero, and none fills the memory."""
    with pytest.raises(UnexpectedFormError):
        parse_quantity(written)


@given(st.integers(0, 10**12), st.sampled_from(sorted(FACTORS)))
def test_whole_quantities(number: int, suffix: str) -> None:
    """A suffix is a factor."""
    assert parse_quantity(f"{number}{suffix}") == number * FACTORS[suffix] * NANO


def container(cpu: str = "0", memory: str = "0", **more: Any) -> dict[str, Any]:
    """Return a container that asks for this."""
    return {"resources": {"requests": {"cpu": cpu, "memory": memory}}, **more}


def read_requests(spec: dict[str, Any]) -> Resources:
    """Return the requests of a pod with this specification."""
    return sum_requests(decode_pod(json.dumps({"spec": spec}).encode()).spec)


def test_containers_are_added_and_rounded_up() -> None:
    """Once, in the end."""
    spec = {"containers": [container("100500u", "600Ki"), container("100500u", "600Ki"), {}]}
    assert read_requests(spec) == Resources(milli_cpu=201, memory_mib=2)


def test_init_container_counts_when_it_is_the_largest() -> None:
    """For each resource by itself."""
    spec = {
        "containers": [container("1", "1Gi")],
        "initContainers": [container("500m", "2Gi"), container("2", "1Mi")],
    }
    assert read_requests(spec) == Resources(milli_cpu=2000, memory_mib=2048)


def test_sidecars_run_beside_everything_that_starts_later() -> None:
    """An init container before them has the node for itself."""
    sidecar = container("1", "100Mi", restartPolicy="Always")
    early = {"containers": [container("1")], "initContainers": [sidecar, container("3")]}
    late = {"containers": [container("1")], "initContainers": [container("3"), sidecar]}
    assert read_requests(early).milli_cpu == 4000
    assert read_requests(late).milli_cpu == 3000
    assert read_requests(late).memory_mib == 100


def test_overhead_and_the_pod_s_own_requests() -> None:
    """What is asked for the pod as a whole stands above the sum, and the overhead comes on top."""
    spec = {
        "containers": [container("1", "1Gi")],
        "resources": {"requests": {"cpu": "3"}},
        "overhead": {"cpu": "250m", "memory": "120Mi"},
    }
    assert read_requests(spec) == Resources(milli_cpu=3250, memory_mib=1144)


def test_gpus_of_all_makers() -> None:
    """Together; whatever else is asked for keeps its name."""
    asked = {"nvidia.com/gpu": "2", "amd.com/gpu": "1", "hugepages-2Mi": "4Mi", "aws.amazon.com/neuron": "0"}
    found = read_requests({"containers": [{"resources": {"requests": asked}}], "resourceClaims": [{"name": "x"}]})
    assert found == Resources(gpu=3, others=(("hugepages-2Mi", 4 * 1024**2), ("resourceClaims", 1)))


def test_allocatable_is_rounded_down() -> None:
    """A node without a status does not tell."""
    allocatable = {"cpu": "1930m", "memory": "7244264Ki", "pods": "29", "nvidia.com/gpu": "1"}
    found = read_allocatable({"allocatable": allocatable})
    assert found == Resources(milli_cpu=1930, memory_mib=7074, gpu=1, others=(("pods", 29),))
    assert read_allocatable({}) is None


def test_number_that_is_no_text_is_of_unexpected_form() -> None:
    """The API server writes quantities as texts."""
    with pytest.raises(UnexpectedFormError):
        read_requests({"containers": [{"resources": {"requests": {"cpu": 1}}}]})
