"""A handful of the cells through the real plugin: the engine gets the same one line, and what is saved with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from ocean_migration_pulumi.simulator import Simulator
from tests.faults.words import LASTING, PREVIEW, expected, reads
from tests.support.plugin import PluginProcess, init_failure_of
from tests.support.plugin_clock import PluginClock
from tests.support.resource_plugin import Resource, config_of, message_of, sent, without_provider
from tests.support.timing import PATIENCE, until

WEB: Final = {"asg_names": ["web"]}
LOST: Final = (
    "the response to the start was lost (POST /ocean/aws/k8s/cluster/{ocean}/migration: no response from {base}: {cut})"
)


class Shop:
    """A cluster of its own, and a resource in the plugin's hands; ``clock`` is that of the first plugin."""

    def __init__(self, sim: Simulator, plugins: list[PluginProcess], clock: PluginClock | None = None) -> None:
        self.clock = clock
        self.sim = sim
        self.control = sim.control
        self.plugins = plugins
        self.ocean_id = str(sim.control.add_cluster(6)["id"])
        self.web = Resource(plugins[0])
        self.spec: dict[str, Any] = {"ocean_id": self.ocean_id, "nodes": WEB}
        for plugin in plugins:
            plugin.configure(config_of(sim))
            plugin.engine.lines.clear()

    def fault(self, method: str, route: str, kind: str, **options: Any) -> None:
        """Strike an endpoint of this cluster."""
        self.control.fault(method, f"*/{self.ocean_id}{route}", kind, **{"times": 1_000, **options})

    def matches(self, words: str, line: str) -> bool:
        """Tell whether a line reads as it should."""
        known = {"ocean": self.ocean_id, "base": self.sim.url, "account": self.sim.account_id}
        source = "stack config ocean-migration:token"
        return reads(words, **known, source=source).fullmatch(line) is not None

    def starts(self) -> int:
        """Return how many migrations were started."""
        return sum(self.ocean_id in request["path"] for request in self.control.requests(method="POST", effective=True))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, list[PluginProcess], PluginClock]]:
    """Run a simulator, 10,000 times as fast as the world, and two plugins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name in ("SPOTINST_TOKEN", "SPOTINST_ACCOUNT", "SPOTINST_BASE_URL"):
            patch.delenv(name, raising=False)
        clock = PluginClock(tmp_path_factory.mktemp("clock") / "ahead")
        with (
            Simulator(nodes=1, speed=10_000) as sim,
            PluginProcess(before=clock.source) as one,
            PluginProcess() as two,
        ):
            yield sim, [one, two], clock


@pytest.fixture
def shop(running: tuple[Simulator, list[PluginProcess], PluginClock]) -> Iterator[Shop]:
    """Return a shop; the service is well again after the test."""
    yield Shop(*running)
    running[0].control.clear_faults()


def test_what_ends_a_run_before_its_start_saves_nothing(shop: Shop) -> None:
    """The next `up` creates again."""
    inputs = shop.web.checked(**shop.spec)
    shop.fault("GET", "", "shape")
    with pytest.raises(grpc.RpcError) as caught:
        shop.web.plugin.stub.Create(
            provider_pb2.CreateRequest(urn=shop.web.urn, properties=sent(inputs)), timeout=PATIENCE
        )
    assert shop.matches(expected(LASTING, "cluster", "shape"), message_of(caught.value)), message_of(caught.value)
    shop.control.clear_faults()
    shop.web.create(**shop.spec)
    assert shop.starts() == 1


def test_lost_answer_is_one_warning(shop: Shop) -> None:
    """The migration is found by its nodes."""
    shop.fault("POST", "/migration", "reset-after")
    shop.web.create(**shop.spec)
    (warning,) = [line for line in shop.web.said("WARNING") if "lost" in line]
    assert shop.matches(LOST + "; looking for the migration in the list", warning), warning
    assert shop.starts() == 1


def test_lost_answer_that_is_not_found_in_time_is_saved(shop: Shop) -> None:
    """The next `up` looks before it starts."""
    shop.fault("POST", "/migration", "500", times=1)

    def pass_deadline() -> None:
        until(lambda: shop.web.has_said("WARNING", "lost"))
        assert shop.clock is not None
        shop.clock.advance(3600.0)

    reason = shop.web.fails_to_create(timeout=3600.0, meanwhile=pass_deadline, **shop.spec)
    assert shop.matches(expected(LASTING, "create", "500"), reason), reason
    assert reason == f"{shop.web.outputs['failure']['message']} [migration-error]"
    assert shop.web.outputs["unanswered_start"]["instance_ids"] == sorted(shop.web.outputs["planned_nodes"])
    shop.web.update(**shop.spec)
    assert shop.web.outputs["succeeded"] is True
    assert shop.starts() == 1


def test_cluster_that_is_deleted_half_way_ends_the_run_with_the_id_saved(shop: Shop) -> None:
    """And with what became of the migration; a refresh then takes the resource out of the state."""
    reason = fails_half_way(shop, lambda: shop.control.delete_cluster(shop.ocean_id))
    words = expected(LASTING, "status", "deleted").replace("status unknown", "{n} of 3 nodes done")
    assert shop.matches(words, reason), reason
    assert shop.web.outputs["migration_id"] in reason
    assert not shop.web.read()
    shop.web.delete()
    assert shop.starts() == 1


def test_token_that_is_revoked_half_way_ends_the_run_with_the_id_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The migration goes on; the next run brings another token."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with Simulator(nodes=1, speed=10_000) as sim, PluginProcess() as plugin:
        shop = Shop(sim, [plugin])
        reason = fails_half_way(shop, lambda: shop.control.revoke_token(sim.token))
        words = expected(LASTING, "status", "token").replace("status unknown", "{n} of 3 nodes done")
        # The token of the stack's config is the one that other operations may still use.
        words = words.replace(
            " (HTTP 401",
            "; `pulumi refresh` and `pulumi destroy` use the config of the last `up` without `--run-program` (HTTP 401",
        )
        assert shop.matches(words, reason), reason
        assert shop.web.outputs["migration_id"] in reason
        assert shop.starts() == 1


def fails_half_way(shop: Shop, action: Callable[[], None]) -> str:
    """Do something once a migration has started, which ends the run; keep what is saved, and return the reason."""
    inputs = shop.web.checked(**shop.spec)
    shop.control.hold(shop.ocean_id)
    request = provider_pb2.CreateRequest(urn=shop.web.urn, properties=sent(inputs))
    creating = shop.web.plugin.stub.Create.future(request, timeout=PATIENCE)
    until(lambda: any("/3 nodes" in line.message for line in shop.web.plugin.engine.lines))
    action()
    with pytest.raises(grpc.RpcError) as caught:
        creating.result()
    failure = init_failure_of(caught.value)
    shop.web.id, shop.web.inputs, shop.web.outputs = failure.id, inputs, without_provider(failure.properties)
    return message_of(caught.value)


def test_refresh_and_destroy_say_to_run_the_command_again(shop: Shop) -> None:
    """They keep the resource as it was."""
    shop.control.hold(shop.ocean_id)
    shop.web.create(**shop.spec, wait_for="started")
    shop.web.plugin = shop.plugins[1]
    shop.fault("GET", "", "shape")
    with pytest.raises(grpc.RpcError) as refreshed:
        shop.web.read()
    words = "GET /ocean/aws/k8s/cluster/{ocean}: unusable response: no list of items; run the command again"
    assert shop.matches(words, message_of(refreshed.value))
    shop.control.clear_faults()
    shop.fault("PUT", "/migration/*", "shape", times=1)
    with pytest.raises(grpc.RpcError) as destroyed:
        shop.web.delete()
    assert shop.matches(expected(LASTING, "stop", "shape"), message_of(destroyed.value))
    shop.control.hold(shop.ocean_id, held=False)
    shop.web.delete()
    assert [each["state"] for each in shop.control.migrations(shop.ocean_id)] == ["STOPPED"]


def test_preview_that_cannot_ask_is_one_warning(shop: Shop) -> None:
    """The plan is left out, and made by the run."""
    shop.fault("GET", "/migration/discovery", "429", seconds=30)
    assert "planned_nodes" not in shop.web.checked(**shop.spec)
    (warning,) = shop.web.said("WARNING")
    assert shop.matches(expected(PREVIEW, "discovery", "429"), warning), warning
