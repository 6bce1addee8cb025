"""A configuration in the making: what is put in, what gives way, and what is said."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.component.importing.aws_sources import Template
from ocean_migration_pulumi.component.importing.builder import PROGRAM, ConfigurationBuilder


def test_only_what_is_missing_is_filled() -> None:
    """What was told stays, and what is filled is remembered."""
    draft = ConfigurationBuilder(document={"imageId": "ami-1"}, origin="Spot")
    draft.fill("imageId", "ami-2", "AWS")
    draft.fill("userData", "Ym9vdA==", "AWS")
    draft.fill("subnetIds", [], "AWS")
    assert draft.document == {"imageId": "ami-1", "userData": "Ym9vdA=="}
    assert list(draft.describe_origins(["imageId", "userData"])) == ["AMI: from Spot", "user data: from AWS"]


@pytest.mark.parametrize(
    ("told", "name", "part"),
    [
        ({"rootVolumeSize": 30}, "blockDeviceMappings", [{"deviceName": "/dev/xvda"}]),
        ({"images": [{"id": "ami-1"}]}, "imageId", "ami-2"),
        ({"instanceTypesFilters": {"minVcpu": 2}}, "instanceTypes", ["m5.large"]),
    ],
    ids=["volumes", "images", "types"],
)
def test_what_excludes_one_another_is_not_put_together(told: dict[str, Any], name: str, part: Any) -> None:
    """The service refuses both in one specification."""
    for template, document in (("", dict(told)), ("compute.launchSpecification.", {"compute": {}})):
        draft = ConfigurationBuilder(document=document, origin="Spot", template=template)
        for path, value in told.items():
            draft.put(template + path, value, "Spot")
        draft.fill(template + name, part, "AWS")
        assert template + name not in draft.origins


def test_parts_are_put_where_nothing_was() -> None:
    """The objects above are made, also in the place of null."""
    draft = ConfigurationBuilder(document={"compute": None}, origin="Spot")
    draft.put("compute.launchSpecification.imageId", "ami-1", PROGRAM)
    assert draft.document == {"compute": {"launchSpecification": {"imageId": "ami-1"}}}
    assert list(draft.describe_origins(["compute.launchSpecification.imageId"])) == []


def test_other_version_is_said_when_something_was_taken() -> None:
    """A template that gave nothing needs no comparison."""
    template = Template(origin="launch template lt-1", parts={"imageId": "ami-2"}, doubt="it may be another")
    idle = ConfigurationBuilder(document={"imageId": "ami-1"}, origin="Spot")
    idle.fill_from(template)
    idle.warn_of_template(template)
    assert idle.warnings == []
    used = ConfigurationBuilder(document={}, origin="Spot")
    used.fill_from(template)
    used.warn_of_template(template)
    used.warn_of_template(None)
    assert used.warnings == ["it may be another: compare AMI, and set what differs in the program"]


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        ([{"tagKey": "aws:autoscaling:groupName", "tagValue": "web"}, {"tagKey": "team"}], [{"tagKey": "team"}]),
        ({"tagKey": "aws:autoscaling:groupName", "tagValue": "web"}, []),
    ],
    ids=["list", "object"],
)
def test_tags_of_aws_are_left_behind(tags: Any, kept: list[Any]) -> None:
    """AWS refuses to start an instance with them."""
    draft = ConfigurationBuilder(document={"tags": tags}, origin="Spot")
    draft.drop_reserved_tags()
    assert draft.document == {"tags": kept}
    assert [(left.path, left.reason) for left in draft.left] == [
        ("tags", "aws:autoscaling:groupName: tags that only AWS sets")
    ]


@pytest.mark.parametrize("tags", [None, [], "team", [{"tagKey": "team"}], ["odd"]], ids=str)
def test_other_tags_stay(tags: Any) -> None:
    """Also those that nobody can read: the conversion tells of them."""
    draft = ConfigurationBuilder(document={"tags": tags}, origin="Spot")
    draft.drop_reserved_tags()
    assert draft.document == {"tags": tags}
    assert draft.left == []
