"""A configuration that is being built, with the origin of each field and warnings."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ocean_migration_pulumi.common.text import list_some
from ocean_migration_pulumi.component.importing.aws_sources import Template
from ocean_migration_pulumi.component.importing.field_rules import Left, Table, at, is_nothing

NODES_NEED = ("imageId", "securityGroupIds", "iamInstanceProfile", "userData")
"""What no instance starts without, or joins the cluster without."""

PROGRAM = "the program"
"""The origin of what the user said: nothing that the user has to be told."""

_LOSSES = {"iamInstanceProfile": "have no rights in AWS", "userData": "cannot join the cluster"}
_INSTEAD = {"blockDeviceMappings": "rootVolumeSize", "imageId": "images", "instanceTypes": "instanceTypesFilters"}
"""What the service refuses beside one another."""

_WORDS = {
    "capacity.minimum": "minimum capacity",
    "capacity.maximum": "maximum capacity",
    "autoScaler": "autoscaler",
    "fallbackToOd": "fallback to on demand",
    "associatePublicIpAddress": "public addresses",
    "blockDeviceMappings": "block devices",
    "controllerClusterId": "controller id",
    "iamInstanceProfile": "instance profile",
    "imageId": "AMI",
    "keyPair": "key pair",
    "securityGroupIds": "security groups",
    "subnetIds": "subnets",
    "userData": "user data",
    "whitelist": "instance types",
}


@dataclass(slots=True)
class ConfigurationBuilder:
    """A configuration that fields are put into."""

    document: dict[str, Any]
    """The configuration, with the names of Spot's API."""
    origin: str
    """Where its fields come from, unless ``origins`` says otherwise."""
    template: str = ""
    """The path of the launch specification, with a dot at its end."""
    table: Table = field(default_factory=dict)
    """The arguments of its fields."""
    declared: Collection[str] = ()
    """The arguments that the program sets itself: what was copied for them is not used."""
    origins: dict[str, str] = field(default_factory=dict)
    """Where fields come from, by path."""
    left: list[Left] = field(default_factory=list)
    """The fields that were left behind."""
    warnings: list[str] = field(default_factory=list)
    """What the user should check."""

    def put(self, path: str, part: Any, origin: str) -> None:
        """Set a part, whatever was there."""
        below = self.document
        *above, name = path.split(".")
        for step in above:
            if not isinstance(below.get(step), dict):
                below[step] = {}
            below = below[step]
        below[name] = part
        self.origins[path] = origin

    def fill(self, path: str, part: Any, origin: str) -> None:
        """Set a part that is missing, unless there is something that excludes it."""
        above, dot, name = path.rpartition(".")
        rival = _INSTEAD.get(name)
        excluded = rival is not None and not is_nothing(at(self.document, f"{above}{dot}{rival}"))
        if not excluded and not is_nothing(part) and is_nothing(at(self.document, path)):
            self.put(path, part, origin)

    def fill_from(self, template: Template | None) -> None:
        """Set what is missing of a launch specification; None tells nothing."""
        if template is None:
            return
        for name, part in template.parts.items():
            self.fill(self.template + name, part, template.origin)

    def warn_of_template(self, template: Template | None) -> None:
        """Warn of parts copied from a version that the group does not use, and of parts without a field in Spot."""
        if template is None:
            return
        copied = [path for path, origin in self.origins.items() if origin == template.origin]
        parts = [_word(path) for path in copied if not self.declares(path)]
        if template.doubt and parts:
            self.warnings.append(f"{template.doubt}: compare {', '.join(parts)}, and set what differs in the program")
        if template.lost:
            lost = ", ".join(template.lost)
            self.warnings.append(
                f"{template.origin} sets {lost}, not copied: check that pods work on nodes without them"
            )

    def leave(self, path: str, reason: str, remedy: str) -> None:
        """Take a part out, and say so if it was there."""
        if not is_nothing(at(self.document, path)):
            self.put(path, None, self.origin)
            self.left.append(Left(path=path, reason=reason, remedy=remedy))

    def declares(self, path: str) -> bool:
        """Tell whether the program sets the argument of a field itself."""
        names = path.partition("[")[0].split(".")
        above = (".".join(names[:count]) for count in range(len(names), 0, -1))
        rule = next((self.table[each] for each in above if each in self.table), None)
        return rule is not None and rule.argument in self.declared

    def warn(self, path: str, text: str) -> None:
        """Add a warning about a field, unless the program sets it itself."""
        if not self.declares(path):
            self.warnings.append(text)

    def lacks(self, *names: str) -> bool:
        """Tell whether a part of the launch specification is missing."""
        return any(is_nothing(at(self.document, self.template + name)) for name in names)

    def warn_of_lacks(self) -> None:
        """Say what nodes need and nobody tells."""
        for name, loss in _LOSSES.items():
            if self.lacks(name):
                nobody = "reported by neither Spot's import nor AWS"
                text = f"{_WORDS[name]}: {nobody}, and instances without {loss}: set it yourself"
                self.warn(self.template + name, text)

    def drop_reserved_tags(self) -> None:
        """Take out the tags that AWS sets itself, and refuses from anybody else."""
        path = f"{self.template}tags"
        tags = at(self.document, path)
        # The API reference shows the tags of an import as one object, too.
        tags = [tags] if isinstance(tags, Mapping) else tags
        if not isinstance(tags, list):
            return
        reserved = [tag for tag in tags if isinstance(tag, Mapping) and str(tag.get("tagKey")).startswith("aws:")]
        if reserved:
            self.put(path, [tag for tag in tags if tag not in reserved], self.origin)
            keys = list_some([str(tag["tagKey"]) for tag in reserved])
            self.left.append(Left(path=path, reason=f"{keys}: tags that only AWS sets", remedy="no action needed"))

    def describe_origins(self, taken: Iterable[str]) -> Iterator[str]:
        """Yield for each origin but the program the parts that were taken from it, in one line."""
        words: dict[str, list[str]] = {}
        for path in taken:
            if self.declares(path):
                continue
            words.setdefault(self.origins.get(path, self.origin), []).append(_word(path))
        words.pop(PROGRAM, None)
        for origin, parts in words.items():
            yield f"{', '.join(dict.fromkeys(parts))}: from {origin}"


def _word(path: str) -> str:
    name = path.rpartition(".")[2]
    return _WORDS.get(path) or _WORDS.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
