"""Labels and taints in user data, in each form that nodes of EKS read."""

from __future__ import annotations

import tomllib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.checks.user_data import (
    is_named_by_id,
    kubelet_flags,
    read_user_data,
    render_user_data,
)
from ocean_migration_pulumi.migration.scheduling.instance_types import KubeletSettings
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Taint

LABELS = {"tier": "web", "team": "shop"}
TAINT = Taint(key="dedicated", value="batch", effect="NoSchedule")
BARE = Taint(key="gpu", effect="NoExecute")

BOOTSTRAP = """#!/bin/bash
export SECRET=canary
/etc/eks/bootstrap.sh shop --container-runtime containerd \\
  --kubelet-extra-args \
  '--node-labels=tier=web,team=shop --register-with-taints=dedicated=batch:NoSchedule,gpu:NoExecute'
"""
MANAGED = """#!/bin/bash
set -ex
B64_CLUSTER_CA=Q0E=
API_SERVER_URL=https://example.eks.amazonaws.com
/etc/eks/bootstrap.sh shop --kubelet-extra-args '
    --node-labels=tier=web,team=shop
    --register-with-taints=dedicated=batch:NoSchedule,gpu:NoExecute' \
  --b64-cluster-ca $B64_CLUSTER_CA --apiserver-endpoint $API_SERVER_URL --use-max-pods false
"""
QUOTED = """#!/bin/bash
/etc/eks/bootstrap.sh 'shop' --kubelet-extra-args "--node-labels=\\"tier=web,team=shop\\" \
--register-with-taints 'dedicated=batch:NoSchedule,gpu:NoExecute'"
"""
WINDOWS = """<powershell>
& "$env:ProgramFiles\\Amazon\\EKS\\Start-EKSBootstrap.ps1" -EKSClusterName shop -KubeletExtraArgs \
"--node-labels=tier=web,team=shop --register-with-taints=dedicated=batch:NoSchedule,gpu:NoExecute"
</powershell>"""
NODE_CONFIG = """---
apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  cluster:
    name: shop
    apiServerEndpoint: https://example.eks.amazonaws.com
    certificateAuthority: Q0E=
    cidr: 10.100.0.0/16
  kubelet:
    config:
      registerWithTaints:
        - {key: dedicated, value: batch, effect: NoSchedule}
        - {key: gpu, effect: NoExecute}
    flags:
      - --node-labels=tier=web,team=shop
"""
MIME = f"""MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="BOUNDARY"

--BOUNDARY
Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/bash
echo canary

--BOUNDARY
Content-Type: application/node.eks.aws

{NODE_CONFIG}
--BOUNDARY--
"""
BOTTLEROCKET = """
[settings.kubernetes]
cluster-name = "shop"
api-server = "https://example.eks.amazonaws.com"
cluster-certificate = "Q0E="
[settings.kubernetes.node-labels]
"tier" = "web"
team = "shop"
[settings.kubernetes.node-taints]
dedicated = ["batch:NoSchedule"]
gpu = ":NoExecute"
[settings.host-containers.admin]
user-data = "canary"
"""
EKSCTL = """#cloud-config
write_files:
- content: |
    CLUSTER_NAME=shop
    NODE_LABELS=tier=web,team=shop
    NODE_TAINTS=dedicated=batch:NoSchedule,gpu:NoExecute
  path: /etc/eksctl/kubelet.env
"""
FORMS = {
    "eksctl": EKSCTL,
    "bootstrap": BOOTSTRAP,
    "managed": MANAGED,
    "quoted": QUOTED,
    "windows": WINDOWS,
    "node-config": NODE_CONFIG,
    "mime": MIME,
    "bottlerocket": BOTTLEROCKET,
}


@pytest.mark.parametrize("name", FORMS)
def test_labels_and_taints_of_each_form(name: str) -> None:
    """All of them say the same."""
    found = read_user_data(FORMS[name])
    assert (found.is_known, found.is_complete) == (True, True)
    assert found.labels == LABELS
    assert found.taints == {TAINT, BARE}


@pytest.mark.parametrize(
    ("user_data", "known", "complete"),
    [
        ("", False, True),
        ("#!/bin/bash\nyum update", False, True),
        ("/etc/eks/bootstrap.sh shop", True, True),
        ("/etc/eks/bootstrap.sh shop --kubelet-extra-args --node-labels=tier=$TIER", True, False),
        ("/etc/eks/bootstrap.sh shop --kubelet-extra-args --node-labels=tier={{ tier }}", True, False),
        ("/etc/eks/bootstrap.sh shop --kubelet-extra-args --register-with-taints=${TAINTS}:NoSchedule", True, False),
        ('/etc/eks/bootstrap.sh shop --kubelet-extra-args "$ARGS"', True, False),
        ("<powershell>Start-EKSBootstrap.ps1 -KubeletExtraArgs $args</powershell>", True, False),
        ('/etc/eks/bootstrap.sh shop --kubelet-extra-args "--v=2\n$ARGS"', True, False),
        ('/etc/eks/bootstrap.sh shop --kubelet-extra-args "--x=\\"1\\" $ARGS"', True, False),
        ("/etc/eks/bootstrap.sh $NAME --kubelet-extra-args '--v=2' --apiserver-endpoint $URL", True, True),
        ("/etc/eks/bootstrap.sh shop $ARGS", True, False),
        ('/etc/eks/bootstrap.sh shop --use-max-pods false "${ARGS[@]}"', True, False),
        ("# bootstrap.sh shop --kubelet-extra-args --node-labels=a=$B\n/etc/eks/bootstrap.sh shop", True, True),
        ("  # --register-with-taints=a:NoSchedule --node-labels=a=b\n/etc/eks/bootstrap.sh shop", True, True),
        ("apiVersion: node.eks.aws/v1alpha1\nspec: [", True, False),
        ("#!/bin/bash\nnodeadm init <<EOF\nregisterWithTaints:\n- {key: a}\nEOF", True, False),
        ("[settings.kubernetes]\nnode-labels = ", True, False),
    ],
)
def test_what_cannot_be_read_is_said(user_data: str, known: bool, complete: bool) -> None:
    """A variable, a form that nobody knows, or a mistake; a kubelet without arguments sets nothing."""
    found = read_user_data(user_data)
    assert (found.is_known, found.is_complete) == (known, complete)
    assert (found.labels, found.taints) == ({}, set())


