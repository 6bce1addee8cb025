"""Where the access to Kubernetes comes from, and that nothing of it is ever told."""

from __future__ import annotations

import base64
import json
import os
import textwrap
import traceback
from pathlib import Path
from typing import Any

import pytest
import yaml

from ocean_migration_pulumi.errors import InputError, OceanMigrationError, SettingsError
from ocean_migration_pulumi.kubernetes import KubernetesAccess, find_access, find_runner
from tests.kubernetes.support import TOKEN, kubeconfig

SERVER = "https://canary.example"
ARN = "arn:aws:eks:eu-central-1:123456789012:cluster/shop"


def found(content: str, context: str | None = None) -> KubernetesAccess:
    """Return the access that a kubeconfig gives."""
    access = find_access(content, context, {})
    assert access is not None
    return access


def with_exec(*args: str, server: str = SERVER, name: str = "web") -> KubernetesAccess:
    """Return the access of a kubeconfig with a credential plugin."""
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws", "args": list(args)}
    return found(kubeconfig(server, {"exec": plugin}, name=name))


def edited(**changes: Any) -> str:
    """Return a kubeconfig with other parts."""
    return json.dumps({**json.loads(kubeconfig(SERVER)), **changes})


def users(**user: Any) -> str:
    """Return a kubeconfig with another user."""
    return kubeconfig(SERVER, user)


def clusters(**cluster: Any) -> str:
    """Return a kubeconfig with another cluster."""
    return kubeconfig(SERVER, None, cluster)


def test_content_as_json_and_as_yaml(tmp_path: Path) -> None:
    """Content or path, the access is the same."""
    content = kubeconfig(SERVER)
    path = tmp_path / "config"
    path.write_text("\ufeff" + yaml.safe_dump(json.loads(content)))
    accesses = [
        found(content),
        found(yaml.safe_dump(json.loads(content))),
        found(json.dumps(json.loads(content), indent="\t")),
        found(str(path)),
        found(f"{path}\n"),
    ]
    assert len(set(accesses)) == 1
    assert accesses[0].source == "the input kubeconfig"
    assert accesses[0].explicit
    assert accesses[0].target.cluster == {"server": SERVER}
    assert accesses[0].target.user == {"token": TOKEN}


def test_input_stands_above_the_environment(tmp_path: Path) -> None:
    """And KUBECONFIG above the pod."""
    path = tmp_path / "config"
    path.write_text(kubeconfig("https://other.example"))
    environ = {"KUBECONFIG": str(path)}
    given = find_access(kubeconfig(SERVER), None, environ)
    assert given is not None
    assert given.source == "the input kubeconfig"
    ambient = find_access(None, None, environ)
    assert ambient is not None
    assert (ambient.source, ambient.explicit) == ("KUBECONFIG", False)
    named = find_access(None, "web", environ)
    assert named is not None
    assert (named.source, named.explicit) == ("KUBECONFIG", True)


def test_nothing(tmp_path: Path) -> None:
    """The kubeconfig of the home directory says nothing about a stack."""
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(kubeconfig(SERVER))
    assert find_access(None, None, {"HOME": str(tmp_path), "KUBECONFIG": ""}) is None
    assert find_access(None, "web", {"HOME": str(tmp_path)}) is None


def test_key_is_of_the_content() -> None:
    """The same for the same, another for any other."""
    keys = [
        found(content).key
        for content in (
            kubeconfig(SERVER),
            kubeconfig(SERVER),
            kubeconfig("https://other.example"),
            kubeconfig(SERVER, {"token": "another"}),
        )
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert TOKEN not in "".join(keys)


def test_repr_has_no_secret() -> None:
    """Neither has that of its parts."""
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "aws",
        "args": [TOKEN],
        "env": [{"name": "A", "value": TOKEN}],
    }
    access = found(kubeconfig(SERVER, {"exec": plugin, "password": TOKEN}))
    assert TOKEN not in repr(access)
    assert TOKEN not in repr(access.target)
    assert "canary" not in repr(access) + repr(access.target)


