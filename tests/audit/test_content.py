"""What is hashed when an event is written is what PostgreSQL says of it later, whatever is in it."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.content import CONTENT_SQL, content, is_genuine, mac
from audit.recording import record_apart
from practices.models import Practice
from practices.tenancy import Actor, Scope, practice_scope
from tests.rows import SETUP

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ADDRESSES = st.none() | st.ip_addresses().map(str) | st.sampled_from(["::ffff:192.0.2.1", "2001:DB8::0:1", "::1"])
HALF_PAST = datetime(2026, 3, 1, 12, 0, 0, 120000, timezone(timedelta(hours=5, minutes=30)))
TIMES = st.just(HALF_PAST) | st.integers(-(2**51), 2**54).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(TEXT, JSON, max_size=4), label=TEXT, reason=TEXT, request=TEXT, ip=ADDRESSES, at=TIMES)
def test_python_and_postgresql_say_the_same(
    practice: Practice, changes: dict[str, Any], label: str, reason: str, request: str, ip: str | None, at: datetime
) -> None:
    actor = Actor(kind="user", id=uuid4(), label=label, roles=("owner", "key:abc"))
    scope = Scope(practice.pk, actor, request, ip, operation="GET x")
    event_id = uuid4()
    record_apart(
        scope,
        "update",
        "x.y",
        event_id,
        changes=changes,
        reason=reason,
        at=at,
        patient_ids=[uuid4(), uuid4()],
        status=404,
    )
    with practice_scope(practice, actor=SETUP), connection.cursor() as cursor:
        cursor.execute(f"SELECT {CONTENT_SQL}, mac FROM audit_auditevent WHERE entity_id = %s", [event_id])
        said, stored = cursor.fetchone()
    assert mac(said.encode()) == bytes(stored)


def test_texts_that_hold_a_separator_are_not_taken_for_others() -> None:
    event = {
        "id": uuid4(),
        "practice_id": uuid4(),
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "actor_kind": "user",
        "actor_id": None,
        "roles": [],
        "action": "read",
        "entity_id": None,
        "patient_ids": [],
        "changes": {},
        "ip": None,
        "status": None,
        "operation": "",
        "request_id": "",
    }
    one = {**event, "actor_label": "a\x1fb", "entity": "c", "reason": ""}
    other = {**event, "actor_label": "a", "entity": "b\x1fc", "reason": ""}
    assert content(one) != content(other)


@pytest.mark.parametrize("keys", [["{new}", "{old}"], ["{old}", "{new}"]])
def test_hashes_of_an_older_key_stay_genuine(settings: Any, keys: list[str]) -> None:
    (old,) = settings.AUDIT_HASH_KEYS
    stored = mac(b"said")
    new = "bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldyE="
    settings.AUDIT_HASH_KEYS = [key.format(new=new, old=old) for key in keys]
    assert is_genuine(b"said", stored)
    assert not is_genuine(b"said!", stored)
    settings.AUDIT_HASH_KEYS = [new]
    assert not is_genuine(b"said", stored)
