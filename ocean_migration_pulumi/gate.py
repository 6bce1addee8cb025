"""OceanMigrationGate and its dynamic provider: thin adapters between Pulumi's engine and the wait of a gate.

Module path and class name of the provider are part of every state: never move or rename them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi import Input, Output
from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from ocean_migration_pulumi import host
from ocean_migration_pulumi.errors import InputError, SettingsError, add_code
from ocean_migration_pulumi.inputs import refuse_missing, resource_properties
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import describe_failure
from ocean_migration_pulumi.migration.gate.observations import GateContext
from ocean_migration_pulumi.migration.gate.spec import COMPARED, INPUTS, GateSpec, changed_inputs, read_gate_spec
from ocean_migration_pulumi.migration.gate.wait import wait_for_gate
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from ocean_migration_pulumi.migration.spec.spec import KUBECONFIG
from ocean_migration_pulumi.resource.session import SESSION, make_scope
from ocean_migration_pulumi.resource.stack_config import check_stack_config

_PROVIDER = "__provider"


class OceanMigrationGateProvider(ResourceProvider):
    """Dynamic provider of the gate. It has no attributes, because they would be stored in the state of every stack.

    There is nothing to delete or refresh, so the methods of the base class apply.
    """

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Take over the stack's config and prepare the host for long waits."""
        host.prepare()
        SESSION.configure(req.config.get)

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate the inputs and remove the kubeconfig. Sends no requests."""
        call = host.current_call()
        inputs = {name: value for name, value in news.items() if name != _PROVIDER}
        unknown = frozenset(name for name, value in inputs.items() if host.contains_unknown(value))
        spec, problems = read_gate_spec(inputs, unknown=unknown)
        inputs.pop(KUBECONFIG, None)
        SESSION.hidden[_owner(call, spec)] = {KUBECONFIG: spec.kubeconfig}
        if not problems and not unknown & {KUBECONFIG, "kube_context"}:
            try:
                SESSION.reader(spec.kubeconfig, spec.kube_context)
            except InputError as problem:
                problems = [problem]
            except SettingsError:
                pass  # whether it is needed is for the run to say
        return CheckResult(inputs, host.check_failures(problems))

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare the inputs with those of the open gate."""
        unknown = frozenset(name for name, value in news.items() if host.contains_unknown(value))
        if unknown & COMPARED:
            return DiffResult(changes=True)
        spec = read_gate_spec(news, unknown=unknown)[0]
        names = changed_inputs(read_gate_spec(host.current_call().old_inputs or olds)[0], spec)
        return DiffResult(changes=bool(names), replaces=["ocean_id"] if "ocean_id" in names else [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Wait until the gate opens."""
        call = host.current_call()
        spec = read_gate_spec(props)[0]
        id_ = f"{spec.ocean_id}/{call.urn.split('::', 3)[-1]}" if call.urn else spec.ocean_id
        return CreateResult(id_, _opened(call, spec, props))

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Wait until the gate opens again. After a failure, the next `up` waits once more."""
        return UpdateResult(_opened(host.current_call(), read_gate_spec(news)[0], news))


class OceanMigrationGate(Resource, module="ocean-migration", name="OceanMigrationGate"):
    """Hold the next wave back until the previous wave has succeeded and the cluster is healthy.

    The next wave names the gate in its ``depends_on``.
    """

    passed_at: Output[str]
    """When the gate opened, by Spot's clock."""
    seen: Output[Sequence[str]]
    """One line for each condition that held when the gate opened."""

    @host.one_line_errors
    def __init__(
        self,
        resource_name: str,
        ocean_id: Input[str],
        *,
        migration_ids: Input[Sequence[Input[str | None]]] | None = None,
        succeeded: Input[bool] | None = None,
        remaining: Input[Sequence[Input[str]]] | None = None,
        scheduled: Input[bool] | None = None,
        heartbeat: Input[bool] | None = None,
        kubernetes_conditions: Input[Sequence[Input[Mapping[str, Any]]]] | None = None,
        http_checks: Input[Sequence[Input[Mapping[str, Any]]]] | None = None,
        workload_baseline: Input[Mapping[str, Any]] | None = None,
        min_pods_on_ocean: Input[int] | None = None,
        hold_for: Input[str] | None = None,
        timeout: Input[str] | None = None,
        account_id: Input[str] | None = None,
        kubeconfig: Input[str | Mapping[str, Any]] | None = None,
        kube_context: Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a gate.

        Args:
            resource_name: Name of the resource in the program.
            ocean_id: Ocean cluster, ``o-...``.
            migration_ids: Migrations of the previous wave, the latest last; if ``succeeded`` is set, None stands for a
                wave that started none. The gate waits again when they change.
            succeeded: Output ``succeeded`` of the previous wave: the gate fails unless it is true. Default: ``True``.
            remaining: Output ``remaining_nodes`` of the previous wave, for the message when it did not succeed.
            scheduled: All pods of the cluster must be scheduled; without access to Kubernetes, those of the latest
                migration. Default: ``True``.
            heartbeat: The Ocean Controller must have reported as active within the last 10 minutes. Default: ``True``.
            kubernetes_conditions: Conditions of Kubernetes objects, each with ``kind``, ``namespace``, ``name``,
                ``condition``, ``status`` (``"True"``), and for other kinds ``api_version``.
            http_checks: URLs that must respond, each with ``url``, ``status`` (200) and ``contains``.
            workload_baseline: Output ``workload_baseline`` of the previous wave: with access to Kubernetes, its
                workloads must be ready. None means that workloads are not checked.
            min_pods_on_ocean: Percentage of the wave's pods that must have arrived on Ocean nodes; one pod may always
                be missing. Default: ``80``.
            hold_for: How long all conditions must hold without interruption; a missing response interrupts it. Default:
                ``"30s"``.
            timeout: Maximum time to wait. If both are set, the shorter of ``timeout`` and ``custom_timeouts`` applies.
                Default: ``"15m"``.
            account_id: Spot account, ``act-...``. None means the account of the settings.
            kubeconfig: Kubeconfig of the cluster, content (text or map) or path. Never stored in state. None means
                ``KUBECONFIG``, or the pod that Pulumi runs in.
            kube_context: Context of the kubeconfig. None means its current context.
            opts: Options of the resource. The ``depends_on`` of the next wave names the gate.

        Raises:
            SettingsError: The token in the stack's config is not a secret.
        """
        check_stack_config()
        # By default a gate trusts that the previous wave succeeded: a misspelled output must not mean that.
        migration_ids, succeeded, remaining = map(refuse_missing, (migration_ids, succeeded, remaining))
        # The parameters are the declared inputs, which a test compares; to list them all once more adds nothing.
        properties = resource_properties(OceanMigrationGate, GateSpec, locals())
        super().__init__(OceanMigrationGateProvider(), resource_name, properties, opts)


def _owner(call: host.EngineCall, spec: GateSpec) -> str:
    return call.urn or f"{spec.ocean_id}#gate"


def _opened(call: host.EngineCall, spec: GateSpec, props: dict[str, Any]) -> dict[str, Any]:
    """Wait until the gate opens, and return the outputs. A failure saves nothing."""
    try:
        result = wait_for_gate(_gate(call, spec))
    except Exception as error:  # noqa: BLE001 - whatever it is, the row shows one clear reason
        host.fail(add_code(describe_failure(error), error))
    echo = {name: props[name] for name in INPUTS if props.get(name) is not None}
    return {**echo, "passed_at": result.at, "seen": list(result.seen)}


def _gate(call: host.EngineCall, spec: GateSpec) -> GateContext:
    # The client and the probe bring httpx, which a preview does not need.
    from ocean_migration_pulumi.api.single_requests import probe

    client = SESSION.client(spec.account_id)
    kubeconfig = SESSION.hidden.get(_owner(call, spec), {}).get(KUBECONFIG)
    absent = Gap(GapCode.NO_ACCESS)
    try:
        reader = SESSION.reader(kubeconfig, spec.kube_context)
    except SettingsError as error:
        reader, absent = None, Gap.from_error(error)
    return GateContext(
        spec=spec,
        api=client,
        scope=make_scope(call, client.settings, spec.limit(call.timeout)),
        reporter=call,
        probe=probe,
        poll_interval=client.settings.poll_interval,
        kubernetes=reader,
        absent=absent,
        explicit=kubeconfig is not None if reader is None else reader.access.explicit,
    )