def test_context() -> None:
    """The one that is named, else the current one."""
    content = yaml.safe_dump(
        {
            "current-context": "b",
            "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example"}} for name in "ab"],
            "contexts": [{"name": name, "context": {"cluster": name}} for name in "ab"],
            "users": None,
        }
    )
    assert found(content).target.cluster["server"] == "https://b.example"
    assert found(content, "a").target.cluster["server"] == "https://a.example"
    assert found(content).target.user == {}
    with pytest.raises(InputError, match=r"^kube_context: the kubeconfig has no context 'canary'; existing: a, b"):
        find_access(content, "canary", {})


def test_files_of_the_environment_are_merged(tmp_path: Path) -> None:
    """What the first one says of a name counts; one that is missing says nothing; paths are below their own file."""
    one, other = tmp_path / "one" / "config", tmp_path / "other" / "config"
    for path in (one, other):
        path.parent.mkdir()
        (path.parent / "ca.crt").write_text(path.parent.name)
    cluster = {"server": "https://one.example", "certificate-authority": "ca.crt"}
    one.write_text(yaml.safe_dump({"clusters": [{"name": "web", "cluster": cluster}], "contexts": []}))
    other.write_text(kubeconfig("https://other.example", {"tokenFile": "ca.crt"}, {"certificate-authority": "ca.crt"}))
    paths = os.pathsep.join([str(one), "", str(tmp_path / "missing"), str(other)])
    access = find_access(None, None, {"KUBECONFIG": paths})
    assert access is not None
    assert access.target.cluster == {
        "server": "https://one.example",
        "certificate-authority": str(tmp_path / "one" / "ca.crt"),
    }
    assert access.target.user == {"tokenFile": str(tmp_path / "other" / "ca.crt")}


def test_relative_command_is_below_its_file(tmp_path: Path) -> None:
    """A bare name is looked for on the PATH."""
    path = tmp_path / "config"
    for command, expected in (("./bin/aws", str(tmp_path / "bin" / "aws")), ("aws", "aws")):
        plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": command}
        path.write_text(kubeconfig(SERVER, {"exec": plugin}))
        assert found(str(path)).target.user["exec"]["command"] == expected


def test_pod(tmp_path: Path) -> None:
    """Its service account counts when both files are there, unless a context is asked for."""
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}
    assert find_access(None, None, environ, service_account=tmp_path) is None
    (tmp_path / "token").write_text(TOKEN)
    assert find_access(None, None, environ, service_account=tmp_path) is None
    (tmp_path / "ca.crt").write_text("ca")
    access = find_access(None, None, environ, service_account=tmp_path)
    assert access is not None
    assert (access.source, access.explicit) == ("the service account of this pod", False)
    assert access.target.cluster["server"] == "https://10.0.0.1:6443"
    assert access.target.cluster["disable-compression"] is True
    assert find_access(None, "web", environ, service_account=tmp_path) is None
    assert find_access(None, None, {}, service_account=tmp_path) is None
    access = find_access(None, None, {"KUBERNETES_SERVICE_HOST": "fd00::1"}, service_account=tmp_path)
    assert access is not None
    assert access.target.cluster["server"] == "https://[fd00::1]:443"


