"""The provider registry: references, cancellation and the end."""

from __future__ import annotations

import pytest

from ocean_migration_pulumi.testing.offline.plugin.mocks import MockProvider
from ocean_migration_pulumi.testing.offline.plugin.providers import ProviderFailure
from ocean_migration_pulumi.testing.offline.plugin.registry import ProviderRegistry
from ocean_migration_pulumi.testing.offline.state.state import PROVIDER_PREFIX, StateResource
from ocean_migration_pulumi.testing.offline.state.values import Properties

URN = "urn:pulumi:dev::p::pulumi:providers:pulumi-python::default"
REFERENCE = f"{URN}::1"


class Noted(MockProvider):
    """A provider that notes how it is told to end."""

    def __init__(self, config: Properties) -> None:
        super().__init__(None, "noted")
        self.config = config
        self.told: list[str] = []

    def cancel(self) -> None:
        """Note a cancellation."""
        self.told.append("cancel")

    def close(self, *, at_once: bool = False) -> None:
        """Note the end."""
        self.told.append("kill" if at_once else "close")


def registry(*resources: StateResource) -> ProviderRegistry:
    """Return a registry that starts noted providers."""
    return ProviderRegistry(resources=resources, start=Noted, mocks=None)


def test_a_provider_comes_from_the_state_until_it_is_configured() -> None:
    """A reference in the state has the stored configuration; a new one starts another provider."""
    stored = StateResource(urn=URN, type=PROVIDER_PREFIX + "pulumi-python", custom=True, id="1", inputs={"x": "old"})
    providers = registry(stored)
    first = providers.get(REFERENCE)
    assert isinstance(first, Noted)
    assert first.config == {"x": "old"}
    assert providers.get(REFERENCE) is first
    providers.configure(REFERENCE, {"x": "new"})
    second = providers.get(REFERENCE)
    assert isinstance(second, Noted)
    assert second.config == {"x": "new"}
    providers.close()
    assert (first.told, second.told) == (["close"], ["close"])


def test_unknown_and_closed_references_are_refused() -> None:
    """There is no provider for an unknown reference, and none after the end."""
    providers = registry()
    with pytest.raises(ProviderFailure, match="unknown provider"):
        providers.get(REFERENCE)
    providers.configure(REFERENCE, {})
    providers.close(at_once=True)
    with pytest.raises(ProviderFailure, match="unknown provider"):
        providers.get(REFERENCE)


def test_a_provider_that_starts_after_the_cancellation_is_cancelled() -> None:
    """A cancellation reaches running providers, and those that are still starting."""
    providers = registry()
    providers.configure(REFERENCE, {})
    running = providers.get(REFERENCE)
    providers.cancel()
    providers.configure(REFERENCE, {"x": "late"})
    late = providers.get(REFERENCE)
    assert isinstance(running, Noted)
    assert isinstance(late, Noted)
    assert (running.told, late.told) == (["cancel"], ["cancel"])
