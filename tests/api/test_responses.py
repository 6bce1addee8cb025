"""The service's envelope and the errors that it stands for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.responses import (
    CLUSTER,
    MIGRATION,
    UNDECODABLE,
    ApiCall,
    ApiResponse,
    decode_body,
    error_of_response,
    response_items,
)
from ocean_migration_pulumi.errors import (
    ApiError,
    ClusterNotFoundError,
    InputError,
    MigrationNotFoundError,
    NotFoundError,
    OceanMigrationError,
    PermissionDeniedError,
    RequestRejectedError,
    ResponseError,
    ServiceError,
)
from tests.support.http_server import refusal
from tests.support.properties import documents

GET_CLUSTER = ApiCall(method="GET", route=CLUSTER, ids={"ocean_id": "o-1"}, query={"accountId": "act-1"})
GET_MIGRATION = ApiCall(method="GET", route=MIGRATION, ids={"ocean_id": "o-1", "migration_id": "owm-1"})
LIST_MIGRATIONS = ApiCall(method="GET", route=CLUSTER + "/migration", ids={"ocean_id": "o-1"})
LIST_GROUPS = ApiCall(method="GET", route="/ocean/aws/k8s/launchSpec", query={"oceanId": "o-1"})


def failed(call: ApiCall, status: int, data: Any) -> OceanMigrationError:
    """Return the error for an answer with this JSON."""
    answer = ApiResponse(status=status, headers={}, body=json.dumps(data).encode())
    return error_of_response(call, answer, decode_body(answer))


CODED = {"code": "CLUSTER_DOESNT_EXIST", "message": "no such cluster"}


@pytest.mark.parametrize(
    ("call", "status", "errors", "kind"),
    [
        pytest.param(GET_CLUSTER, 400, [CODED], ClusterNotFoundError, id="cluster-by-code"),
        pytest.param(LIST_MIGRATIONS, 400, [CODED], ClusterNotFoundError, id="cluster-by-code-on-another-route"),
        pytest.param(GET_MIGRATION, 404, [CODED], ClusterNotFoundError, id="cluster-code-before-route"),
        pytest.param(LIST_GROUPS, 400, [{"code": "X"}, CODED], ClusterNotFoundError, id="second-code"),
        pytest.param(GET_CLUSTER, 404, [], ClusterNotFoundError, id="cluster-by-404"),
        pytest.param(LIST_MIGRATIONS, 404, [], NotFoundError, id="404-on-a-list"),
        pytest.param(LIST_GROUPS, 400, [{"code": "CANT_GET_OCEAN_LAUNCH_SPEC"}], NotFoundError, id="group-by-code"),
        pytest.param(GET_MIGRATION, 404, [], MigrationNotFoundError, id="migration-by-404"),
        pytest.param(
            GET_MIGRATION, 400, [{"code": "MIGRATION_NOT_FOUND"}], MigrationNotFoundError, id="migration-code"
        ),
        pytest.param(
            GET_MIGRATION,
            400,
            [{"code": "OCEAN_MIGRATION_DOESNT_EXIST"}],
            MigrationNotFoundError,
            id="migration-code-2",
        ),
        pytest.param(
            GET_MIGRATION,
            400,
            [{"code": "X", "message": "Migration 'owm-1' does not exist"}],
            MigrationNotFoundError,
            id="migration-message",
        ),
        pytest.param(GET_MIGRATION, 400, [{"message": "migration not found"}], MigrationNotFoundError, id="no-code"),
        pytest.param(
            GET_MIGRATION,
            400,
            [{"code": "X", "message": "migration is over"}],
            RequestRejectedError,
            id="other-message",
        ),
        pytest.param(
            LIST_MIGRATIONS,
            400,
            [{"code": "MIGRATION_NOT_FOUND"}],
            RequestRejectedError,
            id="no-migration-in-the-route",
        ),
        pytest.param(GET_CLUSTER, 403, [], PermissionDeniedError, id="403"),
        pytest.param(
            GET_CLUSTER, 400, [{"code": "", "message": "An unknown error"}], PermissionDeniedError, id="empty-code"
        ),
        pytest.param(GET_CLUSTER, 400, [], RequestRejectedError, id="no-errors"),
        pytest.param(GET_CLUSTER, 409, [{"code": "CONFLICT"}], RequestRejectedError, id="409"),
        pytest.param(GET_CLUSTER, 500, [], ServiceError, id="500"),
        pytest.param(GET_CLUSTER, 504, [CODED], ServiceError, id="5xx-before-code"),
    ],
)
def test_kind(call: ApiCall, status: int, errors: list[dict[str, Any]], kind: type[ApiError]) -> None:
    """Each answer of the service is exactly one kind of error, with its status, code and request id."""
    error = failed(call, status, refusal(status, *errors, request_id="req-7"))
    assert type(error) is kind
    assert isinstance(error, ApiError)
    assert (error.status, error.request_id) == (status, "req-7")
    assert error.code == (errors[0].get("code") or None if errors else None)
    assert "\n" not in str(error)
    assert str(error).endswith("request req-7)")


@pytest.mark.parametrize("status", [201, 204, 302, 400, 404, 407, 413])
@pytest.mark.parametrize("data", ["<html>", {}, {"message": "not found"}, {"response": None}, {"response": {}}, []])
def test_foreign_answer_is_no_answer_of_the_service(status: int, data: Any) -> None:
    """What a proxy or another server says is not taken for "not found" nor for a refusal."""
    for call in (GET_CLUSTER, GET_MIGRATION):
        assert type(failed(call, status, data)) is ResponseError


def test_redirect_is_explained() -> None:
    """A redirect is never followed, and the message says why."""
    assert "a redirect, which is not followed" in str(failed(GET_CLUSTER, 307, refusal(307)))


def test_rejection_names_the_field() -> None:
    """The messages of all errors are there, and the first field."""
    error = failed(
        LIST_MIGRATIONS,
        400,
        refusal(
            400,
            {"code": "ValidationError", "message": '"launchRequest" is required', "field": "body:launchRequest"},
            {"code": "ValidationError", "message": '"amount" is not allowed', "field": "body:amount"},
        ),
    )
    assert isinstance(error, RequestRejectedError)
    assert error.field == "body:launchRequest"
    assert str(error) == (
        'GET /ocean/aws/k8s/cluster/o-1/migration: refused: "launchRequest" is required; "amount" is not allowed '
        "(field: body:launchRequest) (HTTP 400, ValidationError, request req-1)"
    )


def test_missing_cluster_names_id_and_account() -> None:
    """The message says which cluster, in which account, and what to do."""
    message = str(failed(GET_CLUSTER, 400, refusal(400, CODED)))
    assert message.startswith("Ocean cluster o-1 does not exist in act-1; check the id and the account")


def test_empty_code_says_what_it_may_mean() -> None:
    """A refused permission comes as an unknown error, so the message tells of permissions."""
    message = str(failed(GET_CLUSTER, 400, refusal(400, {"code": "", "message": "An unknown error occurred"})))
    assert "An unknown error occurred" in message
    assert "permissions" in message


def test_texts_of_others_are_one_short_line() -> None:
    """Neither line breaks nor terminal escapes nor novels get into a message."""
    error = failed(GET_CLUSTER, 400, refusal(400, {"code": "X", "message": "a\n\x1b[31mb\u202e" + "c" * 9999}))
    assert "a [31mb" in str(error)
    assert len(str(error)) < 700
    assert str(error).isprintable()


ANY_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["request", "response", "errors", "id", "code", "message", "field", "items", "status"]),
            inner,
        ),
    ),
    max_leaves=15,
)

# A busy machine is no reason to fail.
PATIENT = documents()


@given(data=ANY_JSON, status=st.sampled_from([201, 302, 400, 403, 404, 409, 500, 502]))
@PATIENT
def test_any_answer_has_an_error(data: Any, status: int) -> None:
    """Whatever the body is, the answer stands for an error of this package."""
    assert isinstance(failed(GET_MIGRATION, status, data), OceanMigrationError)


@given(data=ANY_JSON)
@PATIENT
def test_items_are_a_list_or_refused(data: Any) -> None:
    """A missing list is never read as an empty one."""
    try:
        found = response_items(GET_CLUSTER, data)
    except ResponseError:
        return
    assert found is data["response"]["items"]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{", b"\xff", b"[" * 200_000, b"9" * 5000],
    ids=["empty", "html", "cut", "bytes", "deep", "long"],
)
def test_undecodable(body: bytes) -> None:
    """What is not JSON, or too deep or too long for it, is told apart from JSON."""
    assert decode_body(ApiResponse(status=200, headers={}, body=body)) is UNDECODABLE


def test_lone_surrogates_are_replaced() -> None:
    """Text that nothing can encode does not get in; whole pairs stay."""
    body = b'{"a": "x\\ud83dy", "b": "\\uD83D\\uDE00"}'
    data = decode_body(ApiResponse(status=200, headers={}, body=body))
    assert data == {"a": "x?y", "b": "😀"}


@pytest.mark.parametrize("bad", ["", ".", ".."])
def test_id_that_leads_elsewhere_is_refused(bad: str) -> None:
    """An empty id would ask for the list, and dots for another path."""
    with pytest.raises(InputError, match="ocean_id"):
        _ = ApiCall(method="GET", route=CLUSTER, ids={"ocean_id": bad}).path


def test_id_is_quoted() -> None:
    """An id stays one segment of the path."""
    call = ApiCall(method="GET", route=CLUSTER, ids={"ocean_id": "../x?y#z"})
    assert call.path == "/ocean/aws/k8s/cluster/..%2Fx%3Fy%23z"
