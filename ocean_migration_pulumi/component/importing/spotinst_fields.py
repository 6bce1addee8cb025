"""What each field of a cluster and of a Virtual Node Group on the wire is called in pulumi_spotinst."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ocean_migration_pulumi.api.models import decode
from ocean_migration_pulumi.component.importing.field_rules import (
    Rule,
    Table,
    count,
    each,
    flag,
    leaf,
    number,
    only,
    part,
    text,
    texts,
    wrapped,
)

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


def _profile() -> Rule:
    return leaf("iam_instance_profile", instance_profile, "has neither arn nor name")


def _dynamic() -> Table:
    return {
        "baseSize": count("base_size"),
        "resource": text("resource"),
        "sizePerResourceUnit": count("size_per_resource_unit"),
    }


def _device(owner: str) -> Table:
    return {
        "deviceName": text("device_name"),
        "ebs": part(
            "ebs",
            f"{owner}BlockDeviceMappingEbsArgs",
            {
                "deleteOnTermination": flag("delete_on_termination"),
                "dynamicIops": part("dynamic_iops", f"{owner}BlockDeviceMappingEbsDynamicIopsArgs", _dynamic()),
                "dynamicVolumeSize": part(
                    "dynamic_volume_size", f"{owner}BlockDeviceMappingEbsDynamicVolumeSizeArgs", _dynamic()
                ),
                "encrypted": flag("encrypted"),
                "iops": count("iops"),
                "kmsKeyId": text("kms_key_id"),
                "snapshotId": text("snapshot_id"),
                "throughput": count("throughput"),
                "volumeSize": count("volume_size"),
                "volumeType": text("volume_type"),
            },
        ),
    }


_FILTERS: Table = {
    "categories": texts("categories"),
    "diskTypes": texts("disk_types"),
    "excludeFamilies": texts("exclude_families"),
    "excludeMetal": flag("exclude_metal"),
    "hypervisor": texts("hypervisors"),
    "includeFamilies": texts("include_families"),
    "isEnaSupported": text("is_ena_supported"),
    "maxGpu": count("max_gpu"),
    "maxMemoryGiB": number("max_memory_gib"),
    "maxNetworkPerformance": count("max_network_performance"),
    "maxVcpu": count("max_vcpu"),
    "minEnis": count("min_enis"),
    "minGpu": count("min_gpu"),
    "minMemoryGiB": number("min_memory_gib"),
    "minNetworkPerformance": count("min_network_performance"),
    "minVcpu": count("min_vcpu"),
    "rootDeviceTypes": texts("root_device_types"),
    "virtualizationTypes": texts("virtualization_types"),
}
_METADATA: Table = {
    "httpTokens": text("http_tokens"),
    "httpPutResponseHopLimit": count("http_put_response_hop_limit"),
}
_TAG: Table = {"tagKey": text("key"), "tagValue": text("value", default="")}
_LABEL: Table = {"key": text("key"), "value": text("value", default="")}
_TAINT: Table = {**_LABEL, "effect": text("effect")}
_LOAD_BALANCER: Table = {"type": text("type"), "name": text("name"), "arn": text("arn")}
_STORE_POLICY: Table = {"type": text("instance_store_policy_type")}
_ORIENTATION: Table = {"availabilityVsCost": text("availability_vs_cost")}
_HEADROOM: Table = {
    "cpuPerUnit": count("cpu_per_unit"),
    "gpuPerUnit": count("gpu_per_unit"),
    "memoryPerUnit": count("memory_per_unit"),
    "numOfUnits": count("num_of_units"),
}
_DOWN: Table = {
    "maxScaleDownPercentage": number("max_scale_down_percentage"),
    "aggressiveScaleDown.isEnabled": flag("is_aggressive_scale_down_enabled"),
}
_SHUTDOWN_HOURS: Table = {"timeWindows": texts("time_windows"), "isEnabled": flag("is_enabled")}
_ROLL: Table = {
    "batchMinHealthyPercentage": count("batch_min_healthy_percentage"),
    "batchSizePercentage": count("batch_size_percentage"),
    "comment": text("comment"),
    "respectPdb": flag("respect_pdb"),
}


def _windows(owner: str) -> Table:
    window = {"cronExpression": text("cron_expression"), "duration": text("duration"), "effects": texts("effects")}
    return {
        "isEnabled": flag("is_enabled"),
        "windows": each("windows", f"{owner}OptimizationWindowsWindowArgs", window),
    }


_PARAMETERS = "OceanScheduledTaskTaskParameters"
_CLUSTER_TASK: Table = {
    "isEnabled": flag("is_enabled"),
    "cronExpression": text("cron_expression"),
    "taskType": text("task_type"),
    "parameters": part(
        "parameters",
        f"{_PARAMETERS}Args",
        {
            "clusterRoll": part("parameters_cluster_roll", f"{_PARAMETERS}ParametersClusterRollArgs", _ROLL),
            "amiAutoUpdate": part(
                "ami_auto_update",
                f"{_PARAMETERS}AmiAutoUpdateArgs",
                {
                    "applyRoll": flag("apply_roll"),
                    "minorVersion": flag("minor_version"),
                    "patch": flag("patch"),
                    "clusterRoll": part(
                        "ami_auto_update_cluster_roll",
                        f"{_PARAMETERS}AmiAutoUpdateAmiAutoUpdateClusterRollArgs",
                        _ROLL,
                    ),
                },
            ),
        },
    ),
}
_SCHEDULING: Table = {
    "optimizationWindows": part(
        "optimization_windows", "OceanScheduledTaskOptimizationWindowsArgs", _windows("OceanScheduledTask")
    ),
    "shutdownHours": part("shutdown_hours", "OceanScheduledTaskShutdownHoursArgs", _SHUTDOWN_HOURS),
    "tasks": each("tasks", "OceanScheduledTaskTaskArgs", _CLUSTER_TASK),
}
_AUTOSCALER: Table = {
    "isEnabled": flag("autoscale_is_enabled"),
    "isAutoConfig": flag("autoscale_is_auto_config"),
    "autoHeadroomPercentage": count("auto_headroom_percentage"),
    "cooldown": count("autoscale_cooldown"),
    "enableAutomaticAndManualHeadroom": flag("enable_automatic_and_manual_headroom"),
    "extendedResourceDefinitions": texts("extended_resource_definitions"),
    "headroom": part("autoscale_headroom", "OceanAutoscalerAutoscaleHeadroomArgs", _HEADROOM),
    "down": part(
        "autoscale_down",
        "OceanAutoscalerAutoscaleDownArgs",
        {**_DOWN, "evaluationPeriods": count("evaluation_periods")},
    ),
    "resourceLimits": part(
        "resource_limits",
        "OceanAutoscalerResourceLimitsArgs",
        {"maxMemoryGib": count("max_memory_gib"), "maxVCpu": count("max_vcpu")},
    ),
}

TEMPLATE = "compute.launchSpecification"
"""Where a cluster has what a Virtual Node Group has at its top."""

_TEMPLATE: Table = {
    "associateIpv6Address": flag("associate_ipv6_address"),
    "associatePublicIpAddress": flag("associate_public_ip_address"),
    "blockDeviceMappings": each("block_device_mappings", "OceanBlockDeviceMappingArgs", _device("Ocean")),
    "ebsOptimized": flag("ebs_optimized"),
    "healthCheckUnhealthyDurationBeforeReplacement": count("health_check_unhealthy_duration_before_replacement"),
    "iamInstanceProfile": _profile(),
    "imageId": text("image_id"),
    "instanceMetadataOptions": part("instance_metadata_options", "OceanInstanceMetadataOptionsArgs", _METADATA),
    "instanceStorePolicy": part("instance_store_policy", "OceanInstanceStorePolicyArgs", _STORE_POLICY),
    "keyPair": text("key_name"),
    "loadBalancers": each("load_balancers", "OceanLoadBalancerArgs", _LOAD_BALANCER),
    "monitoring": flag("monitoring"),
    "primaryIpv6": flag("primary_ipv6"),
    "reservedENIs": count("reserved_enis"),
    "resourceTagSpecification": only(
        "resource_tag_specifications",
        "OceanResourceTagSpecificationArgs",
        {"volumes.shouldTag": flag("should_tag_volumes")},
    ),
    "rootVolumeSize": count("root_volume_size"),
    "securityGroupIds": texts("security_groups"),
    "startupTaints": each("startup_taints", "OceanStartupTaintArgs", _TAINT),
    "tags": each("tags", "OceanTagArgs", _TAG),
    "useAsTemplateOnly": flag("use_as_template_only"),
    # As it comes, in base64: the provider does not encode it again, and what is packed in it is not always text.
    "userData": text("user_data"),
}

CLUSTER: Table = {
    "name": text("name"),
    "controllerClusterId": text("controller_id"),
    "region": text("region"),
    "capacity.minimum": count("min_size"),
    "capacity.maximum": count("max_size"),
    "capacity.target": count("desired_capacity"),
    "strategy.clusterOrientation": only("cluster_orientations", "OceanClusterOrientationArgs", _ORIENTATION),
    "strategy.drainingTimeout": count("draining_timeout"),
    "strategy.fallbackToOd": flag("fallback_to_ondemand"),
    "strategy.gracePeriod": count("grace_period"),
    "strategy.maxReplacementLimitPercentage": count("max_replacement_limit_percentage"),
    "strategy.spotPercentage": count("spot_percentage"),
    "strategy.spreadNodesBy": text("spread_nodes_by"),
    "strategy.utilizeCommitments": flag("utilize_commitments"),
    "strategy.utilizeReservedInstances": flag("utilize_reserved_instances"),
    "compute.subnetIds": texts("subnet_ids"),
    "compute.instanceTypes.whitelist": texts("whitelists"),
    "compute.instanceTypes.blacklist": texts("blacklists"),
    "compute.instanceTypes.filters": part(
        "filters", "OceanFiltersArgs", {**_FILTERS, "architectures": texts("architectures")}
    ),
    **{f"{TEMPLATE}.{name}": rule for name, rule in _TEMPLATE.items()},
    "autoScaler": part("autoscaler", "OceanAutoscalerArgs", _AUTOSCALER),
    "scheduling": only("scheduled_tasks", "OceanScheduledTaskArgs", _SCHEDULING),
    "logging": part(
        "logging",
        "OceanLoggingArgs",
        {
            "export": part(
                "export",
                "OceanLoggingExportArgs",
                {"s3": only("s3s", "OceanLoggingExportS3Args", {"id": text("id")})},
            )
        },
    ),
}

GROUP: Table = {
    "oceanId": text("ocean_id"),
    "name": text("name"),
    "associatePublicIpAddress": flag("associate_public_ip_address"),
    "autoScale.autoHeadroomPercentage": wrapped(
        "autoscale_headrooms_automatics",
        "OceanLaunchSpecAutoscaleHeadroomsAutomaticArgs",
        count("auto_headroom_percentage"),
    ),
    "autoScale.down": only("autoscale_downs", "OceanLaunchSpecAutoscaleDownArgs", _DOWN),
    "autoScale.headrooms": each("autoscale_headrooms", "OceanLaunchSpecAutoscaleHeadroomArgs", _HEADROOM),
    "blockDeviceMappings": each(
        "block_device_mappings",
        "OceanLaunchSpecBlockDeviceMappingArgs",
        {**_device("OceanLaunchSpec"), "noDevice": text("no_device"), "virtualName": text("virtual_name")},
    ),
    "elasticIpPool": only(
        "elastic_ip_pools",
        "OceanLaunchSpecElasticIpPoolArgs",
        {
            "tagSelector": part(
                "tag_selector",
                "OceanLaunchSpecElasticIpPoolTagSelectorArgs",
                {"tagKey": text("tag_key"), "tagValue": text("tag_value")},
            )
        },
    ),
    "ephemeralStorage": only(
        "ephemeral_storages",
        "OceanLaunchSpecEphemeralStorageArgs",
        {"deviceName": text("ephemeral_storage_device_name")},
    ),
    "iamInstanceProfile": _profile(),
    "imageId": text("image_id"),
    "images": each("images", "OceanLaunchSpecImageArgs", {"id": text("image_id")}),
    "instanceMetadataOptions": part(
        "instance_metadata_options", "OceanLaunchSpecInstanceMetadataOptionsArgs", _METADATA
    ),
    "instanceStorePolicy": part("instance_store_policy", "OceanLaunchSpecInstanceStorePolicyArgs", _STORE_POLICY),
    "instanceTypes": texts("instance_types"),
    "instanceTypesFilters": part("instance_types_filters", "OceanLaunchSpecInstanceTypesFiltersArgs", _FILTERS),
    "labels": each("labels", "OceanLaunchSpecLabelArgs", _LABEL),
    "loadBalancers": each("load_balancers", "OceanLaunchSpecLoadBalancerArgs", _LOAD_BALANCER),
    "preferredOnDemandTypes": texts("preferred_od_types"),
    "preferredSpotTypes": texts("preferred_spot_types"),
    "reservedENIs": count("reserved_enis"),
    "resourceLimits": only(
        "resource_limits",
        "OceanLaunchSpecResourceLimitArgs",
        {"maxInstanceCount": count("max_instance_count"), "minInstanceCount": count("min_instance_count")},
    ),
    "restrictScaleDown": flag("restrict_scale_down"),
    "rootVolumeSize": count("root_volume_size"),
    "scheduling.optimizationWindows": part(
        "optimization_windows", "OceanLaunchSpecOptimizationWindowsArgs", _windows("OceanLaunchSpec")
    ),
    "scheduling.shutdownHours": part(
        "scheduling_shutdown_hours", "OceanLaunchSpecSchedulingShutdownHoursArgs", _SHUTDOWN_HOURS
    ),
    "scheduling.tasks": each(
        "scheduling_tasks",
        "OceanLaunchSpecSchedulingTaskArgs",
        {
            "isEnabled": flag("is_enabled"),
            "cronExpression": text("cron_expression"),
            "taskType": text("task_type"),
            "config.headrooms": each("task_headrooms", "OceanLaunchSpecSchedulingTaskTaskHeadroomArgs", _HEADROOM),
        },
    ),
    "securityGroupIds": texts("security_groups"),
    "startupTaints": each("startup_taints", "OceanLaunchSpecStartupTaintArgs", _TAINT),
    "strategy": only(
        "strategies",
        "OceanLaunchSpecStrategyArgs",
        {
            "drainingTimeout": count("draining_timeout"),
            "orientation": part("orientation", "OceanLaunchSpecStrategyOrientationArgs", _ORIENTATION),
            "spotPercentage": count("spot_percentage"),
            "utilizeCommitments": flag("utilize_commitments"),
            "utilizeReservedInstances": flag("utilize_reserved_instances"),
        },
    ),
    "subnetIds": texts("subnet_ids"),
    "tags": each("tags", "OceanLaunchSpecTagArgs", _TAG),
    "taints": each("taints", "OceanLaunchSpecTaintArgs", _TAINT),
    "userData": text("user_data"),
}

OF_THE_CLUSTER = frozenset(_TEMPLATE) - frozenset(GROUP)
"""What a cluster's launch specification has, and no Virtual Node Group by itself."""
