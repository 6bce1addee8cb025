"""Inputs of `spotinst` clusters and Virtual Node Groups as the provider puts them into words of Spot's API."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

Reader = Callable[[Any], Any]
Table = Mapping[str, str | tuple[str, Reader]]
"""Paths of the wire, their names joined by dots, and the input that each is made from; its reader, if it needs one."""

_PROFILE = re.compile(r"arn:aws:iam::\d{12}:instance-profile/.+")


def cluster(inputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the body of a cluster, with what the provider always sends; `name` stands for what is not said."""
    known = {**_CLUSTER_DEFAULTS, "name": name, "controllerId": name, **_set(inputs)}
    made = _body(known, _CLUSTER)
    made["compute"].setdefault("instanceTypes", {})
    return {**made, "scheduling": None}


def virtual_node_group(inputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the body of a Virtual Node Group, with what the provider always sends."""
    return {"autoScale": {}, "scheduling": {}, **_body({"name": name, **_set(inputs)}, _GROUP)}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an update sends: the parts that have changed, and null for those that are no more."""
    changed: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for name, part in after.items():
        old = before.get(name)
        if isinstance(part, Mapping) and isinstance(old, Mapping):
            inner = changes(old, part)
            if inner:
                changed[name] = inner
        elif part != old:
            changed[name] = part
    return changed


def options(inputs: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return options of a creation or deletion as the provider puts them into the query."""
    given = _set(inputs.get(name) or {})
    return {key: str(value).lower() if isinstance(value, bool) else str(_plain(value)) for key, value in given.items()}


def _set(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in inputs.items() if value is not None}


def _plain(value: Any) -> Any:
    """Return a value with whole numbers as such: what comes from the engine has none but floats."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items() if part is not None}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _body(inputs: Mapping[str, Any], table: Table) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for path, rule in table.items():
        name, read = rule if isinstance(rule, tuple) else (rule, _plain)
        part = read(inputs[name]) if inputs.get(name) is not None else None
        if part is not None:
            *above, last = path.split(".")
            place = body
            for step in above:
                place = place.setdefault(step, {})
            place[last] = part
    return body


def _part(table: Table) -> Reader:
    return lambda value: _body(value, table)


def _each(table: Table) -> Reader:
    return lambda values: [_body(value, table) for value in values]


def _only(table: Table) -> Reader:
    """Take the only item of a list, which is how the provider writes a single object."""
    return lambda values: _body(values[0], table) if values else None


def _instance_profile(value: str) -> dict[str, str]:
    return {"arn" if _PROFILE.fullmatch(value) else "name": value}


def _encoded(value: str) -> str:
    """Return user data in base64; what is so already is not encoded again."""
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        return base64.b64encode(value.encode()).decode()
    return value


_TAGS = _each({"tagKey": "key", "tagValue": "value"})
_TEMPLATE: Table = {
    "imageId": "imageId",
    "securityGroupIds": "securityGroups",
    "userData": ("userData", _encoded),
    "iamInstanceProfile": ("iamInstanceProfile", _instance_profile),
    "tags": ("tags", _TAGS),
    "blockDeviceMappings": "blockDeviceMappings",
    "rootVolumeSize": "rootVolumeSize",
    "associatePublicIpAddress": "associatePublicIpAddress",
    "instanceMetadataOptions": "instanceMetadataOptions",
    "reservedENIs": "reservedEnis",
    "startupTaints": "startupTaints",
}
_STRATEGY: Table = {
    "spotPercentage": "spotPercentage",
    "drainingTimeout": "drainingTimeout",
    "utilizeReservedInstances": "utilizeReservedInstances",
    "utilizeCommitments": "utilizeCommitments",
}
_AGGRESSIVE = "aggressiveScaleDown.isEnabled"
_DOWN: Table = {"maxScaleDownPercentage": "maxScaleDownPercentage", _AGGRESSIVE: "isAggressiveScaleDownEnabled"}

_CLUSTER_DEFAULTS: dict[str, Any] = {
    "region": "us-east-1",
    "minSize": 0,
    "maxSize": 1000,
    "desiredCapacity": 0,
    "fallbackToOndemand": True,
    "utilizeReservedInstances": True,
    "healthCheckUnhealthyDurationBeforeReplacement": 120,
    "subnetIds": [],
    "imageId": "ami-0",
    "securityGroups": [],
}
_CLUSTER: Table = {
    "name": "name",
    "controllerClusterId": "controllerId",
    "region": "region",
    "capacity.minimum": "minSize",
    "capacity.maximum": "maxSize",
    "capacity.target": "desiredCapacity",
    **{f"strategy.{path}": rule for path, rule in _STRATEGY.items()},
    "strategy.fallbackToOd": "fallbackToOndemand",
    "strategy.gracePeriod": "gracePeriod",
    "strategy.maxReplacementLimitPercentage": "maxReplacementLimitPercentage",
    "strategy.spreadNodesBy": "spreadNodesBy",
    "strategy.clusterOrientation": ("clusterOrientations", _only({"availabilityVsCost": "availabilityVsCost"})),
    "compute.subnetIds": "subnetIds",
    "compute.instanceTypes.whitelist": "whitelists",
    "compute.instanceTypes.blacklist": "blacklists",
    **{f"compute.launchSpecification.{path}": rule for path, rule in _TEMPLATE.items()},
    "compute.launchSpecification.keyPair": "keyName",
    "compute.launchSpecification.monitoring": "monitoring",
    "compute.launchSpecification.ebsOptimized": "ebsOptimized",
    "compute.launchSpecification.useAsTemplateOnly": "useAsTemplateOnly",
    "compute.launchSpecification.healthCheckUnhealthyDurationBeforeReplacement": (
        "healthCheckUnhealthyDurationBeforeReplacement",
        _plain,
    ),
    "autoScaler": (
        "autoscaler",
        _part(
            {
                "isEnabled": "autoscaleIsEnabled",
                "isAutoConfig": "autoscaleIsAutoConfig",
                "cooldown": "autoscaleCooldown",
                "autoHeadroomPercentage": "autoHeadroomPercentage",
                "enableAutomaticAndManualHeadroom": "enableAutomaticAndManualHeadroom",
                "headroom": "autoscaleHeadroom",
                "down": ("autoscaleDown", _part({**_DOWN, "evaluationPeriods": "evaluationPeriods"})),
                "resourceLimits": (
                    "resourceLimits",
                    _part({"maxVCpu": "maxVcpu", "maxMemoryGib": "maxMemoryGib"}),
                ),
            }
        ),
    ),
}
_GROUP: Table = {
    "oceanId": "oceanId",
    "name": "name",
    **_TEMPLATE,
    "subnetIds": "subnetIds",
    "instanceTypes": "instanceTypes",
    "preferredSpotTypes": "preferredSpotTypes",
    "preferredOnDemandTypes": "preferredOdTypes",
    "labels": "labels",
    "taints": "taints",
    "restrictScaleDown": "restrictScaleDown",
    "strategy": (
        "strategies",
        _only({**_STRATEGY, "orientation": "orientation"}),
    ),
    "resourceLimits": (
        "resourceLimits",
        _only({"maxInstanceCount": "maxInstanceCount", "minInstanceCount": "minInstanceCount"}),
    ),
    "autoScale.headrooms": "autoscaleHeadrooms",
    "autoScale.autoHeadroomPercentage": (
        "autoscaleHeadroomsAutomatics",
        lambda values: _plain(values[0].get("autoHeadroomPercentage")) if values else None,
    ),
    "autoScale.down": ("autoscaleDowns", _only(_DOWN)),
}
