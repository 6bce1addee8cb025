"""The input types of the resource, as classes and as dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import pulumi
from pulumi import Input


class NodeSelectorArgsDict(TypedDict, total=False):
    """Which nodes, as a dictionary; see ``NodeSelectorArgs``."""

    instance_ids: Input[Sequence[Input[str]]]
    node_names: Input[Sequence[Input[str]]]
    asg_names: Input[Sequence[Input[str]]]
    eks_node_groups: Input[Sequence[Input[str]]]
    virtual_node_groups: Input[Sequence[Input[str]]]
    label_selector: Input[str]
    exclude: Input[NodeSelectorArgs | NodeSelectorArgsDict]
    all_nodes: Input[bool]
    limit: Input[str]


@pulumi.input_type
class NodeSelectorArgs:
    """Which nodes: values of one field are alternatives, different fields must all hold.

    A selector without any field is an error: migrating every node has to be said, with ``all_nodes``.
    """

    def __init__(
        self,
        *,
        instance_ids: Input[Sequence[Input[str]]] | None = None,
        node_names: Input[Sequence[Input[str]]] | None = None,
        asg_names: Input[Sequence[Input[str]]] | None = None,
        eks_node_groups: Input[Sequence[Input[str]]] | None = None,
        virtual_node_groups: Input[Sequence[Input[str]]] | None = None,
        label_selector: Input[str] | None = None,
        exclude: Input[NodeSelectorArgs | NodeSelectorArgsDict] | None = None,
        all_nodes: Input[bool] | None = None,
        limit: Input[str] | None = None,
    ) -> None:
        """Select nodes.

        :param instance_ids: EC2 instance ids.
        :param node_names: Kubernetes node names.
        :param asg_names: names of Auto Scaling Groups; ``*``, ``?`` and ``[...]`` are wildcards.
        :param eks_node_groups: names of EKS managed node groups.
        :param virtual_node_groups: ids of the Virtual Node Groups that the nodes match, or ``"Default"`` for nodes
            without labels and taints.
        :param label_selector: node labels, in kubectl's syntax; needs access to Kubernetes.
        :param exclude: nodes that are never taken.
        :param all_nodes: every node that can be migrated.
        :param limit: at most so many nodes (``"5"``), or such a share of the matching ones, rounded up (``"50%"``).
            None means all.
        """
        given: dict[str, Any] = {
            "instance_ids": instance_ids,
            "node_names": node_names,
            "asg_names": asg_names,
            "eks_node_groups": eks_node_groups,
            "virtual_node_groups": virtual_node_groups,
            "label_selector": label_selector,
            "exclude": exclude,
            "all_nodes": all_nodes,
            "limit": limit,
        }
        for name, value in given.items():
            if value is not None:
                pulumi.set(self, name, value)

    instance_ids: Input[Sequence[Input[str]]] | None = pulumi.property("instance_ids")
    node_names: Input[Sequence[Input[str]]] | None = pulumi.property("node_names")
    asg_names: Input[Sequence[Input[str]]] | None = pulumi.property("asg_names")
    eks_node_groups: Input[Sequence[Input[str]]] | None = pulumi.property("eks_node_groups")
    virtual_node_groups: Input[Sequence[Input[str]]] | None = pulumi.property("virtual_node_groups")
    label_selector: Input[str] | None = pulumi.property("label_selector")
    exclude: Input[Any] | None = pulumi.property("exclude")
    all_nodes: Input[bool] | None = pulumi.property("all_nodes")
    limit: Input[str] | None = pulumi.property("limit")
