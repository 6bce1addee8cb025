"""Resources of other packages: created by the user's mocks, or in the simulator."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks

from ocean_migration_pulumi.testing.offline.plugin import spotinst_inputs
from ocean_migration_pulumi.testing.offline.plugin.providers import (
    Checked,
    Difference,
    Live,
    ProviderFailure,
    ResourceTarget,
)
from ocean_migration_pulumi.testing.offline.state.values import Properties, annotate_secrets, reveal


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

    def check(self, target: ResourceTarget, news: Properties) -> Checked:
        """Take the inputs as they are."""
        self._need()
        return Checked(dict(news))

    def diff(self, target: ResourceTarget, news: Properties, ignore_changes: Sequence[str]) -> Difference:
        """Leave the comparison to the engine."""
        return Difference()

    def create(self, target: ResourceTarget, timeout: float) -> Live:
        """Call `new_resource`."""
        with _Reported():
            id_, outputs = self._need().new_resource(_arguments(target, target.inputs))
        return _live(id_ or f"{target.name}-id", outputs, target.inputs)

    def update(self, target: ResourceTarget, news: Properties, timeout: float, ignore_changes: Sequence[str]) -> Live:
        """Call `update_resource`; without it the new inputs replace the outputs of the same names."""
        mocks = self._need()
        outputs = reveal(target.outputs)
        with _Reported():
            if isinstance(mocks, ResourceMocks):
                changed = mocks.update_resource(_arguments(target, news), outputs)
            else:
                changed = {**outputs, **reveal(news)}
        return _live(target.id, changed, news)

    def delete(self, target: ResourceTarget, timeout: float) -> None:
        """Call `delete_resource`, if there is one."""
        mocks = self._need()
        if isinstance(mocks, ResourceMocks):
            with _Reported():
                mocks.delete_resource(_arguments(target, target.inputs), reveal(target.outputs))

    def read(self, target: ResourceTarget) -> Live:
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
    """Makes `spotinst` Ocean clusters and Virtual Node Groups in a simulator, over its HTTP API.

    Inputs are those of `spotinst:aws/ocean:Ocean` and `spotinst:aws/oceanLaunchSpec:OceanLaunchSpec` that the
    simulator knows, any other is without effect; an update sends what has changed. What is `None` is taken from
    `SPOTINST_BASE_URL`, `SPOTINST_TOKEN` and `SPOTINST_ACCOUNT`.

    With `joining` a Helm release of the Ocean Controller makes the controller of its cluster report, and that cluster
    shows so many nodes (a number, or one for each Auto Scaling Group); its deletion makes the controller silent. Other
    resources are mocked without any effect.
    """

    _KINDS = {  # noqa: RUF012 - never changed
        "spotinst:aws/ocean:Ocean": ("/ocean/aws/k8s/cluster", "cluster"),
        "spotinst:aws/oceanLaunchSpec:OceanLaunchSpec": ("/ocean/aws/k8s/launchSpec", "launchSpec"),
    }

    def __init__(
        self,
        base_url: str | None = None,
        token: str | None = None,
        account: str | None = None,
        *,
        joining: int | Mapping[str, int] | None = None,
    ) -> None:
        self._base_url = (base_url or os.environ["SPOTINST_BASE_URL"]).rstrip("/")
        self._token = token or os.environ["SPOTINST_TOKEN"]
        self._account = account or os.environ["SPOTINST_ACCOUNT"]
        self._joining = joining
        # No proxy, whatever the environment says: the simulator is on loopback, and may itself be that proxy.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __repr__(self) -> str:
        """Show where the resources are made, without the token."""
        return f"SimulatorMocks({self._base_url!r}, account={self._account!r})"

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Create the cluster or Virtual Node Group; the id is the service's."""
        if self._joining is not None and _is_controller(args) and (ocean_id := self._cluster_of(args)):
            joined = dict(self._joining) if isinstance(self._joining, Mapping) else self._joining
            # One that is installed again finds the nodes that are there.
            known = self._control("nodes", ocean_id=ocean_id)
            self._control("connect", ocean_id=ocean_id, nodes=0 if known else joined)
        if args.typ not in self._KINDS:
            return super().new_resource(args)
        path, key = self._KINDS[args.typ]
        query = spotinst_inputs.options(args.inputs, "createOptions")
        (item,) = self._request("POST", path, {key: _body(key, args.inputs, args.name)}, query=query)
        return str(item["id"]), {**args.inputs, "name": item["name"]}

    def update_resource(self, args: MockResourceArgs, outputs: Properties) -> Properties:
        """Send what has changed; what is no longer set is cleared."""
        if args.typ not in self._KINDS:
            return super().update_resource(args, outputs)
        path, key = self._KINDS[args.typ]
        name = str(outputs.get("name") or args.name)
        changed = spotinst_inputs.changes(_body(key, outputs, name), _body(key, args.inputs, name))
        if changed:
            self._request("PUT", f"{path}/{urllib.parse.quote(str(args.resource_id))}", {key: changed})
        return {**args.inputs, "name": args.inputs.get("name") or name}

    def delete_resource(self, args: MockResourceArgs, outputs: Properties) -> None:
        """Delete it again; one that is gone already is fine."""
        if self._joining is not None and _is_controller(args) and (ocean_id := self._cluster_of(args)):
            self._control("heartbeat", ocean_id=ocean_id, status="INACTIVE")
        if args.typ in self._KINDS:
            path, _ = self._KINDS[args.typ]
            query = spotinst_inputs.options(args.inputs, "deleteOptions")
            self._request("DELETE", f"{path}/{urllib.parse.quote(str(args.resource_id))}", None, gone=True, query=query)

    def read_resource(self, args: MockResourceArgs, outputs: Properties) -> Properties | None:
        """Look whether it is still there."""
        if args.typ not in self._KINDS:
            return outputs
        path, _ = self._KINDS[args.typ]
        found = self._request("GET", f"{path}/{urllib.parse.quote(str(args.resource_id))}", None, gone=True)
        return outputs if found else None

    def _cluster_of(self, release: MockResourceArgs) -> str:
        """Return the id of the cluster that a release of the controller reports for, empty when there is none."""
        values = release.inputs.get("values") or {}
        identifier = (values.get("spotinst") or {}).get("clusterIdentifier")
        clusters = self._request("GET", self._KINDS["spotinst:aws/ocean:Ocean"][0], None)
        return next((each["id"] for each in clusters if each["controllerClusterId"] == identifier), "")

    def _control(self, verb: str, **arguments: Any) -> Any:
        return self._send("POST", f"/simulator/{verb}", arguments, {})["result"]

    def _request(
        self, method: str, path: str, body: Any, *, gone: bool = False, query: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        answer = self._send(method, path, body, {"accountId": self._account, **(query or {})}, gone=gone)
        return [] if answer is None else list(answer["response"].get("items") or ())

    def _send(self, method: str, path: str, body: Any, query: Mapping[str, str], *, gone: bool = False) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the address of a simulator that the user passed
            f"{self._base_url}{path}?{urllib.parse.urlencode(query)}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as exc:
            text = exc.read().decode(errors="replace")
            exc.close()
            if gone and any(code in text for code in ("DOESNT_EXIST", "CANT_GET_OCEAN_LAUNCH_SPEC")):
                return None
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


def _arguments(target: ResourceTarget, inputs: Properties) -> MockResourceArgs:
    return MockResourceArgs(
        typ=target.type, name=target.name, inputs=reveal(inputs), provider="", resource_id=target.id, custom=True
    )


def _live(id_: str, outputs: Properties, secrets: Properties) -> Live:
    found = dict(outputs)
    annotate_secrets(found, secrets)
    return Live(id_, found)


def _is_controller(args: MockResourceArgs) -> bool:
    return args.typ == "kubernetes:helm.sh/v3:Release" and args.inputs.get("chart") == "ocean-kubernetes-controller"


def _body(key: str, inputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    made = spotinst_inputs.cluster if key == "cluster" else spotinst_inputs.virtual_node_group
    return made(inputs, name)
