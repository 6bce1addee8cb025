"""Mocks that create the Ocean clusters and VNGs of a program in a simulator."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pulumi.runtime import MockResourceArgs

from ocean_migration_pulumi.testing.offline.plugin import spotinst_inputs
from ocean_migration_pulumi.testing.offline.plugin.mocks import ResourceMocks
from ocean_migration_pulumi.testing.offline.plugin.providers import ProviderFailure
from ocean_migration_pulumi.testing.offline.state.values import Properties

_MERGED: Final = "MergeCredentialsChain=true"
_NO_CREDENTIALS: Final = "No valid credentials found for Spotinst Provider"


class _Credentials(NamedTuple):
    """Token and account; each may be empty."""

    token: str
    account: str


class SimulatorMocks(ResourceMocks):
    """Creates the `spotinst` Ocean clusters and Virtual Node Groups of a program in a simulator, over its HTTP API.

    The resources `spotinst:aws/ocean:Ocean` and `spotinst:aws/oceanLaunchSpec:OceanLaunchSpec` use the inputs that the
    simulator supports, and ignore the others. An update sends what changed. Resources of other types have no effect.

    Token and account are found as by the real plugin: in the configuration of the provider, else in the environment.
    The plugin does not complete one from the other, unless the feature flag `MergeCredentialsChain` is set.

    Args:
        base_url: The base URL of the simulator, `None` for `SPOTINST_BASE_URL`.
        token: The token of the environment, `None` for `SPOTINST_TOKEN`, which may not be set.
        account: The account of the environment, `None` for `SPOTINST_ACCOUNT`, which may not be set.
        joining: The number of nodes that a cluster reports once the program installs the Helm release of its Ocean
            controller, or a number for each Auto Scaling Group. Deleting the release stops the heartbeat. `None`
            ignores such releases.
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
        self._environment = _Credentials(
            token or os.environ.get("SPOTINST_TOKEN", ""), account or os.environ.get("SPOTINST_ACCOUNT", "")
        )
        self._configured: dict[str, _Credentials] = {}
        self._joining = joining
        # Ignore the proxy of the environment: the simulator is on loopback, and may be that proxy itself.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __repr__(self) -> str:
        """Show the simulator and the account, without the token."""
        return f"SimulatorMocks({self._base_url!r}, account={self._environment.account!r})"

    def configure_provider(self, package: str, reference: str, config: Properties) -> None:
        """Find token and account of a `spotinst` provider; refuse it without a token, as the plugin does."""
        if package != "spotinst":
            return
        found = _Credentials(str(config.get("token") or ""), str(config.get("account") or ""))
        flags = str(config.get("featureFlags") or "").replace(" ", "").split(",")
        if found == _Credentials("", "") or _MERGED in flags:
            own = self._environment
            found = _Credentials(found.token or own.token, found.account or own.account)
        if not found.token:
            raise ProviderFailure(_NO_CREDENTIALS)
        self._configured[reference] = found

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Create a cluster or VNG, whose id comes from the simulator."""
        if self._joining is not None and _is_controller(args) and (ocean_id := self._find_cluster(args)):
            count = dict(self._joining) if isinstance(self._joining, Mapping) else self._joining
            # A controller that is installed again reports the nodes that exist already.
            existing = self._control("nodes", ocean_id=ocean_id)
            self._control("connect", ocean_id=ocean_id, nodes=0 if existing else count)
        if args.typ not in self._KINDS:
            return super().new_resource(args)
        path, key = self._KINDS[args.typ]
        query = spotinst_inputs.build_query(args.inputs, "createOptions")
        body = {key: _build_body(key, args.inputs, args.name)}
        (item,) = self._request(args.provider, "POST", path, body, query=query)
        return str(item["id"]), {**args.inputs, "name": item["name"]}

    def update_resource(self, args: MockResourceArgs, outputs: Properties) -> Properties:
        """Send what changed, and clear what is no longer set."""
        if args.typ not in self._KINDS:
            return super().update_resource(args, outputs)
        path, key = self._KINDS[args.typ]
        name = str(outputs.get("name") or args.name)
        changed = spotinst_inputs.diff_bodies(_build_body(key, outputs, name), _build_body(key, args.inputs, name))
        if changed:
            path = f"{path}/{urllib.parse.quote(str(args.resource_id))}"
            self._request(args.provider, "PUT", path, {key: changed})
        return {**args.inputs, "name": args.inputs.get("name") or name}

    def delete_resource(self, args: MockResourceArgs, outputs: Properties) -> None:
        """Delete a cluster or VNG, which may be deleted already."""
        if self._joining is not None and _is_controller(args) and (ocean_id := self._find_cluster(args)):
            self._control("heartbeat", ocean_id=ocean_id, status="INACTIVE")
        if args.typ in self._KINDS:
            path, _ = self._KINDS[args.typ]
            query = spotinst_inputs.build_query(args.inputs, "deleteOptions")
            path = f"{path}/{urllib.parse.quote(str(args.resource_id))}"
            self._request(args.provider, "DELETE", path, None, missing_ok=True, query=query)

    def read_resource(self, args: MockResourceArgs, outputs: Properties) -> Properties | None:
        """Check whether a cluster or VNG still exists."""
        if args.typ not in self._KINDS:
            return outputs
        path, _ = self._KINDS[args.typ]
        path = f"{path}/{urllib.parse.quote(str(args.resource_id))}"
        found = self._request(args.provider, "GET", path, None, missing_ok=True)
        return outputs if found else None

    def _find_cluster(self, release: MockResourceArgs) -> str:
        """Return the id of the cluster that a release of the controller belongs to, empty without one."""
        values = release.inputs.get("values") or {}
        identifier = (values.get("spotinst") or {}).get("clusterIdentifier")
        clusters = self._control("overview")["clusters"]
        return next((cluster["id"] for cluster in clusters if cluster["controller_id"] == identifier), "")

    def _control(self, verb: str, **arguments: Any) -> Any:
        return self._send(self._environment.token, "POST", f"/simulator/{verb}", arguments, {})["result"]

    def _request(
        self,
        provider: str | None,
        method: str,
        path: str,
        body: Any,
        *,
        missing_ok: bool = False,
        query: Mapping[str, str] | None = None,
    ) -> list[dict[str, Any]]:
        used = self._configured.get(provider or "", self._environment)
        account = {"accountId": used.account} if used.account else {}
        answer = self._send(used.token, method, path, body, {**account, **(query or {})}, missing_ok=missing_ok)
        return [] if answer is None else list(answer["response"].get("items") or ())

    def _send(
        self, token: str, method: str, path: str, body: Any, query: Mapping[str, str], *, missing_ok: bool = False
    ) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the address of a simulator that the user passed
            f"{self._base_url}{path}?{urllib.parse.urlencode(query)}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as exc:
            text = exc.read().decode(errors="replace")
            exc.close()
            if missing_ok and any(code in text for code in ("DOESNT_EXIST", "CANT_GET_OCEAN_LAUNCH_SPEC")):
                return None
            msg = f"{method} {path}: HTTP {exc.code}: {text[:500]}"
            raise ProviderFailure(msg) from None


def _is_controller(args: MockResourceArgs) -> bool:
    return args.typ == "kubernetes:helm.sh/v3:Release" and args.inputs.get("chart") == "ocean-kubernetes-controller"


def _build_body(key: str, inputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    build = spotinst_inputs.build_cluster_body if key == "cluster" else spotinst_inputs.build_vng_body
    return build(inputs, name)
