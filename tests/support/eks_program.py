"""Previews a program under the mocks of Pulumi's SDK, and prints what it registers, as JSON.

It is the preview of a new stack: of what a component of another language makes nothing is known.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto.resource_pb2 import RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES, DeploymentInfo


class NewStackMocks(Mocks):
    """Registers everything, and knows of nothing more than was said."""

    def __init__(self) -> None:
        self.registered: list[str] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Register a resource; what is read is known."""
        self.registered.append(f"{args.typ} {args.name}")
        known = {"name": args.name, "arn": f"arn:aws:iam::123456789012:role/{args.name}"} if args.resource_id else {}
        return f"{args.name}-id", {**args.inputs, **known}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Answer no function: without the name of a cluster there is nothing to ask."""
        msg = f"{args.token} was called"
        raise AssertionError(msg)


class PlainMonitor(MockMonitor):
    """Lets a resource be sent as its id: the SDK's own would make it anew, on a thread whose loop nobody runs."""

    def GetDeploymentInfo(self, request: Any) -> Any:
        """Tell the SDK what it may use."""
        info = super().GetDeploymentInfo(request)  # type: ignore[no-untyped-call]  # of the SDK
        kept = [each for each in info.supportedFeatures if each != RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES]
        return DeploymentInfo(supportedFeatures=kept)


def main(directory: str, config: str) -> None:
    """Run the program of a directory with a config in JSON."""
    mocks = NewStackMocks()
    pulumi.runtime.set_mocks(mocks, preview=True, monitor=PlainMonitor(mocks))
    pulumi.runtime.set_all_config({f"project:{key}": value for key, value in json.loads(config).items()})

    @pulumi.runtime.test  # type: ignore[untyped-decorator]  # of the SDK
    def program() -> None:
        runpy.run_path(str(Path(directory) / "__main__.py"), run_name="__main__")

    program()
    sys.stdout.write(json.dumps(mocks.registered))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
