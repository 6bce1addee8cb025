"""What AWS knows, compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.scheduling.aws_facts import is_same_role

partitions = st.sampled_from(["aws", "aws-cn", "aws-us-gov"])
accounts = st.from_regex(r"[0-9]{12}", fullmatch=True)
names = st.from_regex(r"[A-Za-z0-9_+=,.@-]{1,20}", fullmatch=True)
paths = st.lists(names, max_size=3).map(lambda parts: "".join(f"{part}/" for part in parts))
roles = st.tuples(partitions, accounts, names)


def arn(role: tuple[str, str, str], path: str = "") -> str:
    """Return the ARN of a role."""
    partition, account, name = role
    return f"arn:{partition}:iam::{account}:role/{path}{name}"


@given(roles, paths, paths)
def test_path_makes_no_other_role(role: tuple[str, str, str], path: str, other: str) -> None:
    """Nor does the case of the name."""
    assert is_same_role(arn(role, path), arn(role, other))
    assert is_same_role(arn(role, path), arn((role[0], role[1], role[2].swapcase()), other))


@given(roles, roles, paths, paths)
def test_partition_account_and_name_make_the_role(
    one: tuple[str, str, str], other: tuple[str, str, str], path: str, other_path: str
) -> None:
    """Whichever is first."""
    same = (*one[:2], one[2].casefold()) == (*other[:2], other[2].casefold())
    assert is_same_role(arn(one, path), arn(other, other_path)) is same
    assert is_same_role(arn(other, other_path), arn(one, path)) is same


@pytest.mark.parametrize(
    "other",
    [
        "arn:aws:iam::111122223333:role/other",
        "arn:aws:iam::111122223333:role/nodes/other",
        "arn:aws:iam::999999999999:role/nodes",
        "arn:aws-cn:iam::111122223333:role/nodes",
        "arn:aws:iam::111122223333:user/nodes",
        "arn:aws:iam::111122223333:instance-profile/nodes",
        "arn:aws:sts::111122223333:assumed-role/nodes/i-1",
        "role/nodes",
        "",
    ],
)
def test_anything_else_is_another_role(other: str) -> None:
    """What is no role is not even the same as itself."""
    assert not is_same_role("arn:aws:iam::111122223333:role/nodes", other)
    assert not is_same_role("role/nodes", "role/nodes")
