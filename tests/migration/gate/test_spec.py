"""The inputs of a gate: strict, and each refusal is one line that names input, value and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.gate.spec import ACCEPTED, INPUTS, GateSpec, changed_inputs, read_gate_spec
from ocean_migration_pulumi.migration.spec.conditions import CONDITIONS, HttpCheck, KubernetesCondition

URL = "https://shop.example/health"
ALLOWED = f'must be an http or https URL without credentials, such as "{URL}"'
CART = {"kind": "Deployment", "namespace": "shop", "name": "cart"}


def spec(**inputs: Any) -> GateSpec:
    """Return what these inputs ask for; they must be allowed."""
    found, problems = read_gate_spec({"ocean_id": "o-1", **inputs})
    assert problems == []
    return found


def refusal(**inputs: Any) -> tuple[str, str]:
    """Return the input and the message of the only problem."""
    _, problems = read_gate_spec({"ocean_id": "o-1", **inputs})
    ((name, message),) = [(problem.property_name, problem.message) for problem in problems]
    assert "\n" not in message
    return name, message


def test_defaults() -> None:
    """A gate that says nothing more looks at pods and controller, for half a minute."""
    assert spec() == GateSpec(ocean_id="o-1")
    assert (spec().scheduled, spec().heartbeat, spec().succeeded) == (True, True, True)
    assert (spec().hold_for, spec().limit(None)) == (30.0, 900.0)


def test_everything_is_read() -> None:
    """Numbers arrive as floats, as Pulumi sends them."""
    found = spec(
        migration_ids=["owm-1", "owm-2"],
        succeeded=False,
        remaining=["i-1"],
        scheduled=False,
        heartbeat=False,
        kubernetes_conditions=[CART, {"kind": "Node", "name": "ip-1", "condition": "Ready", "namespace": None}],
        http_checks=[{"url": URL, "status": 204.0}, {"url": f"{URL}?key=1", "contains": " ok "}],
        hold_for="1m",
        timeout="1h",
        account_id="act-1",
        kubeconfig="a: b",
        kube_context="web",
    )
    assert found.migration_ids == ("owm-1", "owm-2")
    assert found.remaining == ("i-1",)
    assert (found.succeeded, found.scheduled, found.heartbeat) == (False, False, False)
    assert [each.subject for each in found.kubernetes_conditions] == ["Deployment shop/cart", "Node ip-1"]
    assert found.http_checks == (HttpCheck(url=URL, status=204), HttpCheck(url=f"{URL}?key=1", contains=" ok "))
    assert [check.subject for check in found.http_checks] == [URL, URL]
    assert (found.hold_for, found.limit(None)) == (60.0, 3600.0)
    assert "a: b" not in repr(found)


@pytest.mark.parametrize("kind", CONDITIONS)
def test_every_kind_has_a_condition_that_is_meant(kind: str) -> None:
    """Without a namespace only where there is none."""
    given_one = {"kind": kind, "name": "cart"} | ({} if kind == "Node" else {"namespace": "shop"})
    (found,) = spec(kubernetes_conditions=[given_one]).kubernetes_conditions
    assert found == KubernetesCondition(
        kind=kind, name="cart", namespace="" if kind == "Node" else "shop", condition=CONDITIONS[kind]
    )


def test_other_kinds_are_named_with_their_api_version() -> None:
    """Whether they have namespaces is known to the API server alone."""
    certificate = {"kind": "Certificate", "name": "tls", "api_version": "cert-manager.io/v1", "namespace": "shop"}
    node = {
        "kind": "NodeClaim",
        "name": "n",
        "api_version": "karpenter.sh/v1",
        "condition": "Drifted",
        "status": "False",
    }
    first, second = spec(kubernetes_conditions=[certificate, node]).kubernetes_conditions
    assert (first.wanted, first.api_version) == ("Certificate shop/tls Ready=True", "cert-manager.io/v1")
    assert second.wanted == "NodeClaim n Drifted=False"


@pytest.mark.parametrize(
    ("timeout", "custom", "limit"),
    [(None, None, 900.0), (None, 60.0, 60.0), (None, 3600.0, 3600.0), ("20m", 60.0, 60.0), ("20m", 3600.0, 1200.0)],
)
def test_the_shorter_of_two_timeouts_counts(timeout: str | None, custom: float | None, limit: float) -> None:
    """And custom timeouts alone replace the default."""
    assert spec(timeout=timeout).limit(custom) == limit


@pytest.mark.parametrize(
    ("inputs", "name", "message"),
    [
        ({"ocean_id": None}, "ocean_id", "is required"),
        ({"migration_ids": "owm-1"}, "migration_ids", "must be a list of strings, not 'owm-1'"),
        ({"succeeded": "yes"}, "succeeded", "must be true or false, not 'yes'"),
        ({"hold_for": "soon"}, "hold_for", 'must be a duration such as "90s", "20m" or "1h30m", not \'soon\''),
        ({"hold_for": "15m"}, "hold_for", "must be shorter than timeout (15m), not '15m'"),
        ({"timeout": "30s"}, "hold_for", "must be shorter than timeout (30s), not '30s'"),
        ({"timeout": "0s"}, "timeout", "must be longer than 0s, not '0s'"),
        ({"kubeconfig": 7}, "kubeconfig", "must be the content of a kubeconfig (text or mapping) or the path of one"),
        (
            {"kubernetes_conditions": CART},
            "kubernetes_conditions",
            "must be a list of maps with kind, namespace, name, condition, status, api_version",
        ),
        (
            {"kubernetes_conditions": ["cart"]},
            "kubernetes_conditions[0]",
            "must be a map with kind, namespace, name, condition, status, api_version",
        ),
        (
            {"kubernetes_conditions": [{**CART, "kind": "Secret"}]},
            "kubernetes_conditions[0].kind",
            'must be "Deployment", "StatefulSet", "DaemonSet", "Job", "Node", "Pod", or a kind with its api_version, '
            "not 'Secret'",
        ),
        (
            {"kubernetes_conditions": [{**CART, "kind": "secret"}]},
            "kubernetes_conditions[0].kind",
            'must be "Deployment", "StatefulSet", "DaemonSet", "Job", "Node" or "Pod", not \'secret\'',
        ),
        (
            {"kubernetes_conditions": [{**CART, "kind": "Certificate", "api_version": "cert-manager"}]},
            "kubernetes_conditions[0].api_version",
            "must be a group and version such as \"cert-manager.io/v1\", not 'cert-manager'",
        ),
        (
            {"kubernetes_conditions": [{**CART, "kind": "certificate", "api_version": "cert-manager.io/v1"}]},
            "kubernetes_conditions[0].kind",
            "must be a kind such as \"Certificate\", not 'certificate'",
        ),
        (
            {"kubernetes_conditions": [{**CART, "status": "Unknown"}]},
            "kubernetes_conditions[0].status",
            'must be "True" or "False", not \'Unknown\'',
        ),
        (
            {"kubernetes_conditions": [CART, {**CART, "kinds": 1}]},
            "kubernetes_conditions[1].kinds",
            "unknown field; did you mean `kind`?",
        ),
        (
            {"kubernetes_conditions": [{"kind": "Pod", "name": "a"}]},
            "kubernetes_conditions[0].namespace",
            "is required",
        ),
        (
            {"kubernetes_conditions": [{"kind": "Node", "name": "a", "namespace": "b"}]},
            "kubernetes_conditions[0].namespace",
            "is not allowed: a Node has no namespace",
        ),
        (
            {"kubernetes_conditions": [{**CART, "name": "a/b"}]},
            "kubernetes_conditions[0].name",
            "must be a name that Kubernetes allows, not 'a/b'",
        ),
        (
            {"kubernetes_conditions": [{**CART, "condition": "?"}]},
            "kubernetes_conditions[0].condition",
            "must be a condition type such as \"Available\", not '?'",
        ),
        (
            {"kubernetes_conditions": [{**CART, "kind": "DaemonSet", "condition": "Available"}]},
            "kubernetes_conditions[0].condition",
            "must be \"Ready\" for a DaemonSet, not 'Available'",
        ),
        ({"http_checks": [{}]}, "http_checks[0].url", "is required"),
        (
            {"http_checks": [{"url": URL, "status": 99}]},
            "http_checks[0].status",
            "must be a whole number from 100 to 599, not 99",
        ),
        (
            {"http_checks": [{"url": URL, "contains": ""}]},
            "http_checks[0].contains",
            "must not be empty",
        ),
        (
            {"http_checks": [{"url": URL, "method": "POST"}]},
            "http_checks[0].method",
            "unknown field; valid fields: url, status, contains",
        ),
        ({"http_checks": [{"url": "shop?a=canary"}]}, "http_checks[0].url", f"{ALLOWED}, not 'shop'"),
    ],
    ids=repr,
)
def test_what_is_not_allowed_is_refused(inputs: dict[str, Any], name: str, message: str) -> None:
    """By its own name, one problem each."""
    found_name, found = refusal(**inputs)
    assert (found_name, found) == (name, message)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:canary@shop.example/",
        "https://canary@shop.example",
        "user:canary@shop.example",
        "ftp://shop.example/?canary",
        "https:///canary",
        "https://shop.example:99999/?canary",
        "https://[::1/?canary",
        "https://shop.example/ ?canary",
        "https://shop.example\\?canary",
        "https://shop.example/\n?canary",
        ["https://shop.example/?canary"],
    ],
    ids=repr,
)
def test_url_that_is_none_is_refused_without_what_may_be_secret(url: object) -> None:
    """Credentials stand before an at sign, or in the query."""
    name, message = refusal(http_checks=[{"url": url}])
    assert name == "http_checks[0].url"
    assert "user:" not in message
    assert "@" not in message
    assert message.startswith(ALLOWED)


@pytest.mark.parametrize("given_checks", ["https://user:canary@shop.example", ["https://user:canary@shop.example"]])
def test_checks_of_a_wrong_form_are_not_shown(given_checks: object) -> None:
    """They may be URLs with a password."""
    assert "canary" not in refusal(http_checks=given_checks)[1]


def test_unknown_inputs_are_not_judged() -> None:
    """A preview does not know the wave before yet."""
    found, problems = read_gate_spec(
        {"migration_ids": object(), "hold_for": "1h"}, unknown=frozenset({"migration_ids", "timeout"})
    )
    assert found.migration_ids == ()
    assert [problem.property_name for problem in problems] == ["ocean_id"]


def test_an_open_gate_asks_again_when_what_it_asks_for_changes() -> None:
    """Not when only the way to ask does, and not for another spelling."""
    before = spec(migration_ids=["owm-1"], hold_for="60s", http_checks=[{"url": URL}])
    assert (
        changed_inputs(before, spec(migration_ids=["owm-1"], hold_for="1m", http_checks=[{"url": URL, "status": 200}]))
        == []
    )
    more = spec(migration_ids=["owm-1"], hold_for="1m", http_checks=[{"url": URL}], timeout="1h", kube_context="web")
    assert changed_inputs(before, more) == []
    after = spec(migration_ids=["owm-1", "owm-2"], hold_for="1m", http_checks=[{"url": URL, "status": 204}])
    assert changed_inputs(before, after) == ["migration_ids", "http_checks"]


def test_names_of_the_inputs_are_those_of_the_wish() -> None:
    """All of them, and a state holds all but the kubeconfig."""
    assert set(ACCEPTED) == set(GateSpec.__dataclass_fields__)
    assert set(ACCEPTED) - set(INPUTS) == {"kubeconfig"}


@given(
    st.dictionaries(
        st.sampled_from(ACCEPTED),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text() | st.just(URL),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["url", "kind"]), inner),
            max_leaves=6,
        ),
    )
)
def test_whatever_is_given_is_read_or_refused(props: dict[str, Any]) -> None:
    """Nothing else is raised, and every refusal names an input on one line."""
    _, problems = read_gate_spec(props)
    for problem in problems:
        assert problem.property_name.partition("[")[0] in ACCEPTED
        assert len(problem.message.splitlines()) == 1


def test_a_wave_without_a_migration_needs_no_id_if_it_says_how_it_ended() -> None:
    """Others have migrated its nodes; a missing id alone may be that of a misspelled output."""
    found, problems = read_gate_spec({"ocean_id": "o-1", "migration_ids": [None, "owm-1"], "succeeded": True})
    assert (problems, found.migration_ids) == ([], ("owm-1",))
    _, problems = read_gate_spec({"ocean_id": "o-1", "migration_ids": [None]})
    assert [str(problem) for problem in problems] == ["migration_ids[0] must be a string, not None"]
