"""The configured providers of a stack: one plugin process for dynamic ones, mocks for all others."""

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
    """Providers by reference (`URN::id`); a plugin starts when it is first needed.

    A reference that the update has not registered (a refresh, a destruction) is taken from the state, so that its
    provider runs with the configuration of the last update, as with the real engine.
    """

    def __init__(
        self, *, resources: Iterable[StateResource], start: Callable[[Properties], Provider], mocks: Mocks | None
    ) -> None:
        self._configs = {f"{each.urn}::{each.id}": each.inputs for each in resources if each.is_provider}
        self._start = start
        self._mocks = mocks
        self._providers: dict[str, Provider] = {}
        self._started: list[Provider] = []
        self._closed = False
        self._cancelled = False
        self._lock = threading.Lock()

    def configure(self, reference: str, config: Properties) -> None:
        """Let the reference stand for a provider with this configuration from now on."""
        with self._lock:
            self._configs[reference] = config
            self._providers.pop(reference, None)

    def get(self, reference: str) -> Provider:
        """Return the provider; raises `ProviderFailure` when there is none or it does not start."""
        with self._lock:
            if reference not in self._providers:
                if reference not in self._configs or self._closed:
                    msg = f"unknown provider '{reference}'"
                    raise ProviderFailure(msg)
                self._providers[reference] = self._made(reference)
            return self._providers[reference]

    def mock(self, package: str) -> MockProvider:
        """Return the mocks of a package, for its functions."""
        return MockProvider(self._mocks, package)

    def cancel(self) -> None:
        """Ask every running call to end soon, those of providers that are just starting included."""
        with self._lock:
            self._cancelled = True
            providers = list(self._started)
        for provider in providers:
            provider.cancel()

    def close(self, *, at_once: bool = False) -> None:
        """End all providers; none starts any more."""
        with self._lock:
            self._closed = True
            providers = list(self._started)
        threads = [threading.Thread(target=each.close, kwargs={"at_once": at_once}) for each in providers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _made(self, reference: str) -> Provider:
        package = reference.split("::")[2].rpartition("$")[2].removeprefix(PROVIDER_PREFIX)
        if package != DYNAMIC:
            return self.mock(package)
        provider = self._start(self._configs[reference])
        self._started.append(provider)
        if self._cancelled:
            provider.cancel()
        return provider
