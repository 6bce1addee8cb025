"""The arguments of pulumi_spotinst for the fields of clusters and Virtual Node Groups in Spot's API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ocean_migration_pulumi.api.models import decode
from ocean_migration_pulumi.component.importing.field_rules import Table, leaf, nested, plain, same, wrapped

_PROFILE = re.compile(r"arn:aws:iam::\d{12}:instance-profile/.+")


def instance_profile(value: Any) -> str | None:
    """Return the ARN or name of an instance profile.

    Of an ARN in another partition (China, GovCloud) the name is returned: the provider recognizes only ARNs of the
    first one, and would send any other as a name.
    """
    if not isinstance(value, Mapping):
        return None
    arn = decode.text(value.get("arn"))
    return arn if _PROFILE.fullmatch(arn) else arn.rpartition("/")[2] or decode.text(value.get("name")) or None


_PROFILE_RULE = leaf("iam_instance_profile", instance_profile, "has neither arn nor name")
_DYNAMIC: Table = same("baseSize", "resource", "sizePerResourceUnit")
_EBS: Table = {
    "deleteOnTermination": plain("delete_on_termination"),
    "dynamicIops": nested("dynamic_iops", _DYNAMIC),
    "dynamicVolumeSize": nested("dynamic_volume_size", _DYNAMIC),
    **same("encrypted", "iops", "kmsKeyId", "snapshotId", "throughput", "volumeSize", "volumeType"),
}
_DEVICE: Table = {"deviceName": plain("device_name"), "ebs": nested("ebs", _EBS)}
_FILTERS: Table = {
    **same("categories", "diskTypes", "excludeFamilies", "excludeMetal"),
    "hypervisor": plain("hypervisors"),
    **same("includeFamilies", "isEnaSupported", "maxGpu"),
    "maxMemoryGiB": plain("max_memory_gib"),
    **same("maxNetworkPerformance", "maxVcpu", "minEnis", "minGpu"),
    "minMemoryGiB": plain("min_memory_gib"),
    **same("minNetworkPerformance", "minVcpu", "rootDeviceTypes", "virtualizationTypes"),
}
_METADATA: Table = same("httpTokens", "httpPutResponseHopLimit")
_TAG: Table = {"tagKey": plain("key"), "tagValue": plain("value", default="")}
_LABEL: Table = {"key": plain("key"), "value": plain("value", default="")}
_TAINT: Table = {**_LABEL, "effect": plain("effect")}
_LOAD_BALANCER: Table = same("type", "name", "arn")
_STORE_POLICY: Table = {"type": plain("instance_store_policy_type")}
_ORIENTATION: Table = same("availabilityVsCost")
_HEADROOM: Table = same("cpuPerUnit", "gpuPerUnit", "memoryPerUnit", "numOfUnits")
_DOWN: Table = {
    "maxScaleDownPercentage": plain("max_scale_down_percentage"),
    "aggressiveScaleDown.isEnabled": plain("is_aggressive_scale_down_enabled"),
}
_SHUTDOWN_HOURS: Table = same("timeWindows", "isEnabled")
_ROLL: Table = same("batchMinHealthyPercentage", "batchSizePercentage", "comment", "respectPdb")
_WINDOW: Table = same("cronExpression", "duration", "effects")
_WINDOWS: Table = {"isEnabled": plain("is_enabled"), "windows": nested("windows", _WINDOW)}
_CLUSTER_TASK: Table = {
    **same("isEnabled", "cronExpression", "taskType"),
    "parameters": nested(
        "parameters",
        {
            "clusterRoll": nested("parameters_cluster_roll", _ROLL),
            "amiAutoUpdate": nested(
                "ami_auto_update",
                {
                    **same("applyRoll", "minorVersion", "patch"),
                    "clusterRoll": nested("ami_auto_update_cluster_roll", _ROLL),
                },
            ),
        },
    ),
}
_SCHEDULING: Table = {
    "optimizationWindows": nested("optimization_windows", _WINDOWS),
    "shutdownHours": nested("shutdown_hours", _SHUTDOWN_HOURS),
    "tasks": nested("tasks", _CLUSTER_TASK),
}
_AUTOSCALER: Table = {
    "isEnabled": plain("autoscale_is_enabled"),
    "isAutoConfig": plain("autoscale_is_auto_config"),
    "autoHeadroomPercentage": plain("auto_headroom_percentage"),
    "cooldown": plain("autoscale_cooldown"),
    **same("enableAutomaticAndManualHeadroom", "extendedResourceDefinitions"),
    "headroom": nested("autoscale_headroom", _HEADROOM),
    "down": nested("autoscale_down", {**_DOWN, "evaluationPeriods": plain("evaluation_periods")}),
    "resourceLimits": nested("resource_limits", same("maxMemoryGib", "maxVCpu")),
}

TEMPLATE = "compute.launchSpecification"
"""Where a cluster has the fields that a Virtual Node Group has at its top."""

_TEMPLATE: Table = {
    **same("associateIpv6Address", "associatePublicIpAddress"),
    "blockDeviceMappings": nested("block_device_mappings", _DEVICE),
    **same("ebsOptimized", "healthCheckUnhealthyDurationBeforeReplacement"),
    "iamInstanceProfile": _PROFILE_RULE,
    "imageId": plain("image_id"),
    "instanceMetadataOptions": nested("instance_metadata_options", _METADATA),
    "instanceStorePolicy": nested("instance_store_policy", _STORE_POLICY),
    "keyPair": plain("key_name"),
    "loadBalancers": nested("load_balancers", _LOAD_BALANCER),
    **same("monitoring", "primaryIpv6", "reservedENIs"),
    "resourceTagSpecification": nested(
        "resource_tag_specifications", {"volumes.shouldTag": plain("should_tag_volumes")}
    ),
    "rootVolumeSize": plain("root_volume_size"),
    "securityGroupIds": plain("security_groups"),
    "startupTaints": nested("startup_taints", _TAINT),
    "tags": nested("tags", _TAG),
    "useAsTemplateOnly": plain("use_as_template_only"),
    # As it comes, in base64: the provider does not encode it again, and what is packed in it is not always text.
    "userData": plain("user_data"),
}

CLUSTER: Table = {
    "name": plain("name"),
    "controllerClusterId": plain("controller_id"),
    "region": plain("region"),
    "capacity.minimum": plain("min_size"),
    "capacity.maximum": plain("max_size"),
    "capacity.target": plain("desired_capacity"),
    "strategy.clusterOrientation": nested("cluster_orientations", _ORIENTATION),
    "strategy.drainingTimeout": plain("draining_timeout"),
    "strategy.fallbackToOd": plain("fallback_to_ondemand"),
    "strategy.gracePeriod": plain("grace_period"),
    "strategy.maxReplacementLimitPercentage": plain("max_replacement_limit_percentage"),
    "strategy.spotPercentage": plain("spot_percentage"),
    "strategy.spreadNodesBy": plain("spread_nodes_by"),
    "strategy.utilizeCommitments": plain("utilize_commitments"),
    "strategy.utilizeReservedInstances": plain("utilize_reserved_instances"),
    "compute.subnetIds": plain("subnet_ids"),
    "compute.instanceTypes.whitelist": plain("whitelists"),
    "compute.instanceTypes.blacklist": plain("blacklists"),
    "compute.instanceTypes.filters": nested("filters", {**_FILTERS, "architectures": plain("architectures")}),
    **{f"{TEMPLATE}.{name}": rule for name, rule in _TEMPLATE.items()},
    "autoScaler": nested("autoscaler", _AUTOSCALER),
    "scheduling": nested("scheduled_tasks", _SCHEDULING),
    "logging": nested("logging", {"export": nested("export", {"s3": nested("s3s", same("id"))})}),
}

GROUP: Table = {
    **same("oceanId", "name", "associatePublicIpAddress"),
    "autoScale.autoHeadroomPercentage": wrapped("autoscale_headrooms_automatics", plain("auto_headroom_percentage")),
    "autoScale.down": nested("autoscale_downs", _DOWN),
    "autoScale.headrooms": nested("autoscale_headrooms", _HEADROOM),
    "blockDeviceMappings": nested(
        "block_device_mappings", {**_DEVICE, "noDevice": plain("no_device"), "virtualName": plain("virtual_name")}
    ),
    "elasticIpPool": nested("elastic_ip_pools", {"tagSelector": nested("tag_selector", same("tagKey", "tagValue"))}),
    "ephemeralStorage": nested("ephemeral_storages", {"deviceName": plain("ephemeral_storage_device_name")}),
    "iamInstanceProfile": _PROFILE_RULE,
    "imageId": plain("image_id"),
    "images": nested("images", {"id": plain("image_id")}),
    "instanceMetadataOptions": nested("instance_metadata_options", _METADATA),
    "instanceStorePolicy": nested("instance_store_policy", _STORE_POLICY),
    "instanceTypes": plain("instance_types"),
    "instanceTypesFilters": nested("instance_types_filters", _FILTERS),
    "labels": nested("labels", _LABEL),
    "loadBalancers": nested("load_balancers", _LOAD_BALANCER),
    "preferredOnDemandTypes": plain("preferred_od_types"),
    **same("preferredSpotTypes", "reservedENIs"),
    "resourceLimits": nested("resource_limits", same("maxInstanceCount", "minInstanceCount")),
    **same("restrictScaleDown", "rootVolumeSize"),
    "scheduling.optimizationWindows": nested("optimization_windows", _WINDOWS),
    "scheduling.shutdownHours": nested("scheduling_shutdown_hours", _SHUTDOWN_HOURS),
    "scheduling.tasks": nested(
        "scheduling_tasks",
        {
            **same("isEnabled", "cronExpression", "taskType"),
            "config.headrooms": nested("task_headrooms", _HEADROOM),
        },
    ),
    "securityGroupIds": plain("security_groups"),
    "startupTaints": nested("startup_taints", _TAINT),
    "strategy": nested(
        "strategies",
        {
            "drainingTimeout": plain("draining_timeout"),
            "orientation": nested("orientation", _ORIENTATION),
            **same("spotPercentage", "utilizeCommitments", "utilizeReservedInstances"),
        },
    ),
    "subnetIds": plain("subnet_ids"),
    "tags": nested("tags", _TAG),
    "taints": nested("taints", _TAINT),
    "userData": plain("user_data"),
}

CLUSTER_ARGUMENTS = frozenset(rule.argument for rule in CLUSTER.values())
"""The arguments of a cluster that an import can give."""

VNG_ARGUMENTS = frozenset(rule.argument for rule in GROUP.values())
"""The arguments of a Virtual Node Group that an import can give."""

OF_THE_CLUSTER = frozenset(_TEMPLATE) - frozenset(GROUP)
"""The fields of a cluster's launch specification that a Virtual Node Group does not have."""
