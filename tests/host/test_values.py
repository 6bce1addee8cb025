"""Values that a preview does not know."""

from __future__ import annotations

import pytest
from pulumi import output
from pulumi.runtime import rpc

from ocean_migration_pulumi.host import contains_unknown, is_unknown, unknown
from tests.support.plugin import PluginProcess, plain
from tests.support.probe_provider import Probe


def test_unknown_is_what_the_engine_takes_for_unknown() -> None:
    """The wire's constant is the SDK's."""
    assert unknown() == rpc.UNKNOWN


def test_check_adds_known_and_unknown_inputs() -> None:
    """What check adds is in the inputs, and is unknown while what it depends on is."""
    with PluginProcess() as plugin:
        known = plugin.check({"nodes": {"instance_ids": ["i-1"]}}, Probe()).inputs
        pending = plugin.check({"nodes": {"instance_ids": ["i-1", rpc.UNKNOWN]}}, Probe()).inputs
    assert plain(known)["planned"] == {"i-1": "node-1"}
    assert pending.fields["planned"].string_value == rpc.UNKNOWN
    assert pending.fields["nodes"].struct_value["instance_ids"][1] == rpc.UNKNOWN


@pytest.mark.parametrize("value", [output.UNKNOWN, rpc.UNKNOWN, output.Unknown()])
def test_every_form_of_unknown_is_recognized(value: object) -> None:
    """On the wire it is a string, in a provider's inputs an object, at any depth."""
    assert is_unknown(value)
    assert contains_unknown({"a": [{"b": ("x", value)}]})
    assert not is_unknown([value])


@pytest.mark.parametrize("value", [None, "", "o-1", 0, False, [], {}, {"a": [None, {"b": "x"}]}])
def test_known_values_are_known(value: object) -> None:
    """Nothing else is taken for unknown, however empty."""
    assert not is_unknown(value)
    assert not contains_unknown(value)
