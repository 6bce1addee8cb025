"""From the wire to arguments of pulumi_spotinst: every field is taken over, or the user is told."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pulumi
import pulumi_spotinst as spotinst
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.component.importing.conversion import Converted, convert_cluster, convert_vng
from ocean_migration_pulumi.component.importing.field_rules import Left
from tests.component.documents import CLUSTER, GROUP

Convert = Callable[[Mapping[str, Any]], Converted]

DOCUMENTS = pytest.mark.parametrize(("convert", "document"), [(convert_cluster, CLUSTER), (convert_vng, GROUP)])
UNSUPPORTED: dict[Convert, set[str]] = {
    convert_cluster: {
        "security.containerImage.approvedImages",
        "compute.instanceTypes.filters.minInstancePrice",
        "compute.instanceTypes.filters.maxInstancePrice",
        "compute.instanceTypes.filters.includeGenerations",
        "compute.instanceTypes.filters.excludeGenerations",
        "compute.instanceTypes.filters.encryptionInTransitSupported",
        "compute.launchSpecification.instanceMetadataOptions.httpEndpoint",
        "compute.launchSpecification.gpu.sharing",
    },
    convert_vng: {
        "instanceTypesFilters.minInstancePrice",
        "instanceTypesFilters.maxInstancePrice",
        "instanceTypesFilters.includeGenerations",
        "instanceTypesFilters.excludeGenerations",
        "instanceTypesFilters.encryptionInTransitSupported",
        "gpu.sharing",
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner),
    max_leaves=8,
)


class Inputs(pulumi.runtime.Mocks):
    """Keeps the inputs of each resource as the provider gets them."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Keep the inputs."""
        self.of[args.typ] = dict(args.inputs)
        return "id-1", dict(args.inputs)

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Answer nothing: no function is called."""
        return {}, None


def inputs_of(convert: Convert, converted: Converted) -> dict[str, Any]:
    """Register the resource with the arguments, and return the inputs that arrive."""
    mocks = Inputs()
    pulumi.runtime.set_mocks(mocks, preview=False)

    @pulumi.runtime.test  # type: ignore[untyped-decorator]  # it has no types of its own
    def program() -> None:
        if convert is convert_cluster:
            spotinst.aws.Ocean("made", spotinst.aws.OceanArgs(**converted.arguments))
        else:
            spotinst.aws.OceanLaunchSpec("made", spotinst.aws.OceanLaunchSpecArgs(**converted.arguments))

    program()
    (inputs,) = mocks.of.values()
    return inputs


def leaves(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value that is neither object nor list, with its path."""
    if isinstance(part, dict):
        for name, below in part.items():
            yield from leaves(below, f"{path}.{name}" if path else name)
    elif isinstance(part, list):
        for index, item in enumerate(part):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, part


def plain(value: Any) -> Any:
    """Return arguments as JSON, with their Python names."""
    return json.loads(json.dumps(value, default=vars, sort_keys=True))


