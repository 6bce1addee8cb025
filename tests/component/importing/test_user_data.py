"""Labels of a managed node group in user data, in every form that an AMI of EKS reads."""

from __future__ import annotations

from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from ocean_migration_pulumi.component.importing.user_data import has_group_labels, remove_group_labels

GROUP = "eks.amazonaws.com/nodegroup=web"
OTHERS = (
    "eks.amazonaws.com/nodegroup-image=ami-1,eks.amazonaws.com/capacityType=ON_DEMAND,"
    "eks.amazonaws.com/sourceLaunchTemplateId=lt-1,eks.amazonaws.com/sourceLaunchTemplateVersion=2"
)
NODEADM = """\
apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  kubelet:
    config:
      registerWithTaints:
      - effect: NoSchedule
        key: dedicated
        value: web
      - {{key: "spot", effect: "PreferNoSchedule"}}
    flags:
    - "--node-labels={labels}"
"""
BOTTLEROCKET = """\
[settings.kubernetes.node-labels]
{line}"pool" = "web"
tier = 'front'
[settings.kubernetes.node-taints]
"dedicated" = ["web:NoSchedule"]
spot = ":PreferNoSchedule"
"""


def adapt(text: str) -> str:
    """Return user data without the labels of the node group."""
    adapted = remove_group_labels(text)
    assert not has_group_labels(adapted)
    return adapted


def mime(text: str, kind: str) -> str:
    """Return a MIME message whose second part is the text; in base64, as for any text that is not ASCII."""
    message = MIMEMultipart(boundary="//")
    message.attach(MIMEText("#cloud-config\npackages: [jq, curl]\n", "cloud-config", "us-ascii"))
    message.attach(MIMEText(text, kind, "utf-8"))
    return message.as_string()


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (GROUP, ""),
        (f"{GROUP},pool=web", "pool=web"),
        (f"pool=web,{GROUP}", "pool=web"),
        (f"pool=web,{GROUP},tier=front", "pool=web,tier=front"),
        (f"{OTHERS},pool=web,{GROUP}", "pool=web"),
        (f"{GROUP},{OTHERS}", ""),
        (f"pool=web,{OTHERS},{GROUP}", "pool=web"),
        ("pool=web,eks.amazonaws.com/compute=mine", "pool=web,eks.amazonaws.com/compute=mine"),
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        "#!/bin/bash\n/etc/eks/bootstrap.sh shop --kubelet-extra-args '--node-labels={labels}'\n",
        '/etc/eks/bootstrap.sh shop --kubelet-extra-args "--max-pods=20 --node-labels={labels} -v 2"',
        '<powershell>\r\n& $Bootstrap -KubeletExtraArgs "--node-labels={labels}" 3>&1\r\n</powershell>',
        NODEADM,
    ],
    ids=["shell", "flags", "powershell", "nodeadm"],
)
def test_labels_of_the_group_are_removed_from_a_list(form: str, given: str, left: str) -> None:
    """And the comma beside them, no other."""
    assert adapt(form.format(labels=given)) == form.format(labels=left)


def test_nothing_else_of_a_script_changes() -> None:
    """A comma before a blank, or at the end of a line, is no part of the labels."""
    script = (
        "#!/bin/bash\ncat > /etc/docker/daemon.json <<'EOF'\n"
        '{{\n  "log-driver": "json-file", "log-opts": {{"max-size": "10m"}},\n  "live-restore": true\n}}\nEOF\n'
        "/etc/eks/bootstrap.sh shop --kubelet-extra-args '--node-labels={labels}'\n"
    )
    assert adapt(script.format(labels=f"{GROUP},pool=web")) == script.format(labels="pool=web")


@pytest.mark.parametrize("line", [f'"{GROUP.replace("=", chr(34) + " = " + chr(34))}"\n'])
def test_labels_of_the_group_are_removed_from_bottlerocket(line: str) -> None:
    """Whose user data is TOML."""
    given = BOTTLEROCKET.format(line=line + '"eks.amazonaws.com/capacityType" = "ON_DEMAND"  # of EKS\n')
    assert adapt(given) == BOTTLEROCKET.format(line="")
    dotted = f"settings.kubernetes.node-labels.{line}a = 1\n"
    assert adapt(dotted) == "a = 1\n"


def test_form_that_is_not_adapted_is_known() -> None:
    """So that the user can be told."""
    text = 'node-labels = {"eks.amazonaws.com/nodegroup" = "web", "pool" = "web"}\n'
    assert remove_group_labels(text) == text
    assert has_group_labels(text)


@pytest.mark.parametrize("before", ["", "\n", "  \r\n\n"], ids=["first", "blank line", "blank lines"])
@pytest.mark.parametrize("kind", ["node.eks.aws", "x-shellscript"])
def test_parts_of_a_mime_message(kind: str, before: str) -> None:
    """In base64 or not: what is in them is read; the others and blank lines before the first stay as they are."""
    given, left = (before + mime(NODEADM.format(labels=labels), kind) for labels in (f"{GROUP},pool=wöb", "pool=wöb"))
    assert "nodegroup" not in given
    assert has_group_labels(given)
    assert adapt(given) == left
    plain = 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="//"\n\n--//\n\n{}\n--//--\n'
    assert adapt(plain.format(f"--node-labels={GROUP}")) == plain.format("--node-labels=")
