"""Resources of other packages: created by the user's mocks, or in the simulator."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import Any

from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks

from ocean_migration_pulumi.testing.providers import Checked, Difference, Live, ProviderFailure, Target
from ocean_migration_pulumi.testing.values import Properties, annotate_secrets, reveal


class ResourceMocks(Mocks):
    """Mocks whose resources have a life after their creation; each method has a default that fits most."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Create a resource: return its id and its outputs, here its name and its inputs."""
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Answer a function call: return its result, here its arguments."""
        return dict(args.args), None

    def update_resource(self, args: MockResourceArgs, outputs: Properties) -> Properties:
        """Change a resource to new inputs: return its outputs, here the old ones with the inputs over them."""
        return {**outputs, **args.inputs}

    def delete_resource(self, args: MockResourceArgs, outputs: Properties) -> None:
        """Delete a resource, here without any trace."""

    def read_resource(self, args: MockResourceArgs, outputs: Properties) -> Properties | None:
        """Look at a resource: return its outputs, or `None` when it is gone; here as it was."""
        return outputs


class MockProvider:
    """A provider of any package that is made of mocks; plain `pulumi.runtime.Mocks` will do."""

    def __init__(self, mocks: Mocks | None, package: str) -> None:
        self._mocks = mocks
        self._package = package

    def check(self, target: Target, news: Properties) -> Checked:
        """Take the inputs as they are."""
        self._need()
        return Checked(dict(news))

    def diff(self, target: Target, news: Properties, ignore_changes: Sequence[str]) -> Difference:
        """Leave the comparison to the engine."""
        return Difference()

    def create(self, target: Target, timeout: float) -> Live:
        """Call `new_resource`."""
        with _Reported():
            id_, outputs = self._need().new_resource(_arguments(target, target.inputs))
        return _live(id_ or f"{target.name}-id", outputs, target.inputs)

    def update(self, target: Target, news: Properties, timeout: float, ignore_changes: Sequence[str]) -> Live:
        """Call `update_resource`; without it the new inputs replace the outputs of the same names."""
        mocks = self._need()
        outputs = reveal(target.outputs)
        with _Reported():
            if isinstance(mocks, ResourceMocks):
                changed = mocks.update_resource(_arguments(target, news), outputs)
            else:
                changed = {**outputs, **reveal(news)}
        return _live(target.id, changed, news)

    def delete(self, target: Target, timeout: float) -> None:
        """Call `delete_resource`, if there is one."""
        mocks = self._need()
        if isinstance(mocks, ResourceMocks):
            with _Reported():
                mocks.delete_resource(_arguments(target, target.inputs), reveal(target.outputs))

    def read(self, target: Target) -> Live:
        """Call `read_resource`; without it a managed resource is as it was, and any other is made by `new_resource`."""
        mocks = self._need()
        arguments = _arguments(target, target.inputs)
        with _Reported():
            if isinstance(mocks, ResourceMocks):
                found = mocks.read_resource(arguments, reveal(target.outputs))
                return Live("") if found is None else _live(target.id, found, target.outputs)
            id_, made = mocks.new_resource(arguments)
            known = target.outputs if target.outputs != target.inputs else made
            return _live(id_ or target.id, known, target.outputs)

    def call(self, token: str, arguments: Properties) -> tuple[Properties, list[tuple[str, str]]]:
        """Call a function of the package: return its result and what is wrong with the arguments."""
        with _Reported():
            answer: Any = self._need().call(MockCallArgs(token=token, args=reveal(arguments), provider=""))
        result, failures = answer if isinstance(answer, tuple) else (answer, None)
        return dict(result), list(failures or ())

    def cancel(self) -> None:
        """Nothing to do: mocks end soon."""

    def close(self, *, at_once: bool = False) -> None:
        """Nothing to do: mocks run in this process."""

    def _need(self) -> Mocks:
        if self._mocks is None:
            msg = f"no plugin for package {self._package} here: pass `mocks` for the resources of other packages"
            raise ProviderFailure(msg)
        return self._mocks


class SimulatorMocks(ResourceMocks):
    """Creates `spotinst` Ocean clusters and Virtual Node Groups in a simulator, over its HTTP API.

    Inputs are those of `spotinst:aws/ocean:Ocean` and `spotinst:aws/oceanLaunchSpec:OceanLaunchSpec` that the
    simulator knows; resources of other types are mocked without any effect. What is `None` is taken from
    `SPOTINST_BASE_URL`, `SPOTINST_TOKEN` and `SPOTINST_ACCOUNT`.
    """

    _KINDS = {  # noqa: RUF012 - never changed
        "spotinst:aws/ocean:Ocean": ("/ocean/aws/k8s/cluster", "cluster"),
        "spotinst:aws/oceanLaunchSpec:OceanLaunchSpec": ("/ocean/aws/k8s/launchSpec", "launchSpec"),
    }

    def __init__(self, base_url: str | None = None, token: str | None = None, account: str | None = None) -> None:
        self._base_url = (base_url or os.environ["SPOTINST_BASE_URL"]).rstrip("/")
        self._token = token or os.environ["SPOTINST_TOKEN"]
        self._account = account or os.environ["SPOTINST_ACCOUNT"]

    def __repr__(self) -> str:
        """Show where the resources are made, without the token."""
        return f"SimulatorMocks({self._base_url!r}, account={self._account!r})"

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Create the cluster or Virtual Node Group; the id is the service's."""
        if args.typ not in self._KINDS:
            return super().new_resource(args)
        path, key = self._KINDS[args.typ]
        body = _cluster(args) if key == "cluster" else _virtual_node_group(args)
        (item,) = self._request("POST", path, {key: body})
        return str(item["id"]), {**args.inputs, "name": item.get("name", args.name)}

    def delete_resource(self, args: MockResourceArgs, outputs: Properties) -> None:
        """Delete it again; one that is gone already is fine."""
        if args.typ in self._KINDS:
            path, _ = self._KINDS[args.typ]
            self._request("DELETE", f"{path}/{urllib.parse.quote(str(args.resource_id))}", None, gone=True)

    def read_resource(self, args: MockResourceArgs, outputs: Properties) -> Properties | None:
        """Look whether it is still there."""
        if args.typ not in self._KINDS:
            return outputs
        path, _ = self._KINDS[args.typ]
        found = self._request("GET", f"{path}/{urllib.parse.quote(str(args.resource_id))}", None, gone=True)
        return outputs if found else None

    def _request(self, method: str, path: str, body: Any, *, gone: bool = False) -> list[dict[str, Any]]:
        url = f"{self._base_url}{path}?{urllib.parse.urlencode({'accountId': self._account})}"
        request = urllib.request.Request(  # noqa: S310 - the address of a simulator that the user passed
            url,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                return list(json.load(answer)["response"].get("items") or ())
        except urllib.error.HTTPError as exc:
            text = exc.read().decode(errors="replace")
            exc.close()
            if gone and any(code in text for code in ("DOESNT_EXIST", "CANT_GET_OCEAN_LAUNCH_SPEC")):
                return []
            msg = f"{method} {path}: HTTP {exc.code}: {text[:500]}"
            raise ProviderFailure(msg) from None


class _Reported:
    """Turns whatever the user's mocks raise into a failure of the step."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, ProviderFailure):
            msg = f"{type(error).__name__}: {error}"
            raise ProviderFailure(msg) from error


def _arguments(target: Target, inputs: Properties) -> MockResourceArgs:
    return MockResourceArgs(
        typ=target.type, name=target.name, inputs=reveal(inputs), provider="", resource_id=target.id, custom=True
    )


def _live(id_: str, outputs: Properties, secrets: Properties) -> Live:
    found = dict(outputs)
    annotate_secrets(found, secrets)
    return Live(id_, found)


def _cluster(args: MockResourceArgs) -> dict[str, Any]:
    inputs = args.inputs
    body: dict[str, Any] = {
        "name": inputs.get("name", args.name),
        "controllerClusterId": inputs.get("controllerId", args.name),
        "region": inputs.get("region", "us-east-1"),
        "compute": {
            "subnetIds": inputs.get("subnetIds", []),
            "launchSpecification": {
                "imageId": inputs.get("imageId", "ami-0"),
                "securityGroupIds": inputs.get("securityGroups", []),
            },
        },
    }
    capacity = {key: int(inputs[name]) for name, key in _CAPACITY.items() if name in inputs}
    if capacity:
        body["capacity"] = capacity
    return body


_CAPACITY = {"minSize": "minimum", "maxSize": "maximum", "desiredCapacity": "target"}


def _virtual_node_group(args: MockResourceArgs) -> dict[str, Any]:
    inputs = args.inputs
    body: dict[str, Any] = {"oceanId": inputs["oceanId"], "name": inputs.get("name", args.name)}
    for name in ("labels", "taints"):
        if inputs.get(name):
            body[name] = inputs[name]
    return body