def cleared(document: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a copy with null in the place of one value."""
    changed = copy.deepcopy(document)
    below: Any = changed
    steps = [step for name in path.split(".") for step in name.replace("]", "").split("[")]
    for step in steps[:-1]:
        below = below[int(step) if isinstance(below, list) else step]
    last: Any = int(steps[-1]) if isinstance(below, list) else steps[-1]
    below[last] = None
    return changed


@DOCUMENTS
def test_what_is_left_behind_is_what_has_no_argument(convert: Convert, document: dict[str, Any]) -> None:
    """All that pulumi_spotinst cannot say is named with a reason and a remedy, and nothing else."""
    left = convert(document).left
    assert {part.path for part in left} == UNSUPPORTED[convert]
    assert {(part.reason, part.remedy) for part in left} == {
        (
            "pulumi_spotinst has no argument for it",
            "set it in the Spot console after the cluster has been created: the provider does not change it",
        )
    }


@DOCUMENTS
def test_every_value_is_in_the_inputs_or_left(convert: Convert, document: dict[str, Any]) -> None:
    """Taking any value out of the document changes the arguments, unless it is named as left behind."""
    whole = convert(document)
    arguments = plain(whole.arguments)
    left = {part.path for part in whole.left}
    ignored = {"id", "createdAt", "updatedAt"}
    for path, _ in leaves(document):
        if path in ignored or any(path == named or path.startswith(f"{named}[") for named in left):
            continue
        assert plain(convert(cleared(document, path)).arguments) != arguments, path


@DOCUMENTS
def test_values_arrive_at_the_provider(convert: Convert, document: dict[str, Any]) -> None:
    """Each value of the document that is not left behind is among the inputs of the resource, and no other is."""
    converted = convert(document)
    left = {part.path for part in converted.left}
    arrived = {value for _, value in leaves(inputs_of(convert, converted))}
    sent = {
        value
        for path, value in leaves(document)
        if path not in {"id", "createdAt", "updatedAt"} and path.partition("[")[0] not in left
    }
    # It is true on the wire, and text in pulumi_spotinst.
    assert arrived == sent | {"true"}


def test_inputs_of_a_cluster_have_the_names_of_the_provider() -> None:
    """What is renamed, nested otherwise, or a list in pulumi_spotinst."""
    inputs = inputs_of(convert_cluster, convert_cluster(CLUSTER))
    assert inputs["controllerId"] == CLUSTER["controllerClusterId"]
    assert (inputs["minSize"], inputs["maxSize"], inputs["desiredCapacity"]) == (26, 27, 28)
    assert inputs["iamInstanceProfile"] == "arn:aws:iam::123456789012:instance-profile/nodes"
    assert inputs["clusterOrientations"] == [{"availabilityVsCost": "costOriented"}]
    assert inputs["filters"]["isEnaSupported"] == "true"
    assert inputs["filters"]["hypervisors"] == ["nitro"]
    assert inputs["autoscaler"]["autoscaleDown"]["isAggressiveScaleDownEnabled"] is True
    assert inputs["logging"] == {"export": {"s3s": [{"id": CLUSTER["logging"]["export"]["s3"]["id"]}]}}
    assert inputs["resourceTagSpecifications"] == [{"shouldTagVolumes": True}]
    (scheduling,) = inputs["scheduledTasks"]
    assert scheduling["tasks"][0]["parameters"]["parametersClusterRoll"]["batchSizePercentage"] == 34
    assert inputs["userData"] == CLUSTER["compute"]["launchSpecification"]["userData"]


def test_inputs_of_a_group_have_the_names_of_the_provider() -> None:
    """What is renamed, nested otherwise, or a list in pulumi_spotinst."""
    inputs = inputs_of(convert_vng, convert_vng(GROUP))
    assert inputs["oceanId"] == "o-1"
    assert inputs["labels"] == [GROUP["labels"][0]]
    assert inputs["taints"] == [GROUP["taints"][0]]
    (tag,) = GROUP["tags"]
    assert inputs["tags"] == [{"key": tag["tagKey"], "value": tag["tagValue"]}]
    assert inputs["autoscaleHeadroomsAutomatics"] == [
        {"autoHeadroomPercentage": GROUP["autoScale"]["autoHeadroomPercentage"]}
    ]
    assert inputs["elasticIpPools"] == [{"tagSelector": GROUP["elasticIpPool"]["tagSelector"]}]
    assert inputs["ephemeralStorages"] == [{"ephemeralStorageDeviceName": GROUP["ephemeralStorage"]["deviceName"]}]
    assert inputs["images"] == [{"imageId": GROUP["images"][0]["id"]}]
    assert inputs["preferredOdTypes"] == GROUP["preferredOnDemandTypes"]
    assert inputs["resourceLimits"] == [GROUP["resourceLimits"]]
    assert inputs["schedulingTasks"][0]["taskHeadrooms"] == [GROUP["scheduling"]["tasks"][0]["config"]["headrooms"][0]]
    assert inputs["strategies"][0]["orientation"] == {"availabilityVsCost": "costOriented"}


def test_nothing_of_nothing() -> None:
    """Null and empty parts are neither arguments nor left behind."""
    empty: dict[str, Any] = {
        "name": None,
        "capacity": {},
        "scheduling": None,
        "compute": {"instanceTypes": {"whitelist": []}, "launchSpecification": {"tags": [], "keyPair": ""}},
        "autoScaler": {"down": {"aggressiveScaleDown": {"isEnabled": None}}},
        "security": {"containerImage": {}},
    }
    assert convert_cluster(empty) == Converted(arguments={}, taken=(), left=())


def test_false_and_zero_are_said() -> None:
    """What is switched off or none on purpose stays so."""
    found = convert_cluster({"capacity": {"minimum": 0}, "strategy": {"fallbackToOd": False}})
    assert found.arguments == {"min_size": 0, "fallback_to_ondemand": False}
    assert found.taken == ("capacity.minimum", "strategy.fallbackToOd")


def test_loose_types_of_the_service_are_read() -> None:
    """Numbers and booleans that come as text, a boolean as the value of a taint, one object for a list of one."""
    found = convert_vng(
        {
            "rootVolumeSize": "30",
            "associatePublicIpAddress": "false",
            "startupTaints": [{"key": "k", "value": True, "effect": "NoSchedule"}],
            "tags": {"tagKey": "team", "tagValue": ""},
        }
    )
    assert found.left == ()
    assert plain(found.arguments) == {
        "root_volume_size": 30,
        "associate_public_ip_address": False,
        "startup_taints": [{"key": "k", "value": "true", "effect": "NoSchedule"}],
        "tags": [{"key": "team", "value": ""}],
    }


@pytest.mark.parametrize(
    ("document", "path", "reason"),
    [
        ({"rootVolumeSize": "big"}, "rootVolumeSize", "cannot be read: it is not an integer"),
        ({"rootVolumeSize": 2.5}, "rootVolumeSize", "cannot be read: it is not an integer"),
        ({"restrictScaleDown": 3}, "restrictScaleDown", "cannot be read: it is neither true nor false"),
        ({"name": ["web"]}, "name", "cannot be read: it is not a string"),
        ({"subnetIds": ["subnet-1", {}]}, "subnetIds", "cannot be read: it is not a list of strings"),
        ({"subnetIds": "subnet-1"}, "subnetIds", "cannot be read: it is not a list of strings"),
        ({"strategy": "spot"}, "strategy", "cannot be read: it is not an object"),
        ({"autoScale": "spot"}, "autoScale", "pulumi_spotinst has no argument for it"),
        ({"labels": [{"value": "web"}]}, "labels[0]", "cannot be read: it has no key"),
        (
            {"instanceMetadataOptions": {"httpPutResponseHopLimit": 2}},
            "instanceMetadataOptions",
            "cannot be read: it has no httpTokens",
        ),
        ({"iamInstanceProfile": {"id": "x"}}, "iamInstanceProfile", "cannot be read: it has neither arn nor name"),
        ({"iamInstanceProfile": "nodes"}, "iamInstanceProfile", "cannot be read: it has neither arn nor name"),
    ],
)
def test_what_cannot_be_read_is_left_behind(document: dict[str, Any], path: str, reason: str) -> None:
    """A part that is not what the API reference says is named, and nothing is made of it."""
    found = convert_vng(document)
    assert found.arguments == {}
    assert [(part.path, part.reason) for part in found.left] == [(path, reason)]


def test_the_rest_of_a_list_is_taken() -> None:
    """One bad label costs no other."""
    found = convert_vng({"labels": [{"key": "a", "value": "1"}, "b"]})
    assert plain(found.arguments) == {"labels": [{"key": "a", "value": "1"}]}
    assert found.left == (
        Left(path="labels[1]", reason="cannot be read: it is not an object", remedy="add it to `labels` yourself"),
    )


def test_what_only_a_cluster_has_is_said_of_a_group() -> None:
    """A launch specification of a cluster holds more than a Virtual Node Group can."""
    (left,) = convert_vng({"keyPair": "ops"}).left
    assert left == Left(
        path="keyPair",
        reason="a Virtual Node Group has none of its own",
        remedy="the cluster's is used: check that it fits",
    )


@pytest.mark.parametrize(
    ("profile", "argument"),
    [
        ({"name": "nodes"}, "nodes"),
        (
            {"arn": "arn:aws:iam::123456789012:instance-profile/a/nodes"},
            "arn:aws:iam::123456789012:instance-profile/a/nodes",
        ),
        # The provider would send it as a name.
        ({"arn": "arn:aws-cn:iam::123456789012:instance-profile/a/nodes"}, "nodes"),
        ({"arn": None, "name": "nodes"}, "nodes"),
    ],
)
def test_instance_profile(profile: dict[str, Any], argument: str) -> None:
    """By ARN where the provider knows one when it sees it, else by name."""
    assert convert_vng({"iamInstanceProfile": profile}).arguments == {"iam_instance_profile": argument}


@given(st.dictionaries(st.sampled_from([*CLUSTER, *GROUP, "other"]), JSON, max_size=4))
def test_no_document_is_too_strange(document: dict[str, Any]) -> None:
    """Whatever comes, each part that says something is taken or left behind."""
    for convert in (convert_cluster, convert_vng):
        found = convert(document)
        named = {*found.taken, *(part.path for part in found.left)}
        for name, part in document.items():
            says = any(value not in (None, "") for _, value in leaves(part))
            if says and name not in {"id", "createdAt", "updatedAt"}:
                assert any(path.partition("[")[0].partition(".")[0] == name for path in named), (name, part)