@pytest.mark.parametrize(
    ("user_data", "labels"),
    [
        (NODE_CONFIG.replace("=tier", "\n      - tier"), LABELS),
        ("bootstrap.sh shop --kubelet-extra-args '--node-labels=a=,b=c=d'", {"a": "", "b": "c=d"}),
        ("bootstrap.sh shop --kubelet-extra-args '--node-labels=a=b --node-labels=c=d'", {"a": "b", "c": "d"}),
        ("bootstrap.sh shop --kubelet-extra-args '--node-labels=a=b' # --node-labels=c=d", {"a": "b"}),
        # A shell takes a backslash and the end of the line away, and nothing else.
        ('bootstrap.sh shop --kubelet-extra-args "--node-labels=a=b,\\\nc=d"', {"a": "b", "c": "d"}),
        ("ARGS=(--node-labels a=b,c=d)\nbootstrap.sh shop", {"a": "b", "c": "d"}),
        # Without quotes, the kubelet gets the first word.
        ("bootstrap.sh shop --kubelet-extra-args --node-labels=a=b --node-labels=c=d", {"a": "b"}),
        (f"#!/bin/bash\ncat > config.yaml <<EOF\n{NODE_CONFIG}EOF\nnodeadm init", LABELS),
        (MIME.replace("Content-Type: multipart", "content-type:multipart").replace("\n", "\r\n"), LABELS),
        ('["settings"."kubernetes"."node-labels"]\ntier = "web"\nteam = "shop"', LABELS),
        ('[ settings.kubernetes.node-labels ]\ntier = "web"\nteam = "shop"', LABELS),
        ('settings.kubernetes.node-labels.tier = "web"\nsettings.kubernetes.node-labels.team = "shop"', LABELS),
        ("#cloud-config\nruncmd:\n  - bootstrap.sh shop --kubelet-extra-args '--node-labels=a=b'", {"a": "b"}),
    ],
)
def test_labels_in_unusual_forms(user_data: str, labels: dict[str, str]) -> None:
    """Empty values, several arguments, an argument that is two flags."""
    assert read_user_data(user_data).labels == labels


@pytest.mark.parametrize("name", [name for name in FORMS if name not in {"eksctl", "windows"}])
def test_rendered_user_data_sets_what_it_should_and_has_no_secret(name: str) -> None:
    """In the form of the cluster's, with the cluster's name."""
    labels, taints = {"a/b": "c", "d": ""}, [TAINT, BARE]
    rendered = render_user_data(FORMS[name], labels, taints)
    found = read_user_data(rendered)
    assert (found.labels, found.taints) == (labels, set(taints))
    assert "canary" not in rendered
    assert "tier" not in rendered
    assert "shop" in rendered


def test_rendered_forms_keep_how_to_reach_the_cluster() -> None:
    """Nodes cannot join without."""
    (config,) = yaml.safe_load_all(render_user_data(MIME, {"a": "b"}, []))
    assert config["spec"]["cluster"]["apiServerEndpoint"] == "https://example.eks.amazonaws.com"
    settings = tomllib.loads(render_user_data(BOTTLEROCKET, {"a": "b"}, []))["settings"]["kubernetes"]
    assert settings["api-server"] == "https://example.eks.amazonaws.com"


@pytest.mark.parametrize("user_data", ["", "#!/bin/bash\nyum update", WINDOWS])
def test_unknown_form_is_not_rendered(user_data: str) -> None:
    """Then the arguments of the kubelet have to do."""
    assert render_user_data(user_data, {"a": "b"}, []) == ""
    assert kubelet_flags({"b": "2", "a": "1"}, [BARE, TAINT]) == [
        "--node-labels=a=1,b=2",
        "--register-with-taints=dedicated=batch:NoSchedule,gpu:NoExecute",
    ]


@given(
    st.text(max_size=200)
    | st.sampled_from([MIME, BOTTLEROCKET, NODE_CONFIG]).flatmap(
        lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut])
    )
)
def test_no_user_data_is_an_error(user_data: str) -> None:
    """Whatever it is."""
    read_user_data(user_data)
    is_named_by_id(user_data)
    KubeletSettings.from_user_data(user_data)
    render_user_data(user_data, {"a": "b"}, [TAINT])
