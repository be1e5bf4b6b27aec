"""Whoever gets hold of the database or of Redis reads no encrypted field in it."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from redis import Redis

from patients.models import Patient
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.clients import client_for
from tests.patients.conftest import PATIENTS, SETUP

SECRETS = ["2025550177", "needle@example.test", "NEEDLE-778", "NEEDLE778", "needle-778"]


def use(practice: Practice, ada: Patient) -> None:
    """Writes the secrets in every way there is, and asks for them."""
    desk = client_for("front_desk", practice)
    one = f"{PATIENTS}/{ada.pk}"
    person = {"given_name": "Bo", "family_name": "Ek", "phone": "202-555-0177", "email": "Needle@Example.test"}
    answers = [
        desk.post(PATIENTS, person, headers={"Idempotency-Key": "needle"}),
        desk.post(PATIENTS, person, headers={"Idempotency-Key": "needle"}),
        desk.post(f"{one}/contacts", {"kind": "phone", "value": "202-555-0177"}, headers={"Idempotency-Key": "phone"}),
        desk.post(f"{one}/identifiers", {"type": "SS", "value": "needle-778"}, headers={"Idempotency-Key": "ss"}),
        desk.get(PATIENTS, {"phone": "202-555-0177"}),
        desk.get(PATIENTS, {"email": "needle@example.test"}),
        desk.get(PATIENTS, {"identifier": "NEEDLE-778"}),
        desk.get(f"{one}/contacts"),
    ]
    [contact] = answers[-1].json()["results"]
    answers += [
        desk.patch(f"{one}/contacts/{contact['id']}", {"kind": "email", "value": "needle@example.test"}),
        desk.get(one),
        desk.post(PATIENTS, {**person, "given_name": "Al"}),
        desk.delete(f"{one}/contacts/{contact['id']}"),
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 201, 200, 200, 200, 200, 200, 200, 409, 204]
    assert answers[9].json()["email"] == "needle@example.test"


def tables_dumped() -> dict[str, str]:
    """Every row of every table that the practice's scope shows, as text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
        )
        names = [name for (name,) in cursor.fetchall()]
        dumped = {}
        for name in names:
            cursor.execute("SELECT has_table_privilege(%s, 'SELECT')", [name])
            if cursor.fetchone() == (True,):
                cursor.execute(
                    f"SELECT coalesce(string_agg(row::text, chr(10)), '') FROM {connection.ops.quote_name(name)} AS row"
                )
                [dumped[name]] = cursor.fetchone()
        return dumped


def redis_dumped() -> str:
    redis: Any = Redis.from_url(settings.REDIS_URL)
    readers: dict[bytes, Any] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
        b"stream": redis.xrange,
    }
    return "\n".join(f"{key!r} {readers[redis.type(key)](key)!r}" for key in redis.scan_iter())


def found(text: str) -> list[str]:
    folded = text.casefold()
    return [secret for secret in SECRETS if secret.casefold() in folded]


@pytest.mark.parametrize("written", ["needle@example.test", "x NEEDLE-778"])
def test_search_for_plaintext_would_find_it(written: str) -> None:
    assert len(found(written)) >= 1


def test_no_table_holds_an_encrypted_value(practice: Practice, ada: Patient) -> None:
    use(practice, ada)
    with practice_scope(practice, actor=SETUP):
        dumped = tables_dumped()
    assert {"patients_contactpoint", "patients_patientidentifier", "patients_patient"} <= dumped.keys()
    assert dumped["patients_contactpoint"].count("v1:1:") == 2
    assert {name: found(text) for name, text in dumped.items() if found(text)} == {}


def test_redis_holds_no_encrypted_value(practice: Practice, ada: Patient) -> None:
    cache.set("probe", "probe")
    use(practice, ada)
    dumped = redis_dumped()
    assert "probe" in dumped
    assert found(dumped) == []


def test_no_log_line_holds_an_encrypted_value_or_a_searched_name(
    practice: Practice, ada: Patient, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    use(practice, ada)
    desk = client_for("front_desk", practice)
    desk.get(PATIENTS, {"search": "byron"})
    desk.get(PATIENTS, {"birth_date": "byron"})
    logged = [record for record in caplog.records if not record.name.startswith("django.db")]
    text = json.dumps([[str(record.msg), record.getMessage()] for record in logged]) + "".join(capsys.readouterr())
    assert "GET /api/v1/patients" in text
    assert found(text) == []
    assert "byron" not in text.casefold()
