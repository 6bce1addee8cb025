"""Tokens, accounts, rate limits, and the request log."""

from __future__ import annotations

from typing import Any

from ocean_migration_pulumi.testing.simulator.spot_api.rate_limits import RateLimiter
from tests.testing.simulator.conftest import Api

HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


def test_a_rejected_token_is_401_without_errors(api: Api) -> None:
    """A missing, wrong or revoked token is answered by an envelope with a status only."""
    for token in ("", "wrong"):
        reply = api.send("GET", api.base, token=token)
        assert (reply.status, reply.body["response"]) == (401, {"status": {"code": 401, "message": "Unauthorized"}})
    old = api.sim.token
    api.sim.control.revoke_token(old)
    assert api.send("GET", api.base, token=old).status == 401


def test_a_rotated_token_replaces_the_old_one(api: Api) -> None:
    """Only the new token is accepted."""
    old = api.sim.token
    new = api.sim.control.rotate_token()
    assert new == api.sim.token != old
    assert api.send("GET", api.base, token=old).status == 401
    assert api.send("GET", api.base, token=new).status == 200


def test_reads_without_an_account_use_the_oldest_and_writes_are_refused(api: Api) -> None:
    """A write without an account is HTTP 400 with an empty code, as in the service."""
    younger = api.sim.control.add_account()
    assert len(api.send("GET", "/ocean/aws/k8s/cluster", account=None).items) == 1
    assert api.send("GET", "/ocean/aws/k8s/cluster", account=younger).items == []
    reply = api.send("POST", api.base, {"migration": {}}, account=None)
    assert (reply.status, reply.code) == (400, "")
    assert reply.body["response"]["errors"][0]["message"] == "An unknown error occurred"


def test_accounts_are_isolated(api: Api) -> None:
    """A cluster of another account does not exist, and an unknown or forbidden account is refused."""
    younger = api.sim.control.add_account()
    other = api.sim.control.add_cluster(3, name="other", account_id=younger)
    path = f"/ocean/aws/k8s/cluster/{other['id']}"
    assert api.send("GET", path).code == "CLUSTER_DOESNT_EXIST"
    assert api.send("GET", path, account=younger).items[0]["name"] == "other"
    assert api.send("GET", f"/ocean/aws/k8s/launchSpec/{other['groups'][0]}").code == "CANT_GET_OCEAN_LAUNCH_SPEC"
    assert api.send("GET", path, account="act-00000000").code == ""
    api.sim.control.forbid(younger)
    assert api.send("GET", path, account=younger).code == ""
    api.sim.control.forbid(younger, forbidden=False)
    assert api.send("GET", path, account=younger).status == 200


def test_an_unknown_route_is_an_enveloped_404(api: Api) -> None:
    """The request log has the request, without a route."""
    assert api.send("GET", "/ocean/aws/k8s/nothing").status == 404
    assert api.send("DELETE", api.base).status == 404
    assert [entry["route"] for entry in api.sim.control.requests()] == [None, None]


def test_every_response_has_rate_limit_headers_until_429(api: Api) -> None:
    """The headers count down per route and method; HTTP 429 has ``data`` instead of errors."""
    api.sim.control.rate_limit("*/migration", "GET", 2)
    replies = [api.send("GET", api.base) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert [reply.headers[HEADERS[0]] for reply in replies] == ["2", "2", "2"]
    assert [reply.headers[HEADERS[1]] for reply in replies] == ["1", "0", "0"]
    assert all(1 <= int(reply.headers[HEADERS[2]]) <= 60 for reply in replies)
    other = api.send("GET", f"{api.base}/discovery")
    assert other.status == 200
    assert all(name in other.headers for name in HEADERS)
    assert all(name in api.send("GET", api.base, token="wrong").headers for name in HEADERS)
    api.sim.control.clear_rate_limits()
    assert api.send("GET", api.base).status == 200


def test_a_rate_limited_request_has_no_effect(api: Api) -> None:
    """A POST beyond the limit starts no migration."""
    ids = api.offered()
    api.sim.control.rate_limit("*/migration", "POST", 0)
    reply = api.post(ids)
    assert (reply.status, reply.headers["x-ratelimit-remaining"]) == (429, "0")
    assert api.sim.control.migrations(api.ocean_id) == []


def test_the_rate_limit_window_slides_and_refused_requests_count() -> None:
    """Seconds are real and rounded up; a refused request postpones the reset."""
    rate_limiter = RateLimiter()
    rate_limiter.set_limit("*", "*", 2, 10)

    def ask(now: float) -> tuple[bool, int, int]:
        decision = rate_limiter.check_request("act-1", "/route", "GET", now)
        return decision.allowed, decision.remaining, decision.reset

    assert ask(0) == (True, 1, 10)
    assert ask(4.5) == (True, 0, 6)
    assert ask(5) == (False, 0, 10)
    assert ask(12) == (False, 0, 3)
    assert ask(16) == (True, 0, 6)
    assert rate_limiter.check_request("act-2", "/route", "GET", 16).allowed
    assert rate_limiter.check_request("act-1", "/route", "PUT", 16).allowed


def test_the_request_log_redacts_tokens(api: Api) -> None:
    """An entry has method, path, route, query, body and outcome, but no token."""
    token = api.sim.token
    ids = api.offered()
    migration = api.create(ids)
    api.stop(migration, shouldTerminateDrainedNodes=True)
    api.send("GET", f"{api.base}/{token}", anything=token)
    api.post([token])
    entries = api.sim.control.requests()
    assert token not in str(entries)
    create = next(entry for entry in entries if entry["effective"])
    assert create["method"] == "POST"
    assert create["path"] == api.base
    assert create["route"] == "/ocean/aws/k8s/cluster/{ocean_id}/migration"
    assert create["query"] == {"accountId": api.sim.account_id}
    assert create["body"]["migration"]["instanceIds"] == ids
    assert (create["status"], create["code"], create["migration_id"]) == (200, None, migration)
    assert create["user_agent"].startswith("Python-urllib/")
    assert [entry["n"] for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[-1]["code"] == "MIGRATION_ALREADY_RUNNING" or entries[-1]["status"] == 400


def test_the_request_log_can_be_filtered_and_cleared(api: Api) -> None:
    """Entries are filtered by method, effect and number; the numbers continue after a clear."""
    ids = api.offered()
    api.post([])
    api.post(ids)
    control = api.sim.control
    assert [entry["status"] for entry in control.requests(method="POST")] == [400, 200]
    assert len(control.requests(effective=True)) == 1
    assert len(control.requests(effective=False)) == 2
    assert [entry["n"] for entry in control.requests(since=2)] == [3]
    control.clear_requests()
    assert control.requests() == []
    api.offered()
    assert control.requests()[0]["n"] == 4


def test_a_long_request_log_drops_reads_only() -> None:
    """No write is ever dropped."""
    from ocean_migration_pulumi.testing.simulator.server import request_log

    log = request_log.RequestLog()

    def ask(method: str) -> dict[str, Any]:
        return log.add_entry(
            at=0.0, method=method, path="/", route="/", query={}, body=b"no json", user_agent="", secrets=[]
        )

    ask("POST")
    for _ in range(request_log.MAX_ENTRIES):
        ask("GET")
    assert len(log.to_json()) < request_log.MAX_ENTRIES
    assert [entry["n"] for entry in log.filter_entries(method="POST")] == [1]
    assert log.to_json()[0]["body"] == "no json"
