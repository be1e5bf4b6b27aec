"""Idempotency-Key: once is once, whatever the network did."""

import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from integrations.models import IdempotencyKey
from practices.models import Location, Practice
from practices.tenancy import Actor, platform_scope, practice_scope
from tests.config.conftest import Login

URL = "/api/v1/locations"
ACTOR = Actor.system("tests")


def create(client: Client, key: str, name: str = "Main") -> Any:
    return client.post(URL, {"name": name}, "application/json", headers={"Idempotency-Key": key})


def count(practice: Practice) -> int:
    with practice_scope(practice, actor=ACTOR):
        return len(Location.objects.all())


def test_second_use_replays_the_first_answer(client: Client, practice: Practice) -> None:
    first, second = create(client, "k 1"), create(client, "k 1")
    assert (first.status_code, second.status_code) == (201, 201), first.content
    assert second.content == first.content
    assert second["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    for name in ("ETag", "Location", "Content-Type", "Cache-Control"):
        assert second[name] == first[name]
    assert count(practice) == 1


def test_key_with_another_body_is_422(client: Client) -> None:
    create(client, "k")
    response = create(client, "k", name="Other")
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


def test_refused_request_leaves_its_key_free(client: Client) -> None:
    assert create(client, "k", name="").status_code == 400
    assert create(client, "k").status_code == 201


def test_keys_belong_to_one_user_of_one_practice(practice: Practice, other_practice: Practice, login: Login) -> None:
    user = uuid4()
    assert create(login(practice, user), "k").status_code == 201
    assert create(login(practice), "k", name="Other").status_code == 201
    assert "Idempotent-Replayed" not in create(login(other_practice, user), "k")


def test_key_is_free_again_after_a_day(client: Client, practice: Practice) -> None:
    create(client, "k")
    with practice_scope(practice, actor=ACTOR):
        IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert create(client, "k", name="Other").status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_unusable_key_is_refused(client: Client, key: str) -> None:
    response = create(client, key)
    assert response.status_code == 400
    assert response.json()["errors"][0] == {
        "pointer": "/Idempotency-Key",
        "code": "invalid",
        "detail": "Give a key of 1 to 255 characters.",
        "in": "header",
    }


def test_answer_without_body_is_replayed(client: Client) -> None:
    url = f"{URL}/{create(client, 'k').json()['id']}/close"
    answers = [client.generic("POST", url, headers={"Idempotency-Key": "c"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].json()["version"] == 2


@pytest.fixture
def committed_practice(transactional_db: None) -> Practice:
    with platform_scope(actor=ACTOR):
        return Practice.objects.create(slug="cedar", name="Cedar", time_zone="UTC")


def test_of_many_at_once_one_acts(committed_practice: Practice, login: Login) -> None:
    user = uuid4()
    answers: list[Any] = []

    def send() -> None:
        try:
            answers.append(create(login(committed_practice, user), "k"))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = [answer.status_code for answer in answers]
    assert len(codes) == 8
    assert set(codes) <= {201, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"request_in_progress"}
    assert count(committed_practice) == 1
    assert create(login(committed_practice, user), "k")["Idempotent-Replayed"] == "true"


def test_stored_answer_is_unreadable_in_the_database(client: Client, practice: Practice) -> None:
    create(client, "k", name="Harbour House")
    with practice_scope(practice, actor=ACTOR), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM integrations_idempotencykey")
        (row,) = cursor.fetchall()
    assert "Harbour House" not in str(row)
