"""PostgreSQL alone says which logins are alive: under a crowd of refreshes, and whatever happens to Redis."""

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any

import pytest
import redis
from django.conf import settings
from rest_framework.test import APIClient

from accounts.models import RefreshSession
from accounts.tokens import access_token, refresh_token
from practices.models import Practice
from practices.tenancy import Actor, practice_scope
from tests.clients import client_for, client_of, session_for
from tests.integrations.live import LiveServer

TOKEN = "/api/v1/auth/token"
ME = "/api/v1/auth/me"
SESSIONS, TABS = 100, 20
BY = Actor.system("tests")


def me(token: str) -> int:
    response: Any = APIClient().get(ME, headers={"Authorization": f"Bearer {token}"})
    return int(response.status_code)


def renew(token: str) -> Any:
    return APIClient().post(TOKEN, {"grant_type": "refresh_token", "refresh_token": token}, format="json")


@pytest.mark.django_db
def test_emptying_redis_revives_no_login_and_ends_none(practice: Practice) -> None:
    """FLUSHDB: what FLUSHALL does to us, without doing it to the tests that run beside this one."""
    ended, alive = client_for("provider", practice), client_for("provider", practice)
    assert ended.post("/api/v1/auth/logout-all").status_code == 204
    replayed = client_of(alive.user, practice).login_session
    assert renew(refresh_token(replayed)).status_code == 200
    with practice_scope(practice, actor=BY):
        RefreshSession.objects.filter(pk=replayed.pk).update(generation=3)
    assert renew(refresh_token(replayed)).status_code == 401
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
    for session in (ended.login_session, replayed):
        assert me(access_token(session)) == 401
        assert renew(refresh_token(session)).status_code == 401
    assert me(access_token(alive.login_session)) == 200
    assert renew(refresh_token(alive.login_session)).status_code == 200


class Tabs:
    """Twenty tabs of a browser, each with a connection it keeps, that send a request at the same moment."""

    def __init__(self, server: LiveServer) -> None:
        self.connections = [http.client.HTTPConnection(server.host, timeout=60) for _ in range(TABS)]
        self.pool, self.start = ThreadPoolExecutor(TABS), Barrier(TABS)

    def refresh(self, token: str) -> list[tuple[int, str]]:
        """What each was answered: the status, and the refresh token."""
        body = json.dumps({"grant_type": "refresh_token", "refresh_token": token})

        def send(connection: http.client.HTTPConnection) -> tuple[int, str]:
            self.start.wait(60)
            connection.request("POST", TOKEN, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, str(json.loads(answer.read()).get("refresh_token"))

        return list(self.pool.map(send, self.connections))

    def close(self) -> None:
        self.pool.shutdown()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def tabs(practice: Practice) -> Iterator[Tabs]:
    unlimited = {"RATE_LIMIT_AUTH_ADDRESS": "100000/m", "RATE_LIMIT_USER": "100000/m"}
    with LiveServer(unlimited) as server, closing(Tabs(server)) as tabs:
        yield tabs


@pytest.mark.machinery
@pytest.mark.django_db(transaction=True)
def test_hundred_logins_refreshed_by_twenty_tabs_each_have_one_successor(practice: Practice, tabs: Tabs) -> None:
    user = client_for("provider", practice).user
    logins = [session_for(user, practice) for _ in range(SESSIONS)]
    answers = [tabs.refresh(refresh_token(login)) for login in logins]
    assert {status for each in answers for status, _ in each} == {200}
    successors = [{successor for _, successor in each} for each in answers]
    assert [len(each) for each in successors] == [1] * SESSIONS
    with practice_scope(practice, actor=BY):
        rows = {row.pk: row for row in RefreshSession.objects.filter(pk__in=[login.pk for login in logins])}
        assert {(row.generation, row.revoked_at) for row in rows.values()} == {(2, None)}
        assert [{refresh_token(rows[login.pk])} for login in logins] == successors
