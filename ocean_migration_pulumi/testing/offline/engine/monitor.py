"""The gRPC services for a program: the resource monitor and the engine."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any, Final, NoReturn

import grpc
from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # protobuf has no types of its own
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, resource_pb2, resource_pb2_grpc

from ocean_migration_pulumi.testing.offline.engine.actions import Goal
from ocean_migration_pulumi.testing.offline.engine.deployment import DeploymentCoordinator, Stopped
from ocean_migration_pulumi.testing.offline.engine.events import EventRecorder
from ocean_migration_pulumi.testing.offline.plugin.plugin import CHANNEL_OPTIONS
from ocean_migration_pulumi.testing.offline.plugin.providers import ProviderFailure
from ocean_migration_pulumi.testing.offline.plugin.registry import DYNAMIC, ProviderRegistry
from ocean_migration_pulumi.testing.offline.state.state import PROVIDER_PREFIX, StateResource
from ocean_migration_pulumi.testing.offline.state.values import Properties, from_struct, to_struct

_FEATURES = frozenset({"secrets", "aliasSpecs", "deletedWith"})
_SEVERITIES = {engine_pb2.DEBUG: "debug", engine_pb2.INFO: "info", engine_pb2.WARNING: "warning"}
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_END_SECONDS = 600.0
"""How long a registration waits for the end of an update that has stopped."""


# Older versions of the SDK use the message of providers.
_INVOKE_RESPONSE: Final = getattr(resource_pb2, "ResourceInvokeResponse", provider_pb2.InvokeResponse)


class EngineServer:
    """The gRPC server of an update, on loopback.

    Args:
        recorder: Receives the messages of the program.
        threads: The number of threads.
    """

    def __init__(self, recorder: EventRecorder, *, threads: int) -> None:
        self._recorder = recorder
        self._threads = futures.ThreadPoolExecutor(threads, "offline-engine")
        self._server = grpc.server(self._threads, options=CHANNEL_OPTIONS)
        engine_pb2_grpc.add_EngineServicer_to_server(EngineService(recorder), self._server)
        self._monitor: MonitorService | None = None
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def serve(
        self, deployment: DeploymentCoordinator, registry: ProviderRegistry, config: Callable[[str], Properties]
    ) -> None:
        """Start the server; `config` returns the configuration of the default provider of a package."""
        self._monitor = MonitorService(deployment, registry, config)
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(self._monitor, self._server)
        self._server.start()

    def close_monitor(self) -> None:
        """Reject every registration that waits for the end of the update."""
        if self._monitor is not None:
            self._monitor.closed.set()

    def close(self) -> None:
        """Stop the server at once."""
        self.close_monitor()
        self._server.stop(grace=None).wait(5)
        self._threads.shutdown(wait=False)


class EngineService(engine_pb2_grpc.EngineServicer):
    """Receives the log messages of the program and of the plugins."""

    def __init__(self, recorder: EventRecorder) -> None:
        self._recorder = recorder
        self._root = ""

    def Log(self, request: engine_pb2.LogRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Record a message, unless its severity is debug."""
        severity = _SEVERITIES.get(request.severity, "error")
        if severity != "debug":
            self._recorder.record_message(severity, request.message, request.urn, ephemeral=request.ephemeral)
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Return the URN of the stack resource."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Store the URN of the stack resource."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Accept any required version."""
        return engine_pb2.RequirePulumiVersionResponse()


class MonitorService(resource_pb2_grpc.ResourceMonitorServicer):
    """Receives the registrations of the program, and passes them to the deployment."""

    def __init__(
        self, deployment: DeploymentCoordinator, registry: ProviderRegistry, config: Callable[[str], Properties]
    ) -> None:
        self.closed = threading.Event()
        self._deployment = deployment
        self._registry = registry
        self._config = config
        self._resources: dict[str, StateResource] = {}

    def SupportsFeature(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Return whether the engine supports a feature."""
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in _FEATURES)

    def RegisterResource(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Create or update a resource, and return its state."""
        if request.remote or request.importId:
            feature = "components of other languages" if request.remote else "imports"
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the offline engine does not support {feature}")
        parent = self._resources.get(request.parent)
        try:
            goal = self._build_goal(request, parent)
            resource = self._deployment.register(goal)
        except (Stopped, ProviderFailure) as exc:
            self._hold_until_end(context, exc)
        self._resources[resource.urn] = resource
        # A component registers its outputs later; those of an earlier update would be wrong.
        outputs = resource.outputs if resource.custom else {}
        return resource_pb2.RegisterResourceResponse(urn=resource.urn, id=resource.id, object=to_struct(outputs))

    def RegisterResourceOutputs(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Store the outputs of a component or of the stack."""
        self._deployment.register_outputs(request.urn, from_struct(request.outputs))
        return empty_pb2.Empty()

    def ReadResource(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Read a resource that the stack does not manage."""
        try:
            goal = Goal(
                type=request.type,
                name=request.name,
                custom=True,
                parent=request.parent,
                inputs=from_struct(request.properties),
                dependencies=list(request.dependencies),
                provider=request.provider or self._default_provider(request.type),
                additional_secret_outputs=list(request.additionalSecretOutputs),
            )
            resource = self._deployment.read_resource(goal, request.id)
        except (Stopped, ProviderFailure) as exc:
            self._hold_until_end(context, exc)
        return resource_pb2.ReadResourceResponse(urn=resource.urn, properties=to_struct(resource.outputs))

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Call a function of a mocked package."""
        mock = self._registry.get_mock(request.tok.partition(":")[0])
        try:
            result, failures = mock.call(request.tok, from_struct(request.args))
        except ProviderFailure as exc:
            context.abort(grpc.StatusCode.UNKNOWN, str(exc))
        invalid = [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in failures]
        return _INVOKE_RESPONSE(**{"return": to_struct(result), "failures": invalid})

    def SignalAndWaitForShutdown(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Let the program end at once: the engine does not call it back."""
        return empty_pb2.Empty()

    def _build_goal(self, request: Any, parent: StateResource | None) -> Goal:
        """Convert a registration; like the engine, inherit unset options from the parent."""
        protect = request.protect if request.HasField("protect") else bool(parent and parent.protect)
        retain = (
            request.retainOnDelete if request.HasField("retainOnDelete") else bool(parent and parent.retain_on_delete)
        )
        provider = request.provider
        if request.custom and not provider and not request.type.startswith(PROVIDER_PREFIX):
            provider = self._default_provider(request.type)
        timeouts = {
            name: _parse_duration(getattr(request.customTimeouts, name)) for name in ("create", "update", "delete")
        }
        return Goal(
            type=request.type,
            name=request.name,
            custom=request.custom,
            inputs=from_struct(request.object),
            parent=request.parent,
            provider=provider,
            protect=protect,
            dependencies=sorted(request.dependencies),
            property_dependencies={
                key: sorted(dependencies.urns) for key, dependencies in request.propertyDependencies.items()
            },
            delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
            ignore_changes=list(request.ignoreChanges),
            replace_on_changes=list(request.replaceOnChanges),
            additional_secret_outputs=list(request.additionalSecretOutputs),
            custom_timeouts={name: seconds for name, seconds in timeouts.items() if seconds},
            retain_on_delete=retain,
            deleted_with=request.deletedWith or (parent.deleted_with if parent else ""),
            aliases=[self._build_alias_urn(alias, request) for alias in request.aliases] + list(request.aliasURNs),
        )

    def _build_alias_urn(self, alias: Any, request: Any) -> str:
        if alias.WhichOneof("alias") == "urn":
            return str(alias.urn)
        parent = alias.spec.parentUrn or ("" if alias.spec.noParent else request.parent)
        return self._deployment.build_urn(alias.spec.type or request.type, alias.spec.name or request.name, parent)

    def _default_provider(self, type_: str) -> str:
        package = type_.partition(":")[0]
        return self._deployment.register_default_provider(package, self._config(package))

    def _hold_until_end(self, context: grpc.ServicerContext, error: Exception) -> NoReturn:
        """Block a registration until the update has ended, so that the program neither continues nor fails before."""
        if isinstance(error, ProviderFailure):
            self._deployment.refuse(str(error))
        self.closed.wait(_END_SECONDS)
        context.abort(grpc.StatusCode.UNAVAILABLE, "the update has ended")
        raise error


def select_config(package: str, config: Properties) -> Properties:
    """Return the configuration of the default provider of a package; dynamic providers get all of the stack's."""
    if package == DYNAMIC:
        return dict(config)
    return {key.partition(":")[2]: value for key, value in config.items() if key.startswith(f"{package}:")}


def _parse_duration(text: str) -> float:
    """Parse a duration such as `1h30m`; an empty one is 0."""
    if not text:
        return 0.0
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)", text)
    if "".join(number + unit for number, unit in parts) != text:
        msg = f"unable to parse customTimeout Value {text}"
        raise ProviderFailure(msg)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