@pytest.mark.parametrize(
    ("access", "name", "region"),
    [
        (with_exec("--region", "us-west-2", "eks", "get-token", "--cluster-name", "web"), "web", "us-west-2"),
        (with_exec("eks", "get-token", "--cluster-name=web", "--region=us-west-2"), "web", "us-west-2"),
        (with_exec("token", "-i", "web"), "web", None),
        (with_exec("token", "--cluster-id", "web", name=ARN), "web", "eu-central-1"),
        (with_exec("token", "-i"), None, None),
        (with_exec("--cluster-name="), None, None),
        (found(kubeconfig(SERVER, name=ARN)), "shop", "eu-central-1"),
        (found(kubeconfig(SERVER, name=ARN.replace("aws:", "aws-us-gov:"))), "shop", "eu-central-1"),
        (found(kubeconfig("https://9F2C.gr7.us-east-1.eks.amazonaws.com")), None, "us-east-1"),
        (found(kubeconfig("https://9F2C.sk1.cn-north-1.eks.amazonaws.com.cn:443/")), None, "cn-north-1"),
        (found(kubeconfig(SERVER)), None, None),
    ],
    ids=["aws", "equals", "i", "id", "cut", "empty", "arn", "gov", "host", "china", "none"],
)
def test_eks_cluster(access: KubernetesAccess, name: str | None, region: str | None) -> None:
    """As far as the kubeconfig tells."""
    assert (access.eks_cluster, access.region) == (name, region)


UNUSABLE = {
    "blank": " ",
    "no-path": "canary/of/nothing",
    "long-path": "canary" * 1000,
    "null": "canary\0",
    "unknown-home": "~canary-of-nobody/config",
    "not-yaml": "canary: [\n",
    "not-json": '{"canary',
    "deep": "{" + '"canary":[' * 100_000,
    "list": "- canary\n- canary",
    "clusters": edited(clusters="canary"),
    "cluster": edited(clusters=["canary"]),
    "nameless": edited(clusters=[{"name": 7}]),
    "twice": edited(clusters=[{"name": "canary"}, {"name": "canary"}]),
    "no-mapping": edited(clusters=[{"name": "web", "cluster": "canary"}]),
    "no-current": edited(**{"current-context": None}),
    "current": edited(**{"current-context": "canary"}),
    "no-cluster": edited(clusters=None),
    "no-user": edited(users=None),
    "no-server": clusters(server=""),
    "server": clusters(server="canary: canary"),
    "server-port": clusters(server="https://canary:x"),
    "ftp": clusters(server="ftp://canary"),
    "server-type": clusters(server=["canary"]),
    "server-user": clusters(server="https://canary@web.invalid"),
    "plain-http": clusters(server="http://canary.invalid"),
    "proxy": clusters(**{"proxy-url": "canary"}),
    "insecure-type": clusters(**{"insecure-skip-tls-verify": "canary"}),
    "insecure": clusters(**{"insecure-skip-tls-verify": True}),
    "relative": clusters(**{"certificate-authority": "canary.crt"}),
    "missing": clusters(**{"certificate-authority": "/canary.crt"}),
    "token-file": users(tokenFile="/canary"),
    "token-type": users(token=["canary"]),
    "token": users(token="canary\ncanary"),
    "auth-provider": users(**{"auth-provider": {"name": "canary"}}),
    "impersonation": users(**{"as": "canary\ncanary"}),
    "impersonated-groups": users(**{"as": "a", "as-groups": "canary"}),
    "impersonated-extra": users(**{"as": "a", "as-user-extra": {"canary": [7]}}),
    "half": users(**{"client-key-data": "canary"}),
    "exec": users(exec="canary"),
    "exec-version": users(exec={"apiVersion": "canary", "command": "canary"}),
    "exec-command": users(exec={"apiVersion": "client.authentication.k8s.io/v1"}),
    "exec-relative": users(exec={"apiVersion": "client.authentication.k8s.io/v1", "command": "./canary"}),
    "exec-args": users(exec={"apiVersion": "client.authentication.k8s.io/v1", "command": "x", "args": ["canary", 7]}),
    "exec-env": users(exec={"apiVersion": "client.authentication.k8s.io/v1", "command": "x", "env": {"canary": "x"}}),
    "exec-env-item": users(exec={"apiVersion": "client.authentication.k8s.io/v1", "command": "x", "env": ["canary"]}),
}


