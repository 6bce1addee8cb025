"""Mocks of the resources and functions of other packages, and the provider that calls them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks

from ocean_migration_pulumi.testing.offline.plugin.providers import (
    CheckedInputs,
    Difference,
    LiveResource,
    ProviderFailure,
    ResourceTarget,
)
from ocean_migration_pulumi.testing.offline.state.values import Properties, annotate_secrets, contains_unknown, reveal


class ResourceMocks(Mocks):
    """Mocks that also update, delete and read resources; every method has a default."""

    def configure_provider(self, package: str, reference: str, config: Properties) -> None:
        """Configure a provider; by default do nothing.

        Args:
            package: The package, such as ``spotinst``.
            reference: The reference of the provider, which the resources have as ``provider``.
            config: Its inputs. A default provider has those of the stack's config, an explicit one only its own.

        Raises:
            ProviderFailure: The configuration is refused, as a plugin refuses it.
        """

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Create a resource.

        Args:
            args: The type, name and inputs of the resource.

        Returns:
            The id and the outputs; by default the id follows from the name, and the outputs are the inputs.
        """
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Call a function.

        Args:
            args: The token and the arguments of the function.

        Returns:
            The result, and the invalid arguments as pairs of property and reason (None for none); by default the
            arguments.
        """
        return dict(args.args), None

    def update_resource(self, args: MockResourceArgs, outputs: Properties) -> Properties:
        """Update a resource.

        Args:
            args: The type, name, id and new inputs of the resource.
            outputs: Its old outputs.

        Returns:
            The new outputs; by default the old ones, overridden by the inputs.
        """
        return {**outputs, **args.inputs}

    def delete_resource(self, args: MockResourceArgs, outputs: Properties) -> None:
        """Delete a resource with these inputs and outputs; by default do nothing."""

    def read_resource(self, args: MockResourceArgs, outputs: Properties) -> Properties | None:
        """Read a resource.

        Args:
            args: The type, name, id and inputs of the resource.
            outputs: Its outputs in the state.

        Returns:
            The outputs, or `None` when the resource no longer exists; by default those of the state.
        """
        return outputs


class MockProvider:
    """A provider that calls mocks, which may be plain `pulumi.runtime.Mocks`.

    Args:
        mocks: The mocks, `None` to refuse every call.
        package: The package.
        reference: The reference of the provider (`URN::id`), empty for the functions of a package.
        config: Its configuration. One that is not known yet, in a preview, configures nothing.

    Raises:
        ProviderFailure: The mocks refuse the configuration.
    """

    def __init__(
        self, mocks: Mocks | None, package: str, reference: str = "", config: Properties | None = None
    ) -> None:
        self._mocks = mocks
        self._package = package
        self._reference = reference
        if isinstance(mocks, ResourceMocks) and config is not None and not contains_unknown(config):
            with _ConvertedErrors():
                mocks.configure_provider(package, reference, reveal(config))

    def check(self, target: ResourceTarget, news: Properties) -> CheckedInputs:
        """Accept the inputs as they are."""
        self._require_mocks()
        return CheckedInputs(dict(news))

    def diff(self, target: ResourceTarget, news: Properties, ignore_changes: Sequence[str]) -> Difference:
        """Leave the comparison to the engine."""
        return Difference()

    def create(self, target: ResourceTarget, timeout: float) -> LiveResource:
        """Call `new_resource`."""
        with _ConvertedErrors():
            id_, outputs = self._require_mocks().new_resource(self._build_arguments(target, target.inputs))
        return _build_live(id_ or f"{target.name}-id", outputs, target.inputs)

    def update(
        self, target: ResourceTarget, news: Properties, timeout: float, ignore_changes: Sequence[str]
    ) -> LiveResource:
        """Call `update_resource`; plain mocks override the outputs by the new inputs."""
        mocks = self._require_mocks()
        outputs = reveal(target.outputs)
        with _ConvertedErrors():
            if isinstance(mocks, ResourceMocks):
                changed = mocks.update_resource(self._build_arguments(target, news), outputs)
            else:
                changed = {**outputs, **reveal(news)}
        return _build_live(target.id, changed, news)

    def delete(self, target: ResourceTarget, timeout: float) -> None:
        """Call `delete_resource`; plain mocks do nothing."""
        mocks = self._require_mocks()
        if isinstance(mocks, ResourceMocks):
            with _ConvertedErrors():
                mocks.delete_resource(self._build_arguments(target, target.inputs), reveal(target.outputs))

    def read(self, target: ResourceTarget) -> LiveResource:
        """Call `read_resource`; plain mocks return the state, or `new_resource` for a resource that is not managed."""
        mocks = self._require_mocks()
        arguments = self._build_arguments(target, target.inputs)
        with _ConvertedErrors():
            if isinstance(mocks, ResourceMocks):
                found = mocks.read_resource(arguments, reveal(target.outputs))
                return LiveResource("") if found is None else _build_live(target.id, found, target.outputs)
            id_, new_outputs = mocks.new_resource(arguments)
            outputs = target.outputs if target.outputs != target.inputs else new_outputs
            return _build_live(id_ or target.id, outputs, target.outputs)

    def call(self, token: str, arguments: Properties) -> tuple[Properties, list[tuple[str, str]]]:
        """Call a function of the package; return its result and the invalid arguments."""
        with _ConvertedErrors():
            answer: Any = self._require_mocks().call(MockCallArgs(token=token, args=reveal(arguments), provider=""))
        result, failures = answer if isinstance(answer, tuple) else (answer, None)
        return dict(result), list(failures or ())

    def cancel(self) -> None:
        """Do nothing: calls of mocks end soon."""

    def close(self, *, at_once: bool = False) -> None:
        """Do nothing: mocks run in this process."""

    def _build_arguments(self, target: ResourceTarget, inputs: Properties) -> MockResourceArgs:
        return MockResourceArgs(
            typ=target.type,
            name=target.name,
            inputs=reveal(inputs),
            provider=self._reference,
            resource_id=target.id,
            custom=True,
        )

    def _require_mocks(self) -> Mocks:
        if self._mocks is None:
            msg = f"no plugin for package {self._package} here: pass `mocks` for the resources of other packages"
            raise ProviderFailure(msg)
        return self._mocks


class _ConvertedErrors:
    """Converts exceptions of mocks into a failure of the step."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, ProviderFailure):
            msg = f"{type(error).__name__}: {error}"
            raise ProviderFailure(msg) from error


def _build_live(id_: str, outputs: Properties, secrets: Properties) -> LiveResource:
    found = dict(outputs)
    annotate_secrets(found, secrets)
    return LiveResource(id_, found)
