"""The providers of a stack: a plugin process for dynamic resources, mocks for all other packages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from pulumi.runtime import Mocks

from ocean_migration_pulumi.testing.offline.plugin.mocks import MockProvider
from ocean_migration_pulumi.testing.offline.plugin.providers import Provider, ProviderFailure
from ocean_migration_pulumi.testing.offline.state.state import PROVIDER_PREFIX, StateResource
from ocean_migration_pulumi.testing.offline.state.values import Properties

DYNAMIC = "pulumi-python"


class ProviderRegistry:
    """The providers of a stack, by reference (`URN::id`); a plugin starts at its first use.

    A refresh or destroy registers no providers. As in the real engine, they come from the state, with the configuration
    of the last update.

    Args:
        resources: The resources of the state.
        start: Starts a plugin with a configuration.
        mocks: The mocks of other packages, `None` for none.
    """

    def __init__(
        self, *, resources: Iterable[StateResource], start: Callable[[Properties], Provider], mocks: Mocks | None
    ) -> None:
        self._configs = {
            f"{resource.urn}::{resource.id}": resource.inputs for resource in resources if resource.is_provider
        }
        self._start = start
        self._mocks = mocks
        self._providers: dict[str, Provider] = {}
        self._started: list[Provider] = []
        self._closed = False
        self._cancelled = False
        self._lock = threading.Lock()

    def configure(self, reference: str, config: Properties) -> None:
        """Set the configuration of the provider with this reference."""
        with self._lock:
            self._configs[reference] = config
            self._providers.pop(reference, None)

    def get(self, reference: str) -> Provider:
        """Return the provider with this reference; raises `ProviderFailure` when it is unknown or does not start."""
        with self._lock:
            if reference not in self._providers:
                if reference not in self._configs or self._closed:
                    msg = f"unknown provider '{reference}'"
                    raise ProviderFailure(msg)
                self._providers[reference] = self._create_provider(reference)
            return self._providers[reference]

    def get_mock(self, package: str) -> MockProvider:
        """Return the mock provider of a package, for its functions."""
        return MockProvider(self._mocks, package)

    def cancel(self) -> None:
        """Request that every running call ends soon, also in providers that are still starting."""
        with self._lock:
            self._cancelled = True
            providers = list(self._started)
        for provider in providers:
            provider.cancel()

    def close(self, *, at_once: bool = False) -> None:
        """Stop all providers; from now on none starts."""
        with self._lock:
            self._closed = True
            providers = list(self._started)
        threads = [threading.Thread(target=provider.close, kwargs={"at_once": at_once}) for provider in providers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _create_provider(self, reference: str) -> Provider:
        package = reference.split("::")[2].rpartition("$")[2].removeprefix(PROVIDER_PREFIX)
        if package != DYNAMIC:
            return MockProvider(self._mocks, package, reference, self._configs[reference])
        provider = self._start(self._configs[reference])
        self._started.append(provider)
        if self._cancelled:
            provider.cancel()
        return provider