@pytest.mark.parametrize(
    ("environ", "namespace", "expected"),
    [
        ({"HOSTNAME": "runner-1"}, "ci\n", None),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "ci", None),
        ({"HOSTNAME": "runner-1", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "ci\n", ("ci", "runner-1")),
        ({"HOSTNAME": "runner-1", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, None, None),
        (
            {"HOSTNAME": "runner-1", "KUBERNETES_SERVICE_HOST": "10.0.0.1", "POD_NAMESPACE": "ci"},
            None,
            ("ci", "runner-1"),
        ),
    ],
)
def test_pod_that_runs_this_process(
    environ: dict[str, str], namespace: str | None, expected: tuple[str, str] | None, tmp_path: Path
) -> None:
    """By its host name and the namespace of its service account, or by the downward API."""
    if namespace is not None:
        (tmp_path / "namespace").write_text(namespace)
    assert find_runner(environ, service_account=tmp_path) == (expected and (*expected, ""))


@pytest.mark.parametrize(
    ("bound", "known"),
    [
        ({"namespace": "ci", "pod": {"name": "runner-0", "uid": "9f2c"}}, True),
        ({"namespace": "ci", "pod": {"name": "runner-0"}}, False),
        ({"namespace": "ci", "pod": {"name": 5, "uid": "9f2c"}}, False),
        ({"namespace": "ci", "serviceaccount": {"name": "default"}}, False),
        (["ci"], False),
        (None, False),
    ],
    ids=repr,
)
def test_token_names_the_pod_whatever_its_host_name(bound: Any, known: bool, tmp_path: Path) -> None:
    """A pod in the network of its node has the name of the node; tokens in Secrets name no pod."""
    payload = base64.urlsafe_b64encode(json.dumps({"kubernetes.io": bound}).encode()).decode().rstrip("=")
    (tmp_path / "token").write_text(f"e30.{payload}.canary")
    (tmp_path / "namespace").write_text("ci")
    environ = {"HOSTNAME": "ip-10-0-0-7", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    expected = ("ci", "runner-0", "9f2c") if known else ("ci", "ip-10-0-0-7", "")
    assert find_runner(environ, service_account=tmp_path) == expected


@pytest.mark.parametrize("token", [b"", b"canary", b"a.b.c", b"a.\xff.c", b"a." + b"[" * 9000 + b".c", b"a.e30.c"])
def test_token_that_is_none_names_no_pod(token: bytes, tmp_path: Path) -> None:
    """Such as one of another issuer."""
    (tmp_path / "token").write_bytes(token)
    assert find_runner({}, service_account=tmp_path) is None


def assert_tells_nothing(error: OceanMigrationError) -> None:
    """Check that an error, with its traceback, is one line without any content."""
    assert "canary" not in str(error)
    assert "\n" not in str(error)
    raised = "".join(traceback.format_exception_only(error))
    assert "canary" not in raised
    assert error.__cause__ is None
    assert error.__suppress_context__


@pytest.mark.parametrize("content", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_unusable_input(content: str) -> None:
    """One line says what is allowed, and nothing of the content."""
    with pytest.raises(InputError) as caught:
        find_access(content, None, {})
    assert caught.value.property_name == "kubeconfig"
    assert str(caught.value).endswith("give the content of a kubeconfig (YAML or JSON), or its path")
    assert_tells_nothing(caught.value)


@pytest.mark.parametrize(
    "content", [UNUSABLE[name] for name in ("not-yaml", "server", "current")], ids=["yaml", "server", "current"]
)
def test_unusable_environment(content: str, tmp_path: Path) -> None:
    """It is no input's fault."""
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(SettingsError, match=r"^KUBECONFIG: (.*/config: )?its? ") as caught:
        find_access(None, None, {"KUBECONFIG": str(path)})
    assert_tells_nothing(caught.value)


def test_environment_without_a_usable_file(tmp_path: Path) -> None:
    """Neither a directory, nor what is no text, nor nothing at all."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    for name in ("", "binary"):
        with pytest.raises(SettingsError, match=r"KUBECONFIG: .* cannot be read"):
            find_access(None, None, {"KUBECONFIG": str(tmp_path / name)})
    with pytest.raises(SettingsError, match=r"KUBECONFIG: .*does not exist"):
        find_access(None, None, {"KUBECONFIG": str(tmp_path / "missing")})


@pytest.mark.parametrize(
    "text",
    [
        f"---\n{kubeconfig(SERVER)}",
        f"{yaml.safe_dump(json.loads(kubeconfig(SERVER)))}---\n",
        f"{yaml.safe_dump(json.loads(kubeconfig(SERVER)))}---\nclusters: 7\n",
        yaml.safe_dump(json.loads(kubeconfig(SERVER)), default_flow_style=True),
        edited(preferences=None, extensions=[{"name": "x"}]),
    ],
    ids=["dashes", "trailing", "second", "flow", "more"],
)
def test_text_that_kubectl_accepts(text: str) -> None:
    """Only the first document counts."""
    assert found(text).key == found(kubeconfig(SERVER)).key


def test_empty_file_of_the_environment_is_no_obstacle(tmp_path: Path) -> None:
    """Nor is one of comments: they have no entries."""
    (tmp_path / "empty").write_text("")
    (tmp_path / "comment").write_text("# nothing\n")
    (tmp_path / "config").write_text(kubeconfig(SERVER))
    paths = os.pathsep.join(str(tmp_path / name) for name in ("empty", "comment", "config"))
    access = find_access(None, None, {"KUBECONFIG": paths})
    assert access is not None
    assert access.target.cluster["server"] == SERVER


@pytest.mark.parametrize(("server", "url"), [("web.invalid", "https://web.invalid"), ("1.2.3.4:6443", None)])
def test_server_without_a_scheme_is_https(server: str, url: str | None) -> None:
    """As kubectl takes it."""
    assert found(clusters(server=server)).target.cluster["server"] == (url or f"https://{server}")


def test_user_that_acts_as_another_one() -> None:
    """By the headers that kubectl sends."""
    extra = {"as-groups": ["a", "b c"], "as-uid": "7", "as-user-extra": {"example.com/team": ["x", "y"]}}
    target = found(users(token="t", **{"as": "jane doe", **extra})).target
    assert target.user["impersonation"] == [
        ("Impersonate-User", "jane doe"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b c"),
        ("Impersonate-Extra-example.com%2Fteam", "x"),
        ("Impersonate-Extra-example.com%2Fteam", "y"),
    ]


@pytest.mark.parametrize("wrap", [0, 76])
def test_kubeconfig_in_base64_gets_a_hint(wrap: int) -> None:
    """Secrets of CI systems often are; nothing of it is shown."""
    text = base64.b64encode(users(token="canary").encode()).decode()
    text = "\n".join(textwrap.wrap(text, wrap)) if wrap else text
    with pytest.raises(InputError, match="it is encoded in base64; decode it first") as caught:
        find_access(text, None, {})
    assert_tells_nothing(caught.value)


@pytest.mark.parametrize(
    "content", [kubeconfig(SERVER), "clusters:\n- x", base64.b64encode(kubeconfig(SERVER).encode()).decode()]
)
def test_variable_that_has_the_content_gets_a_hint(content: str) -> None:
    """It must name a file."""
    with pytest.raises(SettingsError, match="KUBECONFIG: it contains a kubeconfig") as caught:
        find_access(None, None, {"KUBECONFIG": content})
    assert_tells_nothing(caught.value)


def test_context_that_the_environment_lacks(tmp_path: Path) -> None:
    """The context is the input's, whatever the file is."""
    path = tmp_path / "config"
    path.write_text(kubeconfig(SERVER))
    with pytest.raises(
        InputError, match="kube_context: the kubeconfig has no context 'other'; existing: web"
    ) as caught:
        find_access(None, "other", {"KUBECONFIG": str(path)})
    assert_tells_nothing(caught.value)
