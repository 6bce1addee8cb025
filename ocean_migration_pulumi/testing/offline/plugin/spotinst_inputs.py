"""Converts the inputs of `spotinst` clusters and VNGs into request bodies, like the real provider."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

Converter = Callable[[Any], Any]
Table = Mapping[str, str | tuple[str, Converter]]
"""By path in the body (names joined by dots): the input, with a function that converts it where needed."""

_PROFILE = re.compile(r"arn:aws:iam::\d{12}:instance-profile/.+")


def build_cluster_body(inputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Build the body of a cluster; `name` is the default of its name and controller id."""
    values = {**_CLUSTER_DEFAULTS, "name": name, "controllerId": name, **_drop_none(inputs)}
    body = _build_body(values, _CLUSTER)
    # The provider always sends these two.
    body["compute"].setdefault("instanceTypes", {})
    return {**body, "scheduling": None}


def build_vng_body(inputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Build the body of a VNG, with the empty objects that the provider always sends."""
    return {"autoScale": {}, "scheduling": {}, **_build_body({"name": name, **_drop_none(inputs)}, _VNG)}


def diff_bodies(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Build the body of an update: the fields that changed, and null for those that are no longer set."""
    changed: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for name, part in after.items():
        old = before.get(name)
        if isinstance(part, Mapping) and isinstance(old, Mapping):
            inner = diff_bodies(old, part)
            if inner:
                changed[name] = inner
        elif part != old:
            changed[name] = part
    return changed


def build_query(inputs: Mapping[str, Any], name: str) -> dict[str, str]:
    """Build the query from the options of a creation or deletion."""
    options = _drop_none(inputs.get(name) or {})
    return {
        key: str(value).lower() if isinstance(value, bool) else str(_convert_numbers(value))
        for key, value in options.items()
    }


def _drop_none(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in inputs.items() if value is not None}


def _convert_numbers(value: Any) -> Any:
    """Convert whole floats to integers: numbers from the engine are floats."""
    if isinstance(value, Mapping):
        return {name: _convert_numbers(part) for name, part in value.items() if part is not None}
    if isinstance(value, list | tuple):
        return [_convert_numbers(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _build_body(inputs: Mapping[str, Any], table: Table) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for path, rule in table.items():
        name, convert = rule if isinstance(rule, tuple) else (rule, _convert_numbers)
        part = convert(inputs[name]) if inputs.get(name) is not None else None
        if part is not None:
            *parents, last = path.split(".")
            target = body
            for parent in parents:
                target = target.setdefault(parent, {})
            target[last] = part
    return body


def _convert_object(table: Table) -> Converter:
    return lambda value: _build_body(value, table)


def _convert_list(table: Table) -> Converter:
    return lambda values: [_build_body(value, table) for value in values]


def _convert_single(table: Table) -> Converter:
    """Convert the only item of a list, which is how the provider expresses a single object."""
    return lambda values: _build_body(values[0], table) if values else None


def _convert_instance_profile(value: str) -> dict[str, str]:
    return {"arn" if _PROFILE.fullmatch(value) else "name": value}


def _encode_user_data(value: str) -> str:
    """Encode user data in base64, unless it is encoded already."""
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        return base64.b64encode(value.encode()).decode()
    return value


_TAGS = _convert_list({"tagKey": "key", "tagValue": "value"})
_TEMPLATE: Table = {
    "imageId": "imageId",
    "securityGroupIds": "securityGroups",
    "userData": ("userData", _encode_user_data),
    "iamInstanceProfile": ("iamInstanceProfile", _convert_instance_profile),
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
_STRATEGY_DEFAULTS = {"utilizeReservedInstances": True, "utilizeCommitments": False}
"""What the provider sends in the strategy of a VNG that does not set them."""


def _convert_vng_strategy(values: Any) -> dict[str, Any] | None:
    """Convert the strategy of a VNG, with the fields that the provider always sends."""
    if not values:
        return None
    given = _drop_none(values[0])
    return _build_body({**_STRATEGY_DEFAULTS, **given}, {**_STRATEGY, "orientation": "orientation"})


_SCALE_DOWN: Table = {"maxScaleDownPercentage": "maxScaleDownPercentage", _AGGRESSIVE: "isAggressiveScaleDownEnabled"}

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
    "strategy.clusterOrientation": (
        "clusterOrientations",
        _convert_single({"availabilityVsCost": "availabilityVsCost"}),
    ),
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
        _convert_numbers,
    ),
    "autoScaler": (
        "autoscaler",
        _convert_object(
            {
                "isEnabled": "autoscaleIsEnabled",
                "isAutoConfig": "autoscaleIsAutoConfig",
                "cooldown": "autoscaleCooldown",
                "autoHeadroomPercentage": "autoHeadroomPercentage",
                "enableAutomaticAndManualHeadroom": "enableAutomaticAndManualHeadroom",
                "headroom": "autoscaleHeadroom",
                "down": ("autoscaleDown", _convert_object({**_SCALE_DOWN, "evaluationPeriods": "evaluationPeriods"})),
                "resourceLimits": (
                    "resourceLimits",
                    _convert_object({"maxVCpu": "maxVcpu", "maxMemoryGib": "maxMemoryGib"}),
                ),
            }
        ),
    ),
}
_VNG: Table = {
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
    "strategy": ("strategies", _convert_vng_strategy),
    "resourceLimits": (
        "resourceLimits",
        _convert_single({"maxInstanceCount": "maxInstanceCount", "minInstanceCount": "minInstanceCount"}),
    ),
    "autoScale.headrooms": "autoscaleHeadrooms",
    "autoScale.autoHeadroomPercentage": (
        "autoscaleHeadroomsAutomatics",
        lambda values: _convert_numbers(values[0].get("autoHeadroomPercentage")) if values else None,
    ),
    "autoScale.down": ("autoscaleDowns", _convert_single(_SCALE_DOWN)),
}
